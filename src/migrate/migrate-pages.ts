import { awaiting, type CpuAccount, createCpuAccount, during } from '../copy/cpu-account.js';
import { cachedBytes } from '../copy/streaming.js';
import { ERRNO } from '../errno.js';
import { folioPutbackLru } from '../mm/lru.js';
import type { MemoryManager } from '../mm/manager.js';
import { isMovable, putbackMovable } from '../mm/movable.js';
import { HPAGE_PMD_ORDER, PAGE_SIZE, type Pfn } from '../units.js';
import type { Stores } from '../words.js';
import { migratePagesBatch } from './flows.js';
import { createMigration, errnoOf, fail, type MigrateOptions, type Migration } from './migration.js';
import { timedAlone } from './phase-clock.js';
import { freeLanes, takeLanes } from './phase-slices.js';
import { createSlice, isLookDue, needResched, resched } from './resched.js';
import { addStats, addUsage, createMigrateStats, type MigrateStats, roundTimes } from './stats.js';
import { createStepClock, type StepClock } from './step-clock.js';

/** Passes of a migration that never waits (NR_MAX_MIGRATE_PAGES_RETRY). */
const NR_MAX_MIGRATE_PAGES_RETRY = 10;
/** Passes over the whole batch, without waiting, of one that may wait (NR_MAX_MIGRATE_ASYNC_RETRY). */
const NR_MAX_MIGRATE_ASYNC_RETRY = 3;
/** Passes over each folio that is then left (NR_MAX_MIGRATE_SYNC_RETRY). */
const NR_MAX_MIGRATE_SYNC_RETRY = NR_MAX_MIGRATE_PAGES_RETRY - NR_MAX_MIGRATE_ASYNC_RETRY;

/** What became of a list of folios. */
export interface MigrateResult {
  readonly stats: MigrateStats;
  /** The folios that were not migrated, and stay where they were, back on the LRU; of one that was split, its pages. */
  readonly failed: readonly Pfn[];
  /** Why, for each: EAGAIN (held or locked by others), EBUSY (written back), ENOMEM, EHWPOISON, EIO. */
  readonly failedErrno: readonly number[];
}

/** What the parts of a call come to together. */
interface Sum extends MigrateResult {
  failed: Pfn[];
  failedErrno: number[];
  /** What is thrown at the end. */
  error: unknown;
}

/**
 * Migrates folios to another node (migrate_pages): in batches, with retries, splitting large folios for which the target
 * has no room. User programs go on meanwhile; no store of theirs is lost.
 *
 * @param folios heads of isolated folios, whose references the call takes over: each was freed or is back on the LRU at its
 * end, whatever is thrown. The array is used up.
 * @param movedBefore bytes that the same system call has moved before these
 * @throws UnresponsiveCpuError if a CPU doesn't answer a TLB flush: what was migrated before stays so, all else is back.
 * Whatever a migrator throws, likewise.
 */
export async function migratePages(
  manager: MemoryManager,
  folios: Uint32Array,
  options: MigrateOptions,
  movedBefore = 0,
): Promise<MigrateResult> {
  const stores = storesFor(manager, folios, options.stores, movedBefore);
  const interrupts = manager.interruptsReceived();
  const queue: Queue = { folios, next: 0, isOver: false };
  const sum: Sum = { stats: createMigrateStats(), failed: [], failedErrno: [], error: undefined };
  const account = createCpuAccount();
  const steps = createStepClock();
  await during(account, async () => {
    try {
      await migrateInLanes(manager, { ...options, stores }, queue, sum, account, steps);
    } catch (error) {
      sum.error ??= error;
    } finally {
      await putbackMovablePages(manager, sum, folios.subarray(queue.next), account);
    }
  });
  sum.stats.interrupts = manager.interruptsReceived() - interrupts;
  // What a migrator says of its submission may be more than all of this.
  sum.stats.cpuNs.caller += Math.max(0, account.ns);
  roundTimes(sum.stats);
  steps?.publish();
  count(manager, sum);
  if (sum.error !== undefined) throw sum.error;
  return sum;
}

/**
 * What is to become of the bytes that folios are copied to: by all of them, and what went before, for how they are cut into
 * batches and folios says nothing of what they do to the caches.
 */
function storesFor(
  { memory }: MemoryManager,
  folios: Uint32Array,
  asked: Stores,
  movedBefore: number,
): Migration['stores'] {
  const { order } = memory.page;
  const most = cachedBytes(asked);
  let bytes = movedBefore;
  for (let i = 0; i < folios.length && bytes <= most; i++) bytes += PAGE_SIZE << order[folios[i]];
  return bytes > most ? 'streaming' : 'cached';
}

/** Migrates the queue with as many batches in flight as are asked for, and adds up what they did. */
async function migrateInLanes(
  manager: MemoryManager,
  options: Parameters<typeof createMigration>[1],
  queue: Queue,
  sum: Sum,
  account: CpuAccount,
  steps: StepClock | undefined,
): Promise<void> {
  const begun = { batches: 0 };
  const lanes = Array.from({ length: options.batchesInFlight }, () =>
    createMigration(manager, options, begun, account, steps),
  );
  takeLanes(lanes);
  // All of them, also if one throws: what another has under way is not yet anybody else's.
  const outcomes = await awaiting(account, () =>
    Promise.allSettled(lanes.map((lane) => during(account, () => migrateQueue(lane, queue)))),
  );
  freeLanes(lanes);
  for (const [i, lane] of lanes.entries()) {
    join(sum, lane);
    const outcome = outcomes[i];
    if (outcome?.status === 'rejected') sum.error ??= outcome.reason;
  }
}

/** The folios of a call, of which those from `next` on belong to no batch yet. */
interface Queue {
  readonly folios: Uint32Array;
  next: number;
  /** Whether no more are to be tried: the target is full, or a CPU or the migrator failed. */
  isOver: boolean;
}

/** Migrates one batch of the queue after the other, beside whoever else does. */
async function migrateQueue(migration: Migration, queue: Queue): Promise<void> {
  const { folios } = queue;
  while (queue.next < folios.length && !queue.isOver) {
    const first = queue.next;
    queue.next = endOfBatch(migration, folios, first);
    await migrateOneBatch(migration, folios.subarray(first, queue.next));
    queue.isOver ||= migration.isOutOfMemory || migration.error !== undefined;
    if (needResched(migration.slice)) await resched(migration.slice);
  }
}

/** Adds what a part of the call did. */
function join(sum: Sum, { stats, failed, failedErrno, error, offer }: Migration): void {
  addStats(sum.stats, stats);
  addUsage(sum.stats, offer.usage);
  // As arguments of push() so many would not fit on the stack.
  sum.failed = sum.failed.concat(failed);
  sum.failedErrno = sum.failedErrno.concat(failedErrno);
  sum.error ??= error;
}

/** Where the batch ends that starts at `first`: with the folio that reaches the limit. */
function endOfBatch({ manager, batchLimit, batchUnit }: Migration, folios: Uint32Array, first: number): number {
  if (batchUnit === 'folios') return Math.min(first + batchLimit, folios.length);
  const { order } = manager.memory.page;
  let end = first;
  for (let pages = 0; end < folios.length && pages < batchLimit; end++) pages += 1 << order[folios[end]];
  return end;
}

async function migrateOneBatch(migration: Migration, folios: Uint32Array): Promise<void> {
  // A page fault would wait for the pages of a whole huge page (nosplit): who only wants it nearer can do without.
  const split: Pfn[] | undefined = migration.reason === 'numa_misplaced' ? undefined : [];
  if (migration.mode === 'MIGRATE_ASYNC') {
    await migratePagesBatch(migration, folios, { mode: migration.mode, passes: NR_MAX_MIGRATE_PAGES_RETRY, split });
  } else {
    await migratePagesSync(migration, folios, split);
  }
  if (!split || split.length === 0) return;
  // One pass: there was no memory a moment ago.
  const manner = { mode: 'MIGRATE_ASYNC', passes: 1, split: undefined } as const;
  let done = 0;
  for (; done < split.length && !migration.isOutOfMemory; done += migration.batchLimit) {
    await migratePagesBatch(migration, Uint32Array.from(split.slice(done, done + migration.batchLimit)), manner);
  }
  // Unlike the kernel, which would go on splitting folio after folio, the call ends with the first page without room.
  for (; done < split.length; done++) fail(migration, split[done], ERRNO.ENOMEM);
}

/** First the whole batch without waiting; then what is left, folio by folio, which may wait (migrate_pages_sync). */
async function migratePagesSync(migration: Migration, folios: Uint32Array, split: Pfn[] | undefined): Promise<void> {
  const { failed, failedErrno, mode } = migration;
  const before = failed.length;
  const together = { mode: 'MIGRATE_ASYNC', passes: NR_MAX_MIGRATE_ASYNC_RETRY, split } as const;
  await migratePagesBatch(migration, folios, together);
  if (migration.isOutOfMemory || migration.error !== undefined) return;
  const left = failed.splice(before);
  failedErrno.length = before;
  for (const [at, pfn] of left.entries()) {
    await migratePagesBatch(migration, Uint32Array.of(pfn), { mode, passes: NR_MAX_MIGRATE_SYNC_RETRY, split });
    if (!migration.isOutOfMemory) continue;
    for (const rest of left.slice(at + 1)) fail(migration, rest, ERRNO.ENOMEM);
    return;
  }
}

/** Puts what was not migrated back on the LRU (putback_movable_pages), `untried`, which was in no batch, too. */
async function putbackMovablePages(
  manager: MemoryManager,
  sum: Sum,
  untried: Uint32Array,
  account: CpuAccount,
): Promise<void> {
  const { failed, failedErrno, stats } = sum;
  const slice = createSlice(account);
  await timedAlone(stats.phasesNs, 'putBack', slice, async () => {
    const errno = sum.error === undefined ? ERRNO.ENOMEM : errnoOf(sum.error);
    for (let i = 0; i < untried.length; i++) {
      failed.push(untried[i] as Pfn);
      failedErrno.push(errno);
      if (isLookDue(i) && needResched(slice)) await resched(slice);
    }
    for (let i = 0; i < failed.length; i++) {
      putbackOne(manager, sum, failed[i]);
      if (isLookDue(i) && needResched(slice)) await resched(slice);
    }
  });
}

function putbackOne(manager: MemoryManager, sum: Sum, pfn: Pfn): void {
  const { memory } = manager;
  const order = memory.page.order[pfn];
  sum.stats.failed += 1 << order;
  if (order >= HPAGE_PMD_ORDER) sum.stats.thpFailed++;
  try {
    if (isMovable(manager, pfn)) putbackMovable(manager, pfn);
    else folioPutbackLru(memory, pfn);
  } catch (error) {
    // An owner's, or somebody has dropped a reference too many: that keeps no other folio from going back.
    sum.error ??= error;
  }
}

function count({ vmstat }: MemoryManager, { stats }: Sum): void {
  stats.thpFailed += stats.thpSplit;
  vmstat.pgmigrate_success += stats.succeeded;
  vmstat.pgmigrate_fail += stats.failed;
  vmstat.thp_migration_success += stats.thpSucceeded;
  vmstat.thp_migration_fail += stats.thpFailed;
  vmstat.thp_migration_split += stats.thpSplit;
}
