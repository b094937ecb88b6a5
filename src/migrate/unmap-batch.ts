import { awaiting } from '../copy/cpu-account.js';
import { ERRNO } from '../errno.js';
import type { MigrateMode } from '../mm/migrate-mode.js';
import { HPAGE_PMD_ORDER, type Pfn } from '../units.js';
import { fail, failAll, type Migration } from './migration.js';
import { migrateFolioDone } from './move.js';
import { beforeRetry, needResched, resched } from './resched.js';
import { migrateFoliosUndo } from './settle.js';
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

/** Unmaps the folios of a batch, in passes. What it couldn't is among `failed`, or split. */
export async function unmapFolios(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<void> {
  let pending = folios.length;
  for (let pass = 0; pass < manner.passes && pending > 0; pass++) {
    if (pass > 0) await beforeRetry(migration, manner.mode, pending);
    pending = await unmapPass(migration, folios.subarray(0, pending), manner);
  }
  failAll(migration, folios, ERRNO.EAGAIN);
}

/** One pass of {@link unmapFolios}. Returns how many folios are to be tried again: they are the first of the list then. */
async function unmapPass(migration: Migration, folios: Uint32Array, manner: BatchManner): Promise<number> {
  const waits = manner.mode !== 'MIGRATE_ASYNC';
  const { order } = migration.manager.memory.page;
  let kept = 0;
  for (let i = 0; i < folios.length; i++) {
    const pfn = folios[i] as Pfn;
    const outcome = migrateFolioUnmap(migration, pfn, waits);
    const errno = typeof outcome === 'number' ? outcome : await outcome;
    folios[i] = 0;
    if (errno === ERRNO.EAGAIN) folios[kept++] = pfn;
    else if (errno !== 0) afterFailedUnmap(migration, pfn, errno, manner);
    if (migration.isOutOfMemory) {
      // As the kernel, leaves what was kept for another pass and what was not tried.
      failAll(migration, folios, ERRNO.ENOMEM);
      return 0;
    }
    if (needResched(migration.slice, 1 << order[pfn])) await resched(migration.slice);
  }
  return kept;
}

/** Deals with a folio that could not be unmapped, for another reason than EAGAIN. */
export function afterFailedUnmap(migration: Migration, pfn: Pfn, errno: number, { split }: BatchManner): void {
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

/** Flushes what was unmapped (try_to_unmap_flush); if a CPU doesn't answer, maps it where it was, and ends the call. */
export function tryToUnmapFlush(migration: Migration): Promise<void> | undefined {
  const answers = migration.manager.tlb.flush(migration.flush);
  return answers && undoUnanswered(migration, answers);
}

async function undoUnanswered(migration: Migration, answers: Promise<void>): Promise<void> {
  try {
    await awaiting(migration.slice.account, () => answers);
  } catch (error) {
    migration.error = error;
    await migrateFoliosUndo(migration, ERRNO.ETIMEDOUT);
  }
}
