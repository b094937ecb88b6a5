import { ERRNO } from '../errno.js';
import type { Pfn } from '../units.js';
import { errnoOf, fail, failAll, keepUnmapped, type Migration } from './migration.js';
import { folioRestoreMapping, migrateFolioDone, migrateFolioUndo, remapFolio } from './move.js';
import { isLookDue, needResched, resched, withResched } from './resched.js';

/**
 * Ends the turn of the unmapped folio `at`: maps it where it went, or keeps it for another pass, at `kept` of those that are
 * unmapped, or maps it where it was. Its own place is left empty.
 *
 * @returns how many are kept now
 */
export function settle(migration: Migration, at: number, kept: number, errno: number): number {
  const { unmapped } = migration;
  const src = unmapped.src[at] as Pfn;
  const dst = unmapped.dst[at] as Pfn;
  unmapped.src[at] = 0;
  if (errno === ERRNO.EAGAIN) {
    keepUnmapped(migration, kept, src, dst);
    return kept + 1;
  }
  if (errno === 0) {
    remapFolio(migration, src, dst);
    migration.moved[migration.movedCount++] = src;
    countMoved(migration, unmapped.offloaded[at], src);
  } else {
    undo(migration, src, dst, errno);
  }
  return kept;
}

/** Counts a folio that was moved, by the calling thread or, with `offloaded` 1, by the migrator. */
function countMoved({ movedBy, manager }: Migration, offloaded: number, src: Pfn): void {
  movedBy[2 * offloaded]++;
  movedBy[2 * offloaded + 1] += 1 << manager.memory.page.order[src];
}

function undo(migration: Migration, src: Pfn, dst: Pfn, errno: number): void {
  // First, so that it goes back on the LRU whatever is thrown.
  fail(migration, src, errno);
  migrateFolioUndo(migration, src, dst);
}

/** Maps everything that is still unmapped where it was (migrate_folios_undo); it has failed with `errno`. */
export async function migrateFoliosUndo(migration: Migration, errno: number): Promise<void> {
  const { order } = migration.manager.memory.page;
  const { src, dst, count } = migration.unmapped;
  for (let i = 0; i < count; i++) {
    const pfn = src[i] as Pfn;
    src[i] = 0;
    undo(migration, pfn, dst[i] as Pfn, errno);
    if (needResched(migration.slice, 1 << order[pfn])) await resched(migration.slice);
  }
  migration.unmapped.count = 0;
}

/** Frees the old frames of what was moved, and maps what was not where it was. */
export async function putBack(migration: Migration): Promise<void> {
  await withResched(migration.slice, migration.movedCount, (next) => freeMoved(migration, next));
  migration.movedCount = 0;
  await migrateFoliosUndo(migration, ERRNO.EAGAIN);
}

/** Frees the old frames of the one folio that was moved, if it was. */
export function putBackTheOne(migration: Migration): void {
  freeMoved(migration, 0);
  migration.movedCount = 0;
}

/** Frees old frames from position `next` on, until the event loop is to have a turn. Returns how far it came. */
function freeMoved(migration: Migration, next: number): number {
  const { moved, movedCount, slice } = migration;
  for (let i = next; i < movedCount; i++) {
    const src = moved[i] as Pfn;
    moved[i] = 0;
    migrateFolioDone(migration, src);
    if (isLookDue(i) && needResched(slice)) return i + 1;
  }
  return movedCount;
}

/**
 * Ends a batch in the middle of which something was thrown, the migration's `error`: whatever step each folio is at, it is
 * freed, or mapped where it was and among those that failed. Places that are 0 are of folios whose turn is over.
 */
export function abandon(migration: Migration, folios: Uint32Array): void {
  const { unmapped, moved } = migration;
  const errno = errnoOf(migration.error);
  failAll(migration, folios, errno);
  for (; migration.movedCount > 0; migration.movedCount--) {
    const src = moved[migration.movedCount - 1] as Pfn;
    if (src !== 0) attempt(() => migrateFolioDone(migration, src));
  }
  for (; unmapped.count > 0; unmapped.count--) {
    const at = unmapped.count - 1;
    const src = unmapped.src[at] as Pfn;
    const dst = unmapped.dst[at] as Pfn;
    if (src === 0) continue;
    if (migration.flow === 'batch-move' && unmapped.ready[at] === 1) folioRestoreMapping(migration, src, dst);
    attempt(() => undo(migration, src, dst, errno));
  }
}

/** Whatever is thrown for one folio keeps no other from its place: the first error, which is known, is what counts. */
export function attempt(run: () => void): void {
  try {
    run();
  } catch {}
}
