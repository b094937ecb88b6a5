import { anything, type Checks, wholeNumber } from '../check.js';
import { createCpuAccount, during } from '../copy/cpu-account.js';
import { PTRS_PER_PTE, VPN_LIMIT } from '../cpu/page-table.js';
import { MIGRATION, PRESENT, TABLE } from '../cpu/pte.js';
import { ErrnoError, invalid, show } from '../errno.js';
import { compoundHead } from '../memory/page-metadata.js';
import { migratePages as migrateFolios } from '../migrate/migrate-pages.js';
import type { MigrateManner } from '../migrate/migration.js';
import { timedAlone } from '../migrate/phase-clock.js';
import { createSlice, needResched, type Slice, withResched } from '../migrate/resched.js';
import { addStats, createMigrateStats, type MigrateStats } from '../migrate/stats.js';
import type { AddressSpace } from '../mm/address-space.js';
import type { MemoryManager } from '../mm/manager.js';
import { entryAt, frameAt, isPmdMapped } from '../mm/page-entries.js';
import { isMappedShared } from '../mm/rmap.js';
import { HPAGE_PMD_ORDER, type NodeId, PAGE_SIZE, type Pfn } from '../units.js';
import { CREDENTIALS, type Credentials, checkTarget, hasCapSysNice } from './credentials.js';
import { createIsolation, type Isolation, isolate, isolatedFor, putbackIsolated, takeIsolated } from './isolation.js';

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
  const targets = allowedTargets(manager, mm, asked, isCapable);
  const stats = createMigrateStats();
  let notMigrated = 0;
  for (const [source, target] of nodePairs(sources, targets)) {
    notMigrated += await migrateToNode(manager, mm, source, target as NodeId, isCapable, manner, stats);
  }
  return { notMigrated, stats };
}

/** Moves all pages of an address space from one node to another (migrate_to_node). Returns how many could not be. */
async function migrateToNode(
  manager: MemoryManager,
  mm: AddressSpace,
  source: number,
  target: NodeId,
  moveAll: boolean,
  manner: MigrateManner,
  sum: MigrateStats,
): Promise<number> {
  const node = manager.memory.nodes[source];
  if (!node) return 0;
  const isolation = createIsolation(node.endPfn - node.startPfn);
  const queue: QueuePages = { mm, source, target, moveAll, isolation, stuck: new Set(), left: 0 };
  try {
    await queuePagesRange(manager, queue, sum);
    if (isolation.count === 0) return queue.left;
    const before = sum.succeeded * PAGE_SIZE;
    const { stats } = await migrateFolios(manager, takeIsolated(isolation, target), { ...manner, target }, before);
    addStats(sum, stats);
    return queue.left + stats.failed;
  } finally {
    putbackIsolated(isolation, manager.memory);
  }
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

/** What is found of an address space on a node (struct queue_pages). */
interface QueuePages {
  readonly mm: AddressSpace;
  readonly source: number;
  readonly target: NodeId;
  readonly moveAll: boolean;
  readonly isolation: Isolation;
  /** Folios that can't be moved: one may be mapped in several places. */
  readonly stuck: Set<Pfn>;
  /** Pages that can't be moved. */
  left: number;
}

/**
 * Isolates every folio of an address space that is on a node (queue_pages_range), with turns of the event loop between: each
 * goes on at the page that the last one came to, with whatever is mapped there then.
 */
async function queuePagesRange(manager: MemoryManager, queue: QueuePages, stats: MigrateStats): Promise<void> {
  const account = createCpuAccount();
  const slice = createSlice(account);
  await timedAlone(stats.phasesNs, 'isolate', slice, () =>
    during(account, () => withResched(slice, VPN_LIMIT, (next) => queuePages(manager, queue, next, slice))),
  );
  stats.cpuNs.caller += Math.round(account.ns);
}

/** Isolates from page `next` on, until the event loop is to have a turn. Returns how far it came. */
function queuePages(manager: MemoryManager, queue: QueuePages, next: number, slice: Slice): number {
  const { mm } = queue;
  const { pmds } = mm.table;
  for (let at = mm.firstVmaAfter(next); at < mm.vmas.length; at++) {
    const { start, end } = mm.vmas[at];
    for (let vpn = Math.max(start, next); vpn < end; ) {
      if (needResched(slice, 1)) return vpn;
      const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
      if (pmd !== 0) queueEntry(manager, queue, vpn);
      vpn = pmd === TABLE ? vpn + 1 : (vpn | (PTRS_PER_PTE - 1)) + 1;
    }
  }
  return VPN_LIMIT;
}

function queueEntry(manager: MemoryManager, queue: QueuePages, vpn: number): void {
  const { mm, source, target, moveAll, isolation, stuck } = queue;
  const { page } = manager.memory;
  const entry = entryAt(mm.table, vpn);
  if (!(entry & (PRESENT | MIGRATION))) return;
  const pfn = compoundHead(page, frameAt(mm.table, vpn, entry));
  if (page.nid[pfn] !== source || isolatedFor(isolation, page, pfn) >= 0 || stuck.has(pfn)) return;
  // On its way already, wherever that is: the kernel counts it as one that it could not move.
  if (entry & MIGRATION) {
    queue.left += isPmdMapped(mm.table, vpn) ? PTRS_PER_PTE : 1;
    return;
  }
  if ((moveAll || !isMappedShared(manager, pfn)) && isolate(isolation, page, pfn, target)) return;
  stuck.add(pfn);
  queue.left += 1 << page.order[pfn];
}

/** The nodes of a set, ascending, each once. */
function checkNodes(name: string, nodes: readonly number[]): number[] {
  if (!Array.isArray(nodes)) throw new ErrnoError('EFAULT', `${name}: must be an array of nodes, got ${show(nodes)}`);
  for (const node of nodes) checkNode(name, node);
  return [...new Set(nodes)].sort((a, b) => a - b);
}

/**
 * The nodes to move to. Without CAP_SYS_NICE all must be in the address space's cpuset; then those count that are in the
 * caller's, which here has every node there is.
 */
function allowedTargets({ memory }: MemoryManager, mm: AddressSpace, to: number[], isCapable: boolean): number[] {
  const forbidden = to.find((node) => !mm.memsAllowed.includes(node));
  if (forbidden !== undefined && !isCapable) {
    throw new ErrnoError('EPERM', `to: node ${forbidden} is not in the cpuset: CAP_SYS_NICE is needed`);
  }
  const { length } = memory.nodes;
  const usable = to.filter((node) => node < length);
  if (usable.length > 0) return usable;
  throw invalid('to', `must have a node that exists, from 0 to ${length - 1}`, to.join(', '));
}
