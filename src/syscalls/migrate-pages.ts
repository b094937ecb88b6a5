import { anything, type Checks, wholeNumber } from '../check.js';
import { type PageTable, PTRS_PER_PTE } from '../cpu/page-table.js';
import { MIGRATION, PRESENT } from '../cpu/pte.js';
import { ErrnoError, invalid, show } from '../errno.js';
import { compoundHead } from '../memory/page-metadata.js';
import { migratePages as migrateFolios } from '../migrate/migrate-pages.js';
import type { MigrateManner } from '../migrate/migration.js';
import { addStats, createMigrateStats, type MigrateStats } from '../migrate/stats.js';
import type { AddressSpace } from '../mm/address-space.js';
import { folioIsolateLru } from '../mm/lru.js';
import type { MemoryManager } from '../mm/manager.js';
import { entryAt, frameAt, isPmdMapped } from '../mm/page-entries.js';
import { isMappedShared } from '../mm/rmap.js';
import type { NodeId, Pfn } from '../units.js';
import { CREDENTIALS, type Credentials, checkTarget, hasCapSysNice } from './credentials.js';

/** Options of `Machine.migratePages`. */
export interface MigratePagesOptions extends Credentials {
  /** Nodes to move pages away from. */
  from: readonly number[];
  /**
   * Nodes to move them to: those of the first of `from` in ascending order go to the first of these, and so on, again from
   * the start if there are fewer.
   */
  to: readonly number[];
}

/** What its options are checked by, but for the sets of nodes. */
export const MIGRATE_PAGES_OPTIONS: Checks<MigratePagesOptions> = { from: anything, to: anything, ...CREDENTIALS };

/** What `Machine.migratePages` did. */
export interface MigratePagesResult {
  /**
   * Pages that could not be moved: held by somebody, mapped by others too, on their way already, or without room on the
   * node.
   */
  readonly notMigrated: number;
  /** What all batches of the call came to. */
  readonly stats: MigrateStats;
}

/** A node that a set may name: one of 1024, as with the kernel's CONFIG_NODES_SHIFT of 10. */
const checkNode = wholeNumber(0, 1023);

/** What `Machine.migratePages` does, once its options were checked by {@link MIGRATE_PAGES_OPTIONS}. */
export async function migratePages(
  manager: MemoryManager,
  mm: AddressSpace,
  { from, to, ...credentials }: MigratePagesOptions,
  manner: MigrateManner,
): Promise<MigratePagesResult> {
  const sources = checkNodes('from', from);
  const asked = checkNodes('to', to);
  const isCapable = hasCapSysNice(credentials);
  checkTarget(mm, credentials);
  const targets = allowedTargets(mm, asked, isCapable);
  const stats = createMigrateStats();
  let notMigrated = 0;
  for (const [source, target] of nodePairs(sources, targets)) {
    const { folios, left } = isolateNode(manager, mm, source, isCapable);
    notMigrated += left;
    if (folios.length === 0) continue;
    const request = { ...manner, target: target as NodeId, mode: 'MIGRATE_SYNC', reason: 'syscall_or_cpuset' } as const;
    const result = await migrateFolios(manager, Uint32Array.from(folios), request);
    addStats(stats, result.stats);
    notMigrated += result.stats.failed;
  }
  return { notMigrated, stats };
}

/**
 * From which node to which, in an order in which no page is moved twice (do_migrate_pages): a pair whose target is not itself
 * still to be emptied comes first.
 */
export function nodePairs(from: readonly number[], to: readonly number[]): [number, number][] {
  const pairs: [number, number][] = [];
  let left = from.filter((node, position) => {
    // Of sets that differ in size, what is on a target already stays.
    return (from.length === to.length || !to.includes(node)) && to[position % to.length] !== node;
  });
  while (left.length > 0) {
    const targetOf = (node: number) => to[from.indexOf(node) % to.length];
    const source = left.find((node) => !left.includes(targetOf(node))) ?? left[left.length - 1];
    pairs.push([source, targetOf(source)]);
    left = left.filter((node) => node !== source);
  }
  return pairs;
}

/** What is found of an address space on a node. */
interface Queue {
  /** Isolated, to be moved. */
  readonly folios: Pfn[];
  /** A folio may be mapped in several places, or in pieces with others between. */
  readonly seen: Set<Pfn>;
  /** Pages that can't be moved. */
  left: number;
}

/** Isolates every folio of an address space that is on `source` (queue_pages_range). */
function isolateNode(manager: MemoryManager, mm: AddressSpace, source: number, moveAll: boolean): Queue {
  const queue: Queue = { folios: [], seen: new Set(), left: 0 };
  for (const { start, end } of mm.vmas) {
    for (let vpn = start; vpn < end; vpn = isPmdMapped(mm.table, vpn) ? (vpn | (PTRS_PER_PTE - 1)) + 1 : vpn + 1) {
      queueEntry(manager, mm.table, vpn, source, moveAll, queue);
    }
  }
  return queue;
}

function queueEntry(
  manager: MemoryManager,
  table: PageTable,
  vpn: number,
  source: number,
  moveAll: boolean,
  queue: Queue,
): void {
  const { page } = manager.memory;
  const entry = entryAt(table, vpn);
  if (!(entry & (PRESENT | MIGRATION))) return;
  const pfn = compoundHead(page, frameAt(table, vpn, entry));
  if (page.nid[pfn] !== source || queue.seen.has(pfn)) return;
  // On its way already, wherever that is: the kernel counts it as one that it could not move.
  if (entry & MIGRATION) {
    queue.left += isPmdMapped(table, vpn) ? PTRS_PER_PTE : 1;
    return;
  }
  queue.seen.add(pfn);
  const canMove = (moveAll || !isMappedShared(manager, pfn)) && folioIsolateLru(page, pfn);
  if (canMove) queue.folios.push(pfn);
  else queue.left += 1 << page.order[pfn];
}

/** The nodes of a set, ascending, each once. */
function checkNodes(name: string, nodes: readonly number[]): number[] {
  if (!Array.isArray(nodes)) throw new ErrnoError('EFAULT', `${name}: must be an array of nodes, got ${show(nodes)}`);
  for (const node of nodes) checkNode(name, node);
  return [...new Set(nodes)].sort((a, b) => a - b);
}

function allowedTargets(mm: AddressSpace, to: number[], isCapable: boolean): number[] {
  const forbidden = to.find((node) => !mm.memsAllowed.includes(node));
  if (forbidden !== undefined && !isCapable) {
    throw new ErrnoError('EPERM', `to: node ${forbidden} is not in the cpuset: CAP_SYS_NICE is needed`);
  }
  const usable = to.filter((node) => mm.memsAllowed.includes(node));
  if (usable.length > 0) return usable;
  throw invalid(
    'to',
    `must have a node of those that exist and are allowed, ${mm.memsAllowed.join(', ')}`,
    to.join(', '),
  );
}
