import { ERRNO } from '../errno.js';
import type { Pfn } from '../units.js';
import { addUnmapped, fail, type Migration } from './migration.js';
import { migrateFolioDone, migrateFolioUndo, remapFolio } from './move.js';

/** Ends a folio's turn: maps it where it went, or keeps it for another pass, or maps it where it was. */
export function settle(migration: Migration, src: Pfn, dst: Pfn, errno: number): void {
  if (errno === 0) {
    remapFolio(migration, src, dst);
    migration.moved[migration.movedCount++] = src;
  } else if (errno === ERRNO.EAGAIN) {
    addUnmapped(migration, src, dst);
  } else {
    undo(migration, src, dst, errno);
  }
}

function undo(migration: Migration, src: Pfn, dst: Pfn, errno: number): void {
  migrateFolioUndo(migration, src, dst);
  fail(migration, src, errno);
}

/** Maps everything that is still unmapped where it was (migrate_folios_undo); it has failed with `errno`. */
export function migrateFoliosUndo(migration: Migration, errno: number): void {
  const { unmapped } = migration;
  for (let i = 0; i < unmapped.count; i++) undo(migration, unmapped.src[i] as Pfn, unmapped.dst[i] as Pfn, errno);
  unmapped.count = 0;
}

/** Frees the old frames of what was moved, and maps what was not where it was. */
export function putBack(migration: Migration): undefined {
  const { moved } = migration;
  for (let i = 0; i < migration.movedCount; i++) migrateFolioDone(migration, moved[i] as Pfn);
  migration.movedCount = 0;
  migrateFoliosUndo(migration, ERRNO.EAGAIN);
}
