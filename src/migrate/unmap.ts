import { awaiting } from '../copy/cpu-account.js';
import { ERRNO } from '../errno.js';
import { clearAndWake, tryLockFolio, waitForClear } from '../memory/folio-lock.js';
import { PG } from '../memory/page-metadata.js';
import { tryToMigrate } from '../mm/rmap.js';
import type { Order, Pfn } from '../units.js';
import { addUnmapped, errnoOf, type Migration } from './migration.js';
import { migrateFolioUndo } from './move.js';

/** How long one pass waits for a folio's lock, or for its writeback, in milliseconds. */
const WAIT_MS = 100;
/** Answer of {@link migrateFolioUnmap}: nobody but the caller holds the folio any more, so there is nothing to migrate. */
export const FREED = -1;

/**
 * Locks an isolated folio, allocates its target, and replaces every mapping of it by migration entries (migrate_folio_unmap).
 *
 * @param waits whether to wait for the lock, which then takes a turn of the event loop
 * @returns 0: the folio and its target are locked and among `unmapped`, and CPUs may access it until the flush. Else nothing
 * is changed: what `error` comes to, if the call is to end; EAGAIN if it is locked, or mapped where it can't be found; EBUSY
 * if it is written back; ENOMEM if the target has no such folio free; {@link FREED}.
 */
export function migrateFolioUnmap(migration: Migration, src: Pfn, waits: boolean): number | Promise<number> {
  const { page } = migration.manager.memory;
  if (migration.error !== undefined) return errnoOf(migration.error);
  if (page.refcount[src] === 1) return FREED;
  const { steps } = migration;
  steps?.start(page.order[src]);
  const isLocked = tryLockFolio(page, src);
  steps?.lap('lock');
  if (!isLocked) return waits ? lockAndUnmap(migration, src) : ERRNO.EAGAIN;
  return unmapUnlessWriteback(migration, src, waits);
}

function unmapUnlessWriteback(migration: Migration, src: Pfn, waits: boolean): number | Promise<number> {
  const { page } = migration.manager.memory;
  if (page.flags[src] & PG.writeback) {
    if (waits && migration.mode === 'MIGRATE_SYNC') return waitForWriteback(migration, src);
    clearAndWake(page, src, PG.locked);
    return ERRNO.EBUSY;
  }
  return unmapLocked(migration, src);
}

function unmapLocked(migration: Migration, src: Pfn): number {
  const { manager, target, flush, steps } = migration;
  const { memory } = manager;
  const { page } = memory;
  steps?.start(page.order[src]);
  const dst = memory.takeFolio(page.order[src] as Order, target);
  steps?.lap('allocate');
  if (dst === 0) {
    clearAndWake(page, src, PG.locked);
    return ERRNO.ENOMEM;
  }
  // Nobody else has seen the new folio: no need to exchange anything.
  page.flags[dst] = PG.head | PG.locked;
  if (page.mapcount[src] > 0) tryToMigrate(manager, src, flush);
  steps?.lap('tryToMigrate');
  if (page.mapcount[src] > 0) {
    migrateFolioUndo(migration, src, dst);
    return ERRNO.EAGAIN;
  }
  addUnmapped(migration, src, dst);
  return 0;
}

async function lockAndUnmap(migration: Migration, src: Pfn): Promise<number> {
  const { page } = migration.manager.memory;
  await awaiting(migration.slice.account, () => waitForClear(page, src, PG.locked, WAIT_MS));
  return tryLockFolio(page, src) ? unmapUnlessWriteback(migration, src, true) : ERRNO.EAGAIN;
}

async function waitForWriteback(migration: Migration, src: Pfn): Promise<number> {
  const { page } = migration.manager.memory;
  if (await awaiting(migration.slice.account, () => waitForClear(page, src, PG.writeback, WAIT_MS)))
    return unmapLocked(migration, src);
  clearAndWake(page, src, PG.locked);
  return ERRNO.EAGAIN;
}
