import { ERRNO } from '../errno.js';
import { moveMovable } from '../mm/movable.js';
import { recording } from '../trace/recording.js';
import { PAGE_SIZE, type Pfn } from '../units.js';
import { copyFolio, copyFolioLeft, copyLeft, copyUnmapped } from './copy.js';
import { errnoOf, failAll, type Migration } from './migration.js';
import { folioMigrateMapping, folioRestoreMapping, hasExpectedRefs, migrateFolioUndo } from './move.js';
import { PhaseSampler, timed, traced } from './phase-clock.js';
import { beginBatch, endBatch } from './phase-slices.js';
import { beforeRetry, isLookDue, needResched, resched, withResched } from './resched.js';
import type { Flow } from './settings.js';
import { abandon, putBack, putBackTheOne, settle } from './settle.js';
import { addMoved, KERNEL } from './stats.js';
import { migrateFolioUnmap } from './unmap.js';
import { afterFailedUnmap, type BatchManner, tryToUnmapFlush, unmapFolios } from './unmap-batch.js';

/** Takes a batch from its first step to its last. */
type RunFlow = (migration: Migration, folios: Uint32Array, manner: BatchManner) => Promise<void>;

const RUN_FLOW: Record<Flow, RunFlow> = {
  serial: migrateSerially,
  vanilla: migrateVanilla,
  'batch-move': migrateBatchMove,
  'pre-copy': migratePreCopy,
};

/**
 * Migrates a batch (migrate_pages_batch). What fails is mapped where it was, and among `failed` with its errno; it stays
 * isolated. What is thrown in the middle is left as the `error` of the migration.
 *
 * @param folios isolated folios; each is taken out, and 0 put there, once a step has dealt with it
 */
export async function migratePagesBatch(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  migration.stats.batches++;
  migration.batch = migration.begun.batches++;
  const { migrator, put } = migration.migrators.get(migration.reason);
  migration.migrator = migrator;
  const forPrivate = migration.migrators.getForPrivate();
  migration.forPrivate = forPrivate?.migrator;
  if (recording) beginBatch(recording, migration, folios.length);
  try {
    await RUN_FLOW[migration.flow](migration, folios, manner);
  } catch (error) {
    migration.error ??= error;
    abandon(migration, folios);
  } finally {
    put();
    forPrivate?.put();
    const { slice, movedBy } = migration;
    if (recording) endBatch(recording, slice, movedBy[1] * PAGE_SIZE, movedBy[3] * PAGE_SIZE);
    countMovedBy(migration);
  }
}

/** Adds what was moved of the batch at hand to what each migrator has moved. */
function countMovedBy({ stats, migrator, forPrivate, movedBy }: Migration): void {
  addMoved(stats.movedBy, KERNEL, movedBy[0], movedBy[1] * PAGE_SIZE);
  // They are one, if both are there.
  const { name } = migrator ?? forPrivate ?? { name: KERNEL };
  addMoved(stats.movedBy, name, movedBy[2], movedBy[3] * PAGE_SIZE);
  movedBy.fill(0);
}

/** `serial`: takes each folio through all steps before the next (unmap_and_move), in passes. */
async function migrateSerially(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  const run = async () => {
    let pending = folios.length;
    for (let pass = 0; pass < manner.passes && pending > 0; pass++) {
      if (pass > 0) await beforeRetry(migration, manner.mode, pending);
      pending = await serialPass(migration, folios.subarray(0, pending), manner);
    }
    failAll(migration, folios, ERRNO.EAGAIN);
  };
  await traced(migration, 'move', run, folios.length);
}

/** `vanilla`: unmaps all, flushes once; then each folio is copied and moved before the next (migrate_folios_move). */
async function migrateVanilla(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  await unmapAndFlush(migration, folios, manner);
  await traced(migration, 'move', () => moveEach(migration, manner));
  await putAllBack(migration);
}

/**
 * `batch-move`: unmaps all, flushes once; then moves all metadata, copies the whole batch, and by itself each folio that
 * this left, and remaps it (migrate_folios_batch_move).
 */
async function migrateBatchMove(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  await unmapAndFlush(migration, folios, manner);
  const { unmapped, slice } = migration;
  for (let pass = 0; pass < manner.passes && unmapped.count > 0 && migration.error === undefined; pass++) {
    if (pass > 0) await beforeRetry(migration, manner.mode, unmapped.count);
    await timed(migration, 'move', () => withResched(slice, unmapped.count, (next) => moveMetadata(migration, next)));
    await timed(migration, 'copy', async () => {
      await copyUnmapped(migration);
      await copyLeft(migration);
    });
    await timed(migration, 'move', () => settleCopied(migration));
  }
  await putAllBack(migration);
}

/**
 * `pre-copy`: unmaps all, flushes once; then copies the whole batch before any folio is moved (migrate_folios_batch_copy),
 * and each move finds its bytes there.
 */
async function migratePreCopy(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  await unmapAndFlush(migration, folios, manner);
  const { unmapped } = migration;
  await timed(migration, 'copy', async () => {
    await withResched(migration.slice, unmapped.count, (next) => checkRefs(migration, next));
    await copyUnmapped(migration);
  });
  for (let i = 0; i < unmapped.count; i++) unmapped.ready[i] = unmapped.errno[i] === 0 ? 1 : 0;
  await traced(migration, 'move', () => moveEach(migration, manner));
  await putAllBack(migration);
}

/** The first steps of all flows but `serial`: after them no CPU reaches what is unmapped. */
async function unmapAndFlush(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  await timed(migration, 'unmap', () => unmapFolios(migration, folios, manner), folios.length);
  await timed(migration, 'flush', () => tryToUnmapFlush(migration));
}

/** Their last step: what is still unmapped could not be moved. */
async function putAllBack(migration: Migration): Promise<void> {
  await timed(migration, 'putBack', () => putBack(migration), migration.movedCount + migration.unmapped.count);
}

/** Copies, unless that is done, and remaps folio by folio, in passes. What it leaves in `unmapped` could not be moved. */
async function moveEach(migration: Migration, { mode, passes }: BatchManner): Promise<void> {
  const { unmapped } = migration;
  for (let pass = 0; pass < passes && unmapped.count > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, mode, unmapped.count);
    await moveEachOnce(migration);
  }
}

async function moveEachOnce(migration: Migration): Promise<void> {
  const { unmapped, manager, mode } = migration;
  const { src, dst, ready, count } = unmapped;
  const { order } = manager.memory.page;
  // What a batch was offered, and its migrator left, is the calling thread's.
  const copy = migration.flow === 'pre-copy' ? copyFolioLeft : copyFolio;
  const sampler = new PhaseSampler(migration);
  let kept = 0;
  for (let i = 0; i < count; i++) {
    let errno = 0;
    const isCopied = ready[i] === 1;
    if (!isCopied) {
      sampler.start(i, src[i] as Pfn);
      const outcome = copyIfAlone(migration, i, copy);
      errno = typeof outcome === 'number' ? outcome : await outcome;
      sampler.lap('copy');
    }
    if (errno === 0) errno = folioMigrateMapping(migration, src[i] as Pfn, dst[i] as Pfn);
    if (errno === 0) errno = moveMovable(manager, src[i] as Pfn, dst[i] as Pfn, mode);
    kept = settle(migration, i, kept, errno);
    if (!isCopied) sampler.lap('move');
    if (needResched(migration.slice, 1 << order[dst[i]])) await sampler.pause();
  }
  unmapped.count = kept;
  sampler.finish();
}

/** Looks from position `next` on who else holds the folios; those that somebody does are not copied. Returns how far it came. */
function checkRefs(migration: Migration, next: number): number {
  const { src, errno, count } = migration.unmapped;
  for (let i = next; i < count; i++) {
    errno[i] = hasExpectedRefs(migration, src[i] as Pfn) ? 0 : ERRNO.EAGAIN;
    if (isLookDue(i) && needResched(migration.slice)) return i + 1;
  }
  return count;
}

/**
 * Gives targets from position `next` on what their folios are to their owners; those that answer an errno are not copied.
 * Returns how far it came.
 */
function moveMetadata(migration: Migration, next: number): number {
  const { src, dst, ready, errno, count } = migration.unmapped;
  for (let i = next; i < count; i++) {
    errno[i] = folioMigrateMapping(migration, src[i] as Pfn, dst[i] as Pfn);
    ready[i] = errno[i] === 0 ? 1 : 0;
    if (isLookDue(i) && needResched(migration.slice)) return i + 1;
  }
  return count;
}

/** Maps what was copied where it went; takes the metadata of all else back. */
async function settleCopied(migration: Migration): Promise<void> {
  const { unmapped, manager, mode } = migration;
  const { src, dst, ready, errno, count } = unmapped;
  const { order } = manager.memory.page;
  let kept = 0;
  for (let i = 0; i < count; i++) {
    if (errno[i] === 0) errno[i] = moveMovable(manager, src[i] as Pfn, dst[i] as Pfn, mode);
    if (ready[i] === 1 && errno[i] !== 0) folioRestoreMapping(migration, src[i] as Pfn, dst[i] as Pfn);
    kept = settle(migration, i, kept, errno[i]);
    if (needResched(migration.slice, 1 << order[dst[i]])) await resched(migration.slice);
  }
  unmapped.count = kept;
}

/** Copies a folio that nobody else holds: whoever does may still write to the old frames. */
function copyIfAlone(migration: Migration, at: number, copy: typeof copyFolio): number | Promise<number> {
  if (migration.error !== undefined) return errnoOf(migration.error);
  return hasExpectedRefs(migration, migration.unmapped.src[at] as Pfn) ? copy(migration, at) : ERRNO.EAGAIN;
}

/**
 * One pass of {@link migrateSerially}. Returns how many folios are to be tried again: they are the first of the list then.
 */
async function serialPass(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<number> {
  const { order } = migration.manager.memory.page;
  const sampler = new PhaseSampler(migration);
  let kept = 0;
  for (let i = 0; i < folios.length; i++) {
    const pfn = folios[i] as Pfn;
    const pages = 1 << order[pfn];
    sampler.start(i, pfn);
    const outcome = migrateFolioUnmap(migration, pfn, manner.mode !== 'MIGRATE_ASYNC');
    let errno = typeof outcome === 'number' ? outcome : await outcome;
    sampler.lap('unmap');
    folios[i] = 0;
    if (errno === 0) {
      const answers = tryToUnmapFlush(migration);
      if (answers) await answers;
      sampler.lap('flush');
      const copied = copyTheOne(migration);
      errno = moveTheOne(migration, typeof copied === 'number' ? copied : await copied, sampler);
      putBackTheOne(migration);
      sampler.lap('putBack');
    } else if (errno !== ERRNO.EAGAIN) {
      afterFailedUnmap(migration, pfn, errno, manner);
    }
    if (errno === ERRNO.EAGAIN) folios[kept++] = pfn;
    if (migration.isOutOfMemory) {
      failAll(migration, folios, ERRNO.ENOMEM);
      kept = 0;
      break;
    }
    if (needResched(migration.slice, pages) || sampler.isLong) await sampler.pause();
  }
  sampler.finish();
  return kept;
}

/** Copies the one folio that is unmapped. Returns 0, or an errno; nothing to copy, for its flush failed, is EAGAIN. */
function copyTheOne(migration: Migration): number | Promise<number> {
  return migration.unmapped.count === 0 ? ERRNO.EAGAIN : copyIfAlone(migration, 0, copyFolio);
}

/**
 * Ends the turn of the one folio that is unmapped, whose copy answered `copied`.
 *
 * @returns 0 if that is all, or EAGAIN if it is mapped where it was, to be tried again from the start
 */
function moveTheOne(migration: Migration, copied: number, sampler: PhaseSampler): number {
  sampler.lap('copy');
  const { unmapped } = migration;
  if (unmapped.count === 0) return 0;
  const src = unmapped.src[0] as Pfn;
  const dst = unmapped.dst[0] as Pfn;
  let errno = copied === 0 ? folioMigrateMapping(migration, src, dst) : copied;
  if (errno === 0) errno = moveMovable(migration.manager, src, dst, migration.mode);
  if (errno === ERRNO.EAGAIN) {
    migrateFolioUndo(migration, src, dst);
  } else {
    settle(migration, 0, 0, errno);
  }
  unmapped.count = 0;
  sampler.lap('move');
  return errno === ERRNO.EAGAIN ? errno : 0;
}
