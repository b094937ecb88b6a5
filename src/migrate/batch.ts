import { ERRNO } from '../errno.js';
import { HPAGE_PMD_ORDER, type Pfn } from '../units.js';
import { copyIfAlone, MOVE_FOLIOS, migrateFoliosUndo, settleOnly, takeBack } from './flows.js';
import { fail, type Migration } from './migration.js';
import type { MigrateMode } from './modes.js';
import { migrateFolioDone } from './move.js';
import { beforeRetry, lap, needResched, resched, timed, traced } from './phase.js';
import { trySplitFolio } from './split.js';
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
  if (migration.flow === 'serial') {
    await traced(migration, 'move', () => migrateSerially(migration, folios, manner));
    return;
  }
  await timed(migration, 'unmap', () => unmapFolios(migration, folios, manner));
  await timed(migration, 'flush', () => tryToUnmapFlush(migration));
  await MOVE_FOLIOS[migration.flow](migration, manner.mode, manner.passes);
  await timed(migration, 'putBack', () => putBack(migration));
}

/** Unmaps the folios of a batch, in passes. */
async function unmapFolios(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  let pending = folios.length;
  for (let pass = 0; pass < manner.passes && pending > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, manner.mode, pending);
    let kept = 0;
    for (let i = 0; i < pending; i++) {
      const pfn = folios[i] as Pfn;
      const outcome = migrateFolioUnmap(migration, pfn, manner.mode !== 'MIGRATE_ASYNC');
      const errno = typeof outcome === 'number' ? outcome : await outcome;
      if (errno === 0) continue;
      if (errno === ERRNO.EAGAIN) {
        folios[kept++] = pfn;
      } else if (!afterFailedUnmap(migration, pfn, errno, manner)) {
        // As the kernel does, it moves what it has and leaves the rest of the call.
        failAll(migration, folios.subarray(i + 1, pending), ERRNO.ENOMEM);
        failAll(migration, folios.subarray(0, kept), ERRNO.ENOMEM);
        return;
      }
    }
    pending = kept;
  }
  failAll(migration, folios.subarray(0, pending), ERRNO.EAGAIN);
}

/** Takes each folio through all steps before the next (unmap_and_move), in passes. */
async function migrateSerially(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  const { phasesNs } = migration.stats;
  let pending = folios.length;
  for (let pass = 0; pass < manner.passes && pending > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, manner.mode, pending);
    let kept = 0;
    for (let i = 0; i < pending; i++) {
      const pfn = folios[i] as Pfn;
      let before = performance.now();
      const outcome = migrateFolioUnmap(migration, pfn, manner.mode !== 'MIGRATE_ASYNC');
      let errno = typeof outcome === 'number' ? outcome : await outcome;
      before = lap(phasesNs, 'unmap', before);
      if (errno === 0) {
        const answers = tryToUnmapFlush(migration);
        if (answers) await answers;
        before = lap(phasesNs, 'flush', before);
        if (migration.unmapped.count === 0) continue;
        const copied = copyIfAlone(migration, pfn, migration.unmapped.dst[0] as Pfn);
        errno = typeof copied === 'number' ? copied : await copied;
        before = lap(phasesNs, 'copy', before);
        settleOnly(migration, errno);
        before = lap(phasesNs, 'move', before);
        if (migration.unmapped.count > 0) {
          takeBack(migration);
          folios[kept++] = pfn;
        }
        putBack(migration);
        before = lap(phasesNs, 'putBack', before);
      } else if (errno === ERRNO.EAGAIN) {
        folios[kept++] = pfn;
      } else if (!afterFailedUnmap(migration, pfn, errno, manner)) {
        failAll(migration, folios.subarray(i + 1, pending), ERRNO.ENOMEM);
        failAll(migration, folios.subarray(0, kept), ERRNO.ENOMEM);
        return;
      }
      if (needResched(migration, before)) await resched(migration);
    }
    pending = kept;
  }
  failAll(migration, folios.subarray(0, pending), ERRNO.EAGAIN);
}

/**
 * Deals with a folio that could not be unmapped.
 *
 * @returns false if the target has no memory for it, and so for nothing: then nothing else is to be tried
 */
function afterFailedUnmap(migration: Migration, pfn: Pfn, errno: number, { split }: BatchManner): boolean {
  const { manager, stats } = migration;
  const { page } = manager.memory;
  if (errno === FREED) {
    manager.memory.putFolio(pfn);
    return true;
  }
  const order = page.order[pfn] as number;
  if (errno === ERRNO.ENOMEM && order > 0 && split && trySplitFolio(migration, pfn)) {
    if (order >= HPAGE_PMD_ORDER) stats.thpSplit++;
    for (let i = 0; i < 1 << order; i++) split.push((pfn + i) as Pfn);
    return true;
  }
  fail(migration, pfn, errno);
  if (errno === ERRNO.ENOMEM) migration.isOutOfMemory = true;
  return errno !== ERRNO.ENOMEM;
}

/** Flushes what was unmapped (try_to_unmap_flush); if a CPU doesn't answer, maps it where it was, and ends the call. */
function tryToUnmapFlush(migration: Migration): Promise<void> | undefined {
  const answers = migration.manager.tlb.flush(migration.flush);
  return answers?.catch((error) => {
    migration.error = error;
    migrateFoliosUndo(migration, ERRNO.ETIMEDOUT);
  });
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
