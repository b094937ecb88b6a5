import { awaiting, createCpuAccount, during } from '../copy/cpu-account.js';
import { VPN_LIMIT } from '../cpu/page-table.js';
import { MIGRATION, PRESENT } from '../cpu/pte.js';
import { ERRNO } from '../errno.js';
import { compoundHead } from '../memory/page-metadata.js';
import { migratePages } from '../migrate/migrate-pages.js';
import type { MigrateManner } from '../migrate/migration.js';
import { timedAlone } from '../migrate/phase-clock.js';
import { createSlice, isLookDue, needResched, resched, type Slice } from '../migrate/resched.js';
import { addStats, createMigrateStats, type MigrateStats } from '../migrate/stats.js';
import type { AddressSpace } from '../mm/address-space.js';
import type { MemoryManager } from '../mm/manager.js';
import { entryAt, frameAt } from '../mm/page-entries.js';
import { isMappedShared } from '../mm/rmap.js';
import { type NodeId, PAGE_SIZE } from '../units.js';
import { createIsolation, type Isolation, isolate, isolatedFor, putbackIsolated, takeIsolated } from './isolation.js';
import { checkRequest, type MovePagesOptions, type MovePagesRequest } from './move-pages-request.js';

/** What `Machine.movePages` did. */
export interface MovePagesResult {
  /**
   * For each page the node that it is on, or why not on the one that was asked for, as a negative errno: `-ENOENT` (-2) it
   * has no memory yet; `-EIO` (-5) its frame is poisoned; `-ENOMEM` (-12) the node is full; `-EACCES` (-13) others map it
   * too; `-EFAULT` (-14) nothing is mapped there; `-EBUSY` (-16) somebody holds it, another
   * call is moving it, or a copy that was made on a store meanwhile has taken its place; `-EOPNOTSUPP` (-95) it is private to
   * a device, and nothing that is registered or named can copy it.
   */
  readonly status: Int32Array;
  /**
   * Pages whose folio was isolated and could not be moved, for EIO, ENOMEM, EBUSY or EOPNOTSUPP. Those that another call is
   * moving are -EBUSY, and not counted.
   */
  readonly notMigrated: number;
  /** What all batches of the call came to; all 0 of the query form. */
  readonly stats: MigrateStats;
}

/** Pages that are isolated before any of them is moved. */
const CHUNK = 8192;
/** Status of a page whose folio is isolated, until it is known what becomes of it. */
const PENDING = 0x7fffffff;
/** Answer of {@link addPageForMigration}: the folio is on its way to another node already, and must arrive there first. */
const MUST_ARRIVE = 0x7ffffffe;

/** What `Machine.movePages` does, once its options were checked by MOVE_PAGES_OPTIONS. */
export async function movePages(
  manager: MemoryManager,
  mm: AddressSpace,
  list: ArrayLike<number>,
  options: MovePagesOptions,
  manner: MigrateManner,
): Promise<MovePagesResult> {
  return moveRequested(manager, mm, await checkRequest(manager, mm, list, options), manner);
}

/** Moves what was checked already: the part that is no system call's alone. */
export async function moveRequested(
  manager: MemoryManager,
  mm: AddressSpace,
  { pages, asked, moveAll }: MovePagesRequest,
  manner: MigrateManner,
): Promise<MovePagesResult> {
  const status = new Int32Array(pages.length);
  const stats = createMigrateStats();
  const account = createCpuAccount();
  const slice = createSlice(account);
  if (asked === undefined) {
    await during(account, () => query(manager, mm, pages, status, slice));
    return { status, notMigrated: 0, stats };
  }
  const call: Call = { manager, mm, pages, asked, status, moveAll, manner, stats, slice };
  let notMigrated = 0;
  await during(account, async () => {
    for (let first = 0; first < pages.length; ) {
      const chunk = { first, end: Math.min(first + CHUNK, pages.length) };
      notMigrated += await moveChunk(call, chunk);
      first = chunk.end;
    }
  });
  stats.cpuNs.caller += Math.round(account.ns);
  return { status, notMigrated, stats };
}

/** Puts the node of every page into `status`, or why it has none. */
async function query(
  { memory }: MemoryManager,
  mm: AddressSpace,
  pages: ArrayLike<number>,
  status: Int32Array,
  slice: Slice,
): Promise<void> {
  const { nid } = memory.page;
  for (let i = 0; i < pages.length; i++) {
    if (isLookDue(i) && needResched(slice)) await resched(slice);
    const vpn = vpnAt(pages, i);
    const entry = entryAt(mm.table, vpn);
    status[i] = entry & PRESENT ? nid[frameAt(mm.table, vpn, entry)] : absent(mm, vpn, entry);
  }
}

/** One call that moves pages. */
interface Call {
  readonly manager: MemoryManager;
  readonly mm: AddressSpace;
  readonly pages: ArrayLike<number>;
  /** The node of all pages, or of each. */
  readonly asked: number | ArrayLike<number>;
  readonly status: Int32Array;
  readonly moveAll: boolean;
  readonly manner: MigrateManner;
  readonly stats: MigrateStats;
  /** Of the isolation; a migration has its own. */
  readonly slice: Slice;
}

/** Pages `first` up to `end` of a call. It ends early before a page that is to go on to another node, once it is moved. */
interface Chunk {
  readonly first: number;
  end: number;
}

/**
 * Isolates and migrates a chunk, to one node after the other. Within it each folio has one of them to go to: the order in
 * which the nodes have their turn makes no difference. Returns how many of its pages could not be moved.
 */
async function moveChunk(call: Call, chunk: Chunk): Promise<number> {
  const { manager, manner, stats, slice } = call;
  const isolation = createIsolation(chunk.end - chunk.first);
  /** Why folios could not be moved. */
  const errnos = new Map<number, number>();
  try {
    await isolateChunk(call, chunk, isolation);
    for (const target of isolation.nodes) {
      const folios = takeIsolated(isolation, target);
      // It has an account of its own.
      const before = stats.succeeded * PAGE_SIZE;
      const result = await awaiting(slice.account, () => migratePages(manager, folios, { ...manner, target }, before));
      addStats(stats, result.stats);
      result.failed.forEach((pfn, i) => void errnos.set(pfn, result.failedErrno[i]));
    }
  } finally {
    putbackIsolated(isolation, manager.memory);
  }
  return storeStatus(call, chunk, errnos);
}

/** Isolates the folios of a chunk, with turns of the event loop between, and says of all other pages why not. */
async function isolateChunk(call: Call, chunk: Chunk, isolation: Isolation): Promise<void> {
  const { stats, slice } = call;
  await timedAlone(stats.phasesNs, 'isolate', slice, async () => {
    for (let next = chunk.first; next < chunk.end; ) {
      next = isolatePages(call, chunk, next, isolation);
      if (next < chunk.end) await resched(slice);
    }
  });
}

/**
 * Isolates pages from `next` on, until the event loop is to have a turn: what is mapped where may be another afterwards.
 * Returns how far it came.
 */
function isolatePages(call: Call, chunk: Chunk, next: number, isolation: Isolation): number {
  const { manager, mm, pages, asked, status, moveAll, slice } = call;
  for (let i = next; i < chunk.end; i++) {
    if (isLookDue(i) && needResched(slice)) return i;
    const vpn = vpnAt(pages, i);
    const entry = entryAt(mm.table, vpn);
    if (!(entry & PRESENT)) {
      status[i] = absent(mm, vpn, entry);
      continue;
    }
    const target = typeof asked === 'number' ? asked : asked[i];
    const outcome = addPageForMigration(manager, isolation, frameAt(mm.table, vpn, entry), target as NodeId, moveAll);
    if (outcome === MUST_ARRIVE) chunk.end = i;
    else status[i] = outcome;
  }
  return chunk.end;
}

/**
 * Isolates the folio of a frame that is to be moved to `target` (add_page_for_migration), unless this call has done so for
 * an earlier page.
 *
 * @returns {@link PENDING}; {@link MUST_ARRIVE}; the target if the page is there; or a negative errno
 */
function addPageForMigration(
  manager: MemoryManager,
  isolation: Isolation,
  frame: number,
  target: NodeId,
  moveAll: boolean,
): number {
  const { page } = manager.memory;
  const pfn = compoundHead(page, frame);
  const isolated = isolatedFor(isolation, page, pfn);
  if (isolated >= 0) return isolated === target ? PENDING : MUST_ARRIVE;
  if (page.nid[pfn] === target) return target;
  if (!moveAll && isMappedShared(manager, pfn)) return -ERRNO.EACCES;
  return isolate(isolation, page, pfn, target) ? PENDING : -ERRNO.EBUSY;
}

/**
 * Gives every page of a chunk whose folio was isolated the status that it came to, as is to be seen now: it may have been
 * unmapped or copied meanwhile. Returns how many are not where they were to go.
 */
function storeStatus(call: Call, { first, end }: Chunk, errnos: ReadonlyMap<number, number>): number {
  const { manager, mm, pages, asked, status } = call;
  const { page } = manager.memory;
  let failed = 0;
  for (let i = first; i < end; i++) {
    if (status[i] !== PENDING) continue;
    const vpn = vpnAt(pages, i);
    const entry = entryAt(mm.table, vpn);
    const target = typeof asked === 'number' ? asked : asked[i];
    if (!(entry & PRESENT)) {
      status[i] = absent(mm, vpn, entry);
    } else {
      const frame = frameAt(mm.table, vpn, entry);
      status[i] = page.nid[frame] === target ? target : -toStatus(errnos.get(compoundHead(page, frame)) ?? ERRNO.EBUSY);
    }
    if (status[i] !== target) failed++;
  }
  return failed;
}

/** The virtual page of an address: of one that no address space has, page 0, where nothing is ever mapped. */
function vpnAt(pages: ArrayLike<number>, i: number): number {
  const vpn = pages[i] / PAGE_SIZE;
  return vpn < VPN_LIMIT ? vpn | 0 : 0;
}

/**
 * Status of a page without a present entry: it is on its way to another node, has no memory, or is in no area, outside of
 * which there are no entries.
 */
function absent(mm: AddressSpace, vpn: number, entry: number): number {
  if (entry & MIGRATION) return -ERRNO.EBUSY;
  return mm.findVma(vpn) ? -ERRNO.ENOENT : -ERRNO.EFAULT;
}

/** What move_pages(2) makes of an errno of the migration. */
function toStatus(errno: number): number {
  if (errno === ERRNO.EAGAIN) return ERRNO.EBUSY;
  return errno === ERRNO.EHWPOISON ? ERRNO.EIO : errno;
}
