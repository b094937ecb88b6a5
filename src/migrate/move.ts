import { ERRNO } from '../errno.js';
import { clearAndWake } from '../memory/folio-lock.js';
import { type PageMetadata, PG } from '../memory/page-metadata.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { MemoryManager } from '../mm/manager.js';
import { forgetMovable, isMovable } from '../mm/movable.js';
import { isCached, replaceCached } from '../mm/page-cache.js';
import { removeMigrationPtes } from '../mm/rmap.js';
import type { Pfn } from '../units.js';
import type { Migration } from './migration.js';
import { countSucceeded } from './stats.js';

/** Flags that a folio keeps where it goes. */
const KEPT = PG.referenced | PG.dirty | PG.uptodate | PG.swapbacked | PG.private;

/** References that a page cache holds on a folio: one a page, or 0 if it isn't cached. */
export function cacheReferences({ memory, mappings }: MemoryManager, pfn: Pfn): number {
  const { page } = memory;
  const cache = mappings.get(page.mapping[pfn])?.cache;
  return cache && isCached(memory, cache, pfn) ? 1 << page.order[pfn] : 0;
}

/** References of whoever the folio belongs to, but for mappings: its page cache, or the owner of movable memory. */
function ownerReferences(manager: MemoryManager, pfn: Pfn): number {
  return manager.memory.page.flags[pfn] & PG.movable ? 1 : cacheReferences(manager, pfn);
}

/**
 * Whether nobody but the migration and whoever it belongs to holds the unmapped folio (folio_expected_ref_count): whoever else has
 * a reference may use its bytes where they are.
 */
export function hasExpectedRefs({ manager }: Migration, src: Pfn): boolean {
  // Acquire: what the last of them wrote before it let go is copied.
  return Atomics.load(manager.memory.page.refcount, src) === 1 + ownerReferences(manager, src);
}

/**
 * Makes `dst` what `src` was to its owner: its place in the page cache with the references for it, its reverse map and
 * flags (folio_migrate_mapping and folio_migrate_flags). Both are locked; `src` keeps the migration's reference alone.
 *
 * @returns 0, or EAGAIN, with nothing changed, if somebody else holds `src`
 */
export function folioMigrateMapping(migration: Migration, src: Pfn, dst: Pfn): number {
  const { steps, manager } = migration;
  steps?.start(manager.memory.page.order[src]);
  const errno = moveMapping(migration, src, dst);
  steps?.lap('metadata');
  return errno;
}

function moveMapping(migration: Migration, src: Pfn, dst: Pfn): number {
  const { memory, mappings } = migration.manager;
  const { page } = memory;
  const cached = cacheReferences(migration.manager, src);
  if (cached > 0) {
    // Freezes the folio at 0 references, from which none is taken, so that nobody gets one while its place changes hands.
    // Acquire: what the last holder wrote before it let go is copied.
    if (Atomics.compareExchange(page.refcount, src, 1 + cached, 0) !== 1 + cached) return ERRNO.EAGAIN;
    const cache = mappings.get(page.mapping[src])?.cache;
    if (cache) replaceCached(memory, cache, src, dst);
    Atomics.add(page.refcount, dst, cached);
    // Release: thaws the folio after its place has changed hands; whoever gets a reference now finds it nobody's.
    Atomics.store(page.refcount, src, 1);
  } else if (page.refcount[src] !== (page.flags[src] & PG.movable ? 2 : 1)) {
    return ERRNO.EAGAIN;
  }
  page.mapping[dst] = page.mapping[src];
  page.index[dst] = page.index[src];
  const flags = page.flags[src];
  const isOwned = (flags & PG.movable) !== 0;
  // Through a page cache others find the folio from here on, an owner is shown it, and so is a migrator whose batch is copied
  // after this: the lock tells them to wait. To any other nothing leads before its first entry, with which it is complete. A
  // plain store, for that same reason.
  const lock = cached > 0 || isOwned || isOfferedMoved(migration) ? PG.locked : 0;
  const lru = isOwned ? 0 : PG.lru;
  page.flags[dst] = PG.head | lru | lock | (flags & KEPT);
  return 0;
}

/** Whether a migrator gets folios after they have been given what they are. */
function isOfferedMoved({ flow, migrator, forPrivate }: Migration): boolean {
  return flow === 'batch-move' && (migrator ?? forPrivate) !== undefined;
}

/** Takes {@link folioMigrateMapping} back: `src` is again what it was. */
export function folioRestoreMapping({ manager }: Migration, src: Pfn, dst: Pfn): void {
  const { memory, mappings } = manager;
  const { page } = memory;
  const cached = cacheReferences(manager, dst);
  if (cached === 0) return;
  const cache = mappings.get(page.mapping[dst])?.cache;
  if (cache) replaceCached(memory, cache, dst, src);
  Atomics.add(page.refcount, src, cached);
  Atomics.sub(page.refcount, dst, cached);
}

/**
 * Maps the moved folio wherever the old one was mapped, and unlocks it: CPUs that waited go on. The old one is left,
 * locked and unused, for {@link migrateFolioDone}.
 */
export function remapFolio({ manager, stats, steps }: Migration, src: Pfn, dst: Pfn): void {
  const { memory } = manager;
  const { page } = memory;
  steps?.start(page.order[src]);
  const entries = removeMigrationPtes(manager, src, dst);
  // The reference that the allocation gave becomes the first entry's.
  if (entries > 1) Atomics.add(page.refcount, dst, entries - 1);
  steps?.lap('removeMigrationPtes');
  if (page.flags[dst] & PG.locked) clearAndWake(page, dst, PG.locked);
  steps?.lap('lock');
  if (entries === 0) memory.putFolio(dst);
  countSucceeded(stats, page.order[src]);
}

/** Frees the old frames of a folio that was moved, or one that was freed while it was isolated (migrate_folio_done). */
export function migrateFolioDone({ manager, steps }: Migration, src: Pfn): void {
  steps?.start(manager.memory.page.order[src]);
  // What was moved is movable no more: this one its owner has dropped.
  if (isMovable(manager, src)) forgetMovable(manager, src);
  dropUnused(manager.memory, src);
  steps?.lap('free');
}

/** Maps a folio again where it was, as it was, and unlocks it (migrate_folio_undo_src). It stays isolated. */
export function migrateFolioUndoSrc({ manager }: Migration, src: Pfn): void {
  const { page } = manager.memory;
  const entries = removeMigrationPtes(manager, src, src);
  Atomics.add(page.refcount, src, entries);
  clearAndWake(page, src, PG.locked);
}

/** Maps a folio again where it was, and frees its target, which was not used (migrate_folio_undo_src and _dst). */
export function migrateFolioUndo(migration: Migration, src: Pfn, dst: Pfn): void {
  migrateFolioUndoSrc(migration, src);
  dropUnused(migration.manager.memory, dst);
}

/** Drops the migration's reference on a locked folio that is no longer in use. */
function dropUnused(memory: PhysicalMemory, pfn: Pfn): void {
  const { page } = memory;
  memory.putFolio(pfn);
  // Looked at after the reference is dropped, for other threads may take theirs until then.
  if (page.refcount[pfn] !== 0) disown(page, pfn);
}

/** Makes a folio that others still hold one of nobody's. */
function disown(page: PageMetadata, pfn: Pfn): void {
  page.mapping[pfn] = 0;
  Atomics.and(page.flags, pfn, ~(PG.isolated | PG.lru));
  clearAndWake(page, pfn, PG.locked);
}
