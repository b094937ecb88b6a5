import { anything, type Checks } from '../check.js';
import { VPN_LIMIT } from '../cpu/page-table.js';
import { MIGRATION, PRESENT } from '../cpu/pte.js';
import { ERRNO, ErrnoError, invalid, show } from '../errno.js';
import { compoundHead } from '../memory/page-metadata.js';
import { migratePages } from '../migrate/migrate-pages.js';
import type { MigrateManner } from '../migrate/migration.js';
import { addStats, createMigrateStats, type MigrateStats } from '../migrate/stats.js';
import type { AddressSpace } from '../mm/address-space.js';
import { folioIsolateLru } from '../mm/lru.js';
import type { MemoryManager } from '../mm/manager.js';
import type { Vma } from '../mm/mapping.js';
import { entryAt, frameAt } from '../mm/page-entries.js';
import { isMappedShared } from '../mm/rmap.js';
import { type NodeId, PAGE_SIZE } from '../units.js';
import { CREDENTIALS, type Credentials, checkTarget, hasCapSysNice } from './credentials.js';
import { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from './flags.js';

/** Options of `Machine.movePages`. */
export interface MovePagesOptions extends Credentials {
  /** The node to move every page to. Without it and without `nodes` nothing is moved: the call asks where the pages are. */
  node?: number | undefined;
  /** The node to move each page to, in the order of the pages. */
  nodes?: ArrayLike<number> | undefined;
  /** {@link MPOL_MF_MOVE} or {@link MPOL_MF_MOVE_ALL}. Default: `MPOL_MF_MOVE`. */
  flags?: number | undefined;
}

/** What its options are checked by, but for what depends on the machine. */
export const MOVE_PAGES_OPTIONS: Checks<MovePagesOptions> = {
  node: anything,
  nodes: anything,
  flags: anything,
  ...CREDENTIALS,
};

/** What `Machine.movePages` did. */
export interface MovePagesResult {
  /**
   * For each page the node that it is on, or why not on the one that was asked for, as a negative errno: `-ENOENT` (-2) it
   * has no memory yet; `-EIO` (-5) its frame is poisoned; `-ENOMEM` (-12) the node is full; `-EACCES` (-13) others map it
   * too; `-EFAULT` (-14) nothing is mapped there; `-EBUSY` (-16) somebody holds it, or another call
   * is moving it.
   */
  readonly status: Int32Array;
  /**
   * Pages whose folio was isolated and could not be moved, for EIO, ENOMEM or EBUSY. Those that another call is moving are
   * -EBUSY, and not counted.
   */
  readonly notMigrated: number;
  /** What all batches of the call came to; all 0 of the query form. */
  readonly stats: MigrateStats;
}

/** Pages that are isolated at once. */
const CHUNK = 8192;
/** Status of a page whose folio is isolated, until it is known what becomes of it. */
const PENDING = 0x7fffffff;

/** What `Machine.movePages` does, once its options were checked by {@link MOVE_PAGES_OPTIONS}. */
export async function movePages(
  manager: MemoryManager,
  mm: AddressSpace,
  list: ArrayLike<number>,
  options: MovePagesOptions,
  manner: MigrateManner,
): Promise<MovePagesResult> {
  const { pages, asked } = checkArguments(manager, mm, list, options);
  const status = new Int32Array(pages.length);
  const stats = createMigrateStats();
  if (asked === undefined) {
    for (let i = 0; i < pages.length; i++) status[i] = whereIs(manager, mm, pages[i] / PAGE_SIZE);
    return { status, notMigrated: 0, stats };
  }
  const moveAll = ((options.flags ?? MPOL_MF_MOVE) & MPOL_MF_MOVE_ALL) !== 0;
  let notMigrated = 0;
  for (const target of typeof asked === 'number' ? [asked] : new Set(Array.from(asked))) {
    for (let first = 0; first < pages.length; first += CHUNK) {
      const end = Math.min(first + CHUNK, pages.length);
      const chunk: Chunk = { pages, first, end, asked, target: target as NodeId, status, moveAll };
      notMigrated += await moveChunk(manager, mm, chunk, manner, stats);
    }
  }
  return { status, notMigrated, stats };
}

/** Pages `first` up to `end` of a call, of which those that are to go to `target` are moved. */
interface Chunk {
  readonly pages: ArrayLike<number>;
  readonly first: number;
  readonly end: number;
  /** The node of all pages, or of each. */
  readonly asked: number | ArrayLike<number>;
  readonly target: NodeId;
  readonly status: Int32Array;
  readonly moveAll: boolean;
}

/** Isolates and migrates a chunk. Returns how many of its pages could not be moved. */
async function moveChunk(
  manager: MemoryManager,
  mm: AddressSpace,
  chunk: Chunk,
  manner: MigrateManner,
  sum: MigrateStats,
): Promise<number> {
  const started = performance.now();
  const folios = isolateChunk(manager, mm, chunk);
  sum.phasesNs.isolate += Math.round((performance.now() - started) * 1e6);
  if (folios.length === 0) return 0;
  const { target } = chunk;
  const request = { ...manner, target, mode: 'MIGRATE_SYNC', reason: 'syscall_or_cpuset' } as const;
  const { stats, failed, failedErrno } = await migratePages(manager, folios, request);
  addStats(sum, stats);
  if (failed.length === 0) return storeStatus(chunk, () => target);
  const errnos = new Map(failed.map((pfn, i) => [pfn, failedErrno[i]]));
  return storeStatus(chunk, (vpn) => {
    const node = whereIs(manager, mm, vpn);
    if (node === target || node < 0) return node;
    const entry = entryAt(mm.table, vpn);
    const pfn = compoundHead(manager.memory.page, frameAt(mm.table, vpn, entry));
    return -toStatus(errnos.get(pfn) ?? ERRNO.EBUSY);
  });
}

/** Takes the folios of a chunk's pages off the LRU, to be moved, and says of all others why not. */
function isolateChunk(manager: MemoryManager, mm: AddressSpace, chunk: Chunk): Uint32Array {
  const { pages, first, end, asked, target, status } = chunk;
  const folios = new Uint32Array(end - first);
  let count = 0;
  let vma: Vma | undefined;
  for (let i = first; i < end; i++) {
    if (typeof asked !== 'number' && asked[i] !== target) continue;
    // Beyond the last page nothing is mapped, and within 32 bits another page would be found.
    const vpn = Math.min(pages[i] / PAGE_SIZE, VPN_LIMIT) | 0;
    if (!vma || vpn < vma.start || vpn >= vma.end) vma = mm.findVma(vpn);
    const entry = vma ? entryAt(mm.table, vpn) : 0;
    if (entry & PRESENT) {
      status[i] = addPageForMigration(manager, chunk, frameAt(mm.table, vpn, entry), folios, count);
      if (status[i] === PENDING && folios[count] !== 0) count++;
    } else {
      status[i] = vma ? absent(entry) : -ERRNO.EFAULT;
    }
  }
  return folios.subarray(0, count);
}

/**
 * Isolates the folio of a frame that is to be moved (add_page_for_migration), and puts it at `count` of `folios`, unless it
 * is among those already.
 *
 * @returns {@link PENDING}, the target if the page is there, or a negative errno
 */
function addPageForMigration(
  manager: MemoryManager,
  { target, moveAll }: Chunk,
  frame: number,
  folios: Uint32Array,
  count: number,
): number {
  const { page } = manager.memory;
  if (page.nid[frame] === target) return target;
  const pfn = compoundHead(page, frame);
  if (count > 0 && folios[count - 1] === pfn) return PENDING;
  if (!moveAll && isMappedShared(manager, pfn)) return -ERRNO.EACCES;
  if (folioIsolateLru(page, pfn)) {
    folios[count] = pfn;
    return PENDING;
  }
  return folios.subarray(0, count).includes(pfn) ? PENDING : -ERRNO.EBUSY;
}

/** Gives every page of a chunk whose folio was isolated the status that it came to. Returns how many of them failed. */
function storeStatus({ pages, status, first, end, target }: Chunk, statusOf: (vpn: number) => number): number {
  let failed = 0;
  for (let i = first; i < end; i++) {
    if (status[i] !== PENDING) continue;
    const outcome = statusOf(pages[i] / PAGE_SIZE);
    status[i] = outcome;
    if (outcome !== target) failed++;
  }
  return failed;
}

/** The node of a page, or a negative errno. */
function whereIs({ memory }: MemoryManager, mm: AddressSpace, vpn: number): number {
  if (!mm.findVma(vpn)) return -ERRNO.EFAULT;
  const entry = entryAt(mm.table, vpn);
  return entry & PRESENT ? memory.page.nid[frameAt(mm.table, vpn, entry)] : absent(entry);
}

/** Status of a page in an area, without a present entry: it is on its way to another node, or has no memory. */
function absent(entry: number): number {
  return entry & MIGRATION ? -ERRNO.EBUSY : -ERRNO.ENOENT;
}

/** What move_pages(2) makes of an errno of the migration. */
function toStatus(errno: number): number {
  if (errno === ERRNO.EAGAIN) return ERRNO.EBUSY;
  return errno === ERRNO.EHWPOISON ? ERRNO.EIO : errno;
}

/** What a call is asked for, as it was when that was checked. */
interface Request {
  readonly pages: ArrayLike<number>;
  /** The node of all pages, or of each; `undefined`: none. */
  readonly asked: number | ArrayLike<number> | undefined;
}

/** Checks everything that can be before anything is moved. */
function checkArguments(
  { memory }: MemoryManager,
  mm: AddressSpace,
  list: ArrayLike<number>,
  { node, nodes: nodeList, flags = MPOL_MF_MOVE, ...credentials }: MovePagesOptions,
): Request {
  if (!Number.isInteger(flags) || flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) {
    throw invalid('flags', 'must be MPOL_MF_MOVE, MPOL_MF_MOVE_ALL or both', flags);
  }
  if (flags & MPOL_MF_MOVE_ALL && !hasCapSysNice(credentials)) {
    throw new ErrnoError('EPERM', 'flags: MPOL_MF_MOVE_ALL needs CAP_SYS_NICE');
  }
  checkTarget(mm, credentials);
  checkList('pages', list);
  if (list.length > VPN_LIMIT) {
    throw new ErrnoError('E2BIG', `pages: ${list.length} are more than the ${VPN_LIMIT} an address space has`);
  }
  const pages = copyOf(list);
  for (let i = 0; i < pages.length; i++) {
    const address = pages[i];
    if (!Number.isSafeInteger(address) || address < 0 || address & (PAGE_SIZE - 1)) {
      throw invalid(`pages[${i}]`, 'must be a page address, a multiple of 4096', address);
    }
  }
  if (node !== undefined && nodeList !== undefined) throw invalid('node', 'must not be given beside nodes', node);
  if (nodeList === undefined) {
    if (node !== undefined) checkNode(memory.nodes.length, mm, node);
    return { pages, asked: node };
  }
  checkList('nodes', nodeList);
  if (nodeList.length !== pages.length)
    throw invalid('nodes', `must be one for each of ${pages.length} pages`, nodeList.length);
  const nodes = copyOf(nodeList);
  for (let i = 0; i < nodes.length; i++) checkNode(memory.nodes.length, mm, nodes[i]);
  return { pages, asked: nodes };
}

/** A list that nobody else changes, also from another thread, between a look at it and the next (copy_from_user). */
function copyOf(list: ArrayLike<number>): ArrayLike<number> {
  return ArrayBuffer.isView(list) ? (list as unknown as Float64Array).slice() : Array.from(list);
}

function checkList(name: string, list: unknown): void {
  const isList = Array.isArray(list) || (ArrayBuffer.isView(list) && !(list instanceof DataView));
  if (!isList) throw new ErrnoError('EFAULT', `${name}: must be an array of numbers, got ${show(list)}`);
}

function checkNode(count: number, { memsAllowed }: AddressSpace, node: number): void {
  if (!Number.isInteger(node) || node < 0 || node >= count) {
    throw new ErrnoError('ENODEV', `node: there is no ${show(node)}, only 0 to ${count - 1}`);
  }
  if (!memsAllowed.includes(node)) {
    throw new ErrnoError(
      'EACCES',
      `node: ${node} is not among the nodes that the cpuset allows, ${memsAllowed.join(', ')}`,
    );
  }
}
