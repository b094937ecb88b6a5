import { ERRNO } from '../errno.js';
import { HPAGE_PMD_ORDER, type Pfn } from '../units.js';
import { copyOnly, MOVE_FOLIOS, migrateFoliosUndo, settleOnly } from './flows.js';
import { fail, type Migration } from './migration.js';
import type { MigrateMode } from './modes.js';
import { migrateFolioDone } from './move.js';
import { beforeRetry, PhaseSampler, timed, traced } from './phase.js';
import { trySplitFolio } from './split.js';
import { countSucceeded } from './stats.js';
import { FREED, migrateFolioUnmap } from './unmap.js';

/** How a batch is to be migrated. */
export interface BatchManner {
  readonly mode: MigrateMode;
  /** How often a folio that answers EAGAIN is tried, in each of the two steps. */
  readonly passes: number;
  /** Where the folios go that a large one was split into; `undefined`: don't split. */
  readonly split: Pfn[] | undefined;
}

/**
 * Migrates a batch (migrate_pages_batch): unmaps all, flushes once, moves all. What fails is mapped where it was, and among
 * `failed` with its errno; it stays isolated.
 *
 * @param folios isolated folios; the array is used up
 */
export async function migratePagesBatch(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  migration.stats.batches++;
  migration.batch = migration.begun.batches++;
  if (migration.flow === 'serial') {
    await traced(migration, 'move', () => migrateSerially(migration, folios, manner), folios.length);
    return;
  }
  await timed(migration, 'unmap', () => unmapFolios(migration, folios, manner), folios.length);
  await timed(migration, 'flush', () => tryToUnmapFlush(migration));
  await MOVE_FOLIOS[migration.flow](migration, manner.mode, manner.passes);
  await timed(migration, 'putBack', () => putBack(migration), migration.movedCount + migration.unmapped.count);
}

/** Unmaps the folios of a batch, in passes. */
async function unmapFolios(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  const waits = manner.mode !== 'MIGRATE_ASYNC';
  let pending = folios.length;
  for (let pass = 0; pass < manner.passes && pending > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, manner.mode, pending);
    let kept = 0;
    for (let i = 0; i < pending; i++) {
      const pfn = folios[i] as Pfn;
      const outcome = migrateFolioUnmap(migration, pfn, waits);
      const errno = typeof outcome === 'number' ? outcome : await outcome;
      if (errno === ERRNO.EAGAIN) folios[kept++] = pfn;
      else if (errno !== 0) afterFailedUnmap(migration, pfn, errno, manner);
      if (migration.isOutOfMemory) return leaveRest(migration, folios, kept, i + 1, pending);
    }
    pending = kept;
  }
  failAll(migration, folios.subarray(0, pending), ERRNO.EAGAIN);
}

/** Takes each folio through all steps before the next (unmap_and_move), in passes. */
async function migrateSerially(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  let pending = folios.length;
  for (let pass = 0; pass < manner.passes && pending > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, manner.mode, pending);
    pending = await migrateSeriallyOnce(migration, folios.subarray(0, pending), manner);
  }
  failAll(migration, folios.subarray(0, pending), ERRNO.EAGAIN);
}

/** One pass of {@link migrateSerially}. Returns how many folios are to be tried again: they are the first of the list then. */
async function migrateSeriallyOnce(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<number> {
  const sampler = new PhaseSampler(migration);
  let kept = 0;
  for (let i = 0; i < folios.length; i++) {
    const pfn = folios[i] as Pfn;
    sampler.start(i, pfn);
    const outcome = migrateFolioUnmap(migration, pfn, manner.mode !== 'MIGRATE_ASYNC');
    let errno = typeof outcome === 'number' ? outcome : await outcome;
    sampler.lap('unmap');
    if (errno === 0) {
      const answers = tryToUnmapFlush(migration);
      if (answers) await answers;
      sampler.lap('flush');
      const copied = copyOnly(migration);
      errno = settleOnly(migration, typeof copied === 'number' ? copied : await copied, sampler);
      putBack(migration);
      sampler.lap('putBack');
    } else if (errno !== ERRNO.EAGAIN) {
      afterFailedUnmap(migration, pfn, errno, manner);
    }
    if (errno === ERRNO.EAGAIN) folios[kept++] = pfn;
    if (migration.isOutOfMemory) {
      leaveRest(migration, folios, kept, i + 1, folios.length);
      return 0;
    }
    if (sampler.isLong) await sampler.pause();
  }
  sampler.finish();
  return kept;
}

/** Deals with a folio that could not be unmapped, for another reason than EAGAIN. */
function afterFailedUnmap(migration: Migration, pfn: Pfn, errno: number, { split }: BatchManner): void {
  const { manager, stats } = migration;
  const order = manager.memory.page.order[pfn];
  if (errno === FREED) {
    // To the kernel a success.
    countSucceeded(stats, order);
    migrateFolioDone(migration, pfn);
    return;
  }
  if (errno === ERRNO.ENOMEM && order > 0 && split && trySplitFolio(migration, pfn)) {
    if (order >= HPAGE_PMD_ORDER) stats.thpSplit++;
    for (let i = 0; i < 1 << order; i++) split.push((pfn + i) as Pfn);
    return;
  }
  fail(migration, pfn, errno);
  if (errno === ERRNO.ENOMEM) migration.isOutOfMemory = true;
}

/** Leaves what was kept for another pass and what was not tried: as the kernel does, once the target has no memory. */
function leaveRest(migration: Migration, folios: Uint32Array, kept: number, next: number, end: number): void {
  failAll(migration, folios.subarray(0, kept), ERRNO.ENOMEM);
  failAll(migration, folios.subarray(next, end), ERRNO.ENOMEM);
}

/** Flushes what was unmapped (try_to_unmap_flush); if a CPU doesn't answer, maps it where it was, and ends the call. */
function tryToUnmapFlush(migration: Migration): Promise<void> | undefined {
  const answers = migration.manager.tlb.flush(migration.flush);
  return answers && undoUnanswered(migration, answers);
}

async function undoUnanswered(migration: Migration, answers: Promise<void>): Promise<void> {
  try {
    await answers;
  } catch (error) {
    migration.error = error;
    migrateFoliosUndo(migration, ERRNO.ETIMEDOUT);
  }
}

/** Frees the old frames of what was moved, and maps what was not where it was. */
function putBack(migration: Migration): undefined {
  const { moved } = migration;
  for (let i = 0; i < migration.movedCount; i++) migrateFolioDone(migration, moved[i] as Pfn);
  migration.movedCount = 0;
  migrateFoliosUndo(migration, ERRNO.EAGAIN);
}

function failAll(migration: Migration, folios: Uint32Array, errno: number): void {
  for (const pfn of folios) fail(migration, pfn, errno);
}
