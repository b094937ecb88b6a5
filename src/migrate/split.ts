import { tryLockFolio } from '../memory/folio-lock.js';
import { splitPmdMapping } from '../mm/huge-memory.js';
import type { MemoryManager } from '../mm/manager.js';
import { vpnOf } from '../mm/mapping.js';
import { tryToMigrate } from '../mm/rmap.js';
import type { Pfn, Vpn } from '../units.js';
import type { Migration } from './migration.js';
import { cacheReferences, migrateFolioUndoSrc } from './move.js';

/**
 * Splits an isolated large folio into folios of a page each, where it is (split_folio_to_list). CPUs meet migration entries
 * meanwhile, and then the same bytes in the same frames: what older translations reach is right, and they are flushed
 * before anything is copied. Each new folio is isolated, as the large one was, with a reference for the caller.
 *
 * @returns false if the folio is locked or somebody else holds it; it is then whole, though mapped by PTEs
 */
export function trySplitFolio(migration: Migration, pfn: Pfn): boolean {
  const { manager, flush } = migration;
  const { memory } = manager;
  const { page } = memory;
  if (!tryLockFolio(page, pfn)) return false;
  const pages = 1 << page.order[pfn];
  splitPmdMappings(manager, pfn);
  tryToMigrate(manager, pfn, flush);
  const cached = cacheReferences(manager, pfn);
  // Freezes the folio at 0 references, from which none is taken, so that nobody gets one while it is cut up.
  const isFrozen =
    page.mapcount[pfn] === 0 && Atomics.compareExchange(page.refcount, pfn, 1 + cached, 0) === 1 + cached;
  if (!isFrozen) {
    migrateFolioUndoSrc(migration, pfn);
    return false;
  }
  // Of the page cache's references each page keeps one.
  memory.splitFolio(pfn, cached > 0 ? 2 : 1);
  for (let page = pfn; page < pfn + pages; page++) migrateFolioUndoSrc(migration, page);
  return true;
}

/** Has every area that maps the folio by a PMD map it by PTEs. */
function splitPmdMappings(manager: MemoryManager, pfn: Pfn): void {
  const { page } = manager.memory;
  const mapping = manager.mappings.get(page.mapping[pfn]);
  if (!mapping) return;
  for (const vma of mapping.vmas) {
    const start = vpnOf(vma, mapping, page.index[pfn]);
    if (start >= vma.start && start < vma.end) splitPmdMapping(manager, vma.table, start as Vpn);
  }
}
