import { ERRNO } from '../errno.js';
import type { Pfn } from '../units.js';
import { copyFolio, copyUnmapped } from './copy.js';
import { errnoOf, fail, type Migration } from './migration.js';
import type { Flow, MigrateMode } from './modes.js';
import {
  folioMigrateMapping,
  folioRestoreMapping,
  hasExpectedRefs,
  migrateFolioUndoDst,
  migrateFolioUndoSrc,
  remapFolio,
} from './move.js';
import { beforeRetry, PhaseSampler, timed, traced } from './phase.js';

/** Moves what a batch has unmapped and flushed. What it leaves in `unmapped` could not be moved in so many passes. */
type MoveFolios = (migration: Migration, mode: MigrateMode, passes: number) => Promise<void> | undefined;

/** How each flow moves what is unmapped; to the serial one every folio is a batch. */
export const MOVE_FOLIOS: Record<Flow, MoveFolios> = {
  serial: moveEach,
  vanilla: (...args) => traced(args[0], 'move', () => moveEach(...args)),
  'batch-move': moveTogether,
  'pre-copy': copyThenMoveEach,
};

/** Copies, unless that is done, and remaps folio by folio (migrate_folios_move). */
async function moveEach(migration: Migration, mode: MigrateMode, passes: number): Promise<void> {
  const { unmapped } = migration;
  for (let pass = 0; pass < passes && unmapped.count > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, mode, unmapped.count);
    await moveEachOnce(migration);
  }
}

async function moveEachOnce(migration: Migration): Promise<void> {
  const { unmapped } = migration;
  const { src, dst, ready, count } = unmapped;
  const sampler = new PhaseSampler(migration);
  unmapped.count = 0;
  for (let i = 0; i < count; i++) {
    let errno = 0;
    const isCopied = ready[i] === 1;
    if (!isCopied) {
      sampler.start(i, src[i] as Pfn);
      const outcome = copyIfAlone(migration, src[i] as Pfn, dst[i] as Pfn);
      errno = typeof outcome === 'number' ? outcome : await outcome;
      sampler.lap('copy');
    }
    if (errno === 0) errno = folioMigrateMapping(migration, src[i] as Pfn, dst[i] as Pfn);
    settle(migration, src[i] as Pfn, dst[i] as Pfn, errno);
    if (isCopied) continue;
    sampler.lap('move');
    if (sampler.isLong) await sampler.pause();
  }
  sampler.finish();
}

/** Copies the whole batch before any folio is moved (migrate_folios_batch_copy); then each move finds its bytes there. */
async function copyThenMoveEach(migration: Migration, mode: MigrateMode, passes: number): Promise<void> {
  const { unmapped } = migration;
  await timed(migration, 'copy', () => {
    for (let i = 0; i < unmapped.count; i++) {
      unmapped.errno[i] = hasExpectedRefs(migration, unmapped.src[i] as Pfn) ? 0 : ERRNO.EAGAIN;
    }
    return copyUnmapped(migration);
  });
  for (let i = 0; i < unmapped.count; i++) unmapped.ready[i] = unmapped.errno[i] === 0 ? 1 : 0;
  await traced(migration, 'move', () => moveEach(migration, mode, passes));
}

/** Moves all metadata, then copies the whole batch, then remaps it (migrate_folios_batch_move). */
async function moveTogether(migration: Migration, mode: MigrateMode, passes: number): Promise<void> {
  const { unmapped } = migration;
  const { src, dst, ready, errno } = unmapped;
  for (let pass = 0; pass < passes && unmapped.count > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, mode, unmapped.count);
    await timed(migration, 'move', () => {
      for (let i = 0; i < unmapped.count; i++) {
        errno[i] = folioMigrateMapping(migration, src[i] as Pfn, dst[i] as Pfn);
        ready[i] = errno[i] === 0 ? 1 : 0;
      }
      return undefined;
    });
    await timed(migration, 'copy', () => copyUnmapped(migration));
    await timed(migration, 'move', () => {
      const { count } = unmapped;
      unmapped.count = 0;
      for (let i = 0; i < count; i++) {
        if (ready[i] === 1 && errno[i] !== 0) folioRestoreMapping(migration, src[i] as Pfn, dst[i] as Pfn);
        settle(migration, src[i] as Pfn, dst[i] as Pfn, errno[i]);
      }
      return undefined;
    });
  }
}

/** Copies a folio that nobody else holds: whoever does may still write to the old frames. */
function copyIfAlone(migration: Migration, src: Pfn, dst: Pfn): number | Promise<number> {
  if (migration.error !== undefined) return errnoOf(migration.error);
  return hasExpectedRefs(migration, src) ? copyFolio(migration, src, dst) : ERRNO.EAGAIN;
}

/** Ends a folio's turn: maps it where it went, or keeps it for another pass, or maps it where it was. */
function settle(migration: Migration, src: Pfn, dst: Pfn, errno: number): void {
  if (errno === 0) {
    remapFolio(migration, src, dst);
    migration.moved[migration.movedCount++] = src;
  } else {
    keepOrUndo(migration, src, dst, errno);
  }
}

function keepOrUndo(migration: Migration, src: Pfn, dst: Pfn, errno: number): void {
  if (errno !== ERRNO.EAGAIN) {
    undo(migration, src, dst, errno);
    return;
  }
  const { unmapped } = migration;
  const at = unmapped.count++;
  unmapped.src[at] = src;
  unmapped.dst[at] = dst;
  unmapped.ready[at] = 0;
}

/** Copies the one folio that is unmapped. Returns 0, or an errno; nothing to copy, for its flush failed, is EAGAIN. */
export function copyOnly(migration: Migration): number | Promise<number> {
  const { src, dst, count } = migration.unmapped;
  return count === 0 ? ERRNO.EAGAIN : copyIfAlone(migration, src[0] as Pfn, dst[0] as Pfn);
}

/**
 * Ends the turn of the one folio that is unmapped, whose copy answered `copied`.
 *
 * @returns 0 if that is all, or EAGAIN if it is mapped where it was, to be tried again from the start
 */
export function settleOnly(migration: Migration, copied: number, sampler: PhaseSampler): number {
  sampler.lap('copy');
  const { unmapped } = migration;
  if (unmapped.count === 0) return 0;
  const src = unmapped.src[0] as Pfn;
  const dst = unmapped.dst[0] as Pfn;
  unmapped.count = 0;
  const errno = copied === 0 ? folioMigrateMapping(migration, src, dst) : copied;
  if (errno === ERRNO.EAGAIN) {
    migrateFolioUndoSrc(migration, src);
    migrateFolioUndoDst(migration, dst);
  } else {
    settle(migration, src, dst, errno);
  }
  sampler.lap('move');
  return errno === ERRNO.EAGAIN ? errno : 0;
}

function undo(migration: Migration, src: Pfn, dst: Pfn, errno: number): void {
  migrateFolioUndoSrc(migration, src);
  migrateFolioUndoDst(migration, dst);
  fail(migration, src, errno);
}

/** Maps everything that is still unmapped where it was (migrate_folios_undo); it has failed with `errno`. */
export function migrateFoliosUndo(migration: Migration, errno: number): void {
  const { unmapped } = migration;
  for (let i = 0; i < unmapped.count; i++) undo(migration, unmapped.src[i] as Pfn, unmapped.dst[i] as Pfn, errno);
  unmapped.count = 0;
}
