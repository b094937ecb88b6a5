import { type PageTable, PTRS_PER_PTE } from '../cpu/page-table.js';
import { makeEntry, PRESENT, WRITE } from '../cpu/pte.js';
import { PG } from '../memory/page-metadata.js';
import { HPAGE_PMD_ORDER, type NodeId, type Order, PAGE_SIZE, type Pfn } from '../units.js';
import type { MemoryManager } from './manager.js';
import { indexOf, type Vma } from './mapping.js';
import { getCachedFolio } from './page-cache.js';
import { ensurePteLevel, isPmdEmpty } from './page-entries.js';
import { folioAddRmap } from './rmap.js';

/**
 * Allocates a folio of zeros for the private anonymous page `vpn` and maps it (do_anonymous_page): one of the area's
 * order, or of one page where that doesn't fit.
 *
 * @returns pages mapped; 0 if the node has no free folio of that order
 */
export function mapAnonymous(manager: MemoryManager, vma: Vma, vpn: number): number {
  const order = orderToMap(vma, vpn);
  const pfn = manager.memory.takeFolio(order, vma.nid as NodeId);
  if (pfn === 0) return 0;
  manager.clear(pfn * PAGE_SIZE, PAGE_SIZE << order);
  mapZeroed(manager, vma, pfn, vpn & (-1 << order), order);
  return 1 << order;
}

/** The order of the folio that the unmapped page `vpn` gets: the area's, where one fits between what is mapped, or 0. */
export function orderToMap(vma: Vma, vpn: number): Order {
  const { order } = vma;
  return fitsInArea(vma, vpn & (-1 << order), order) ? order : (0 as Order);
}

/** Whether the pages of a folio at page `first` are all the area's, and none of them is mapped. */
export function fitsInArea({ table, start, end }: Vma, first: number, order: Order): boolean {
  return first >= start && first + (1 << order) <= end && isUnmapped(table, first, first + (1 << order));
}

/** Maps a new folio of zeros, with its one reference, as private memory, at pages from `first` on of which none is mapped. */
export function mapZeroed(manager: MemoryManager, vma: Vma, pfn: Pfn, first: number, order: Order): void {
  const { pmds, ptes } = vma.table;
  const pages = 1 << order;
  const isHuge = order === HPAGE_PMD_ORDER && isPmdEmpty(vma.table, first);
  adoptAnonymous(manager, vma, pfn, first, isHuge ? 1 : pages);
  // Release: the zeros come before the entry that leads to them.
  if (isHuge) {
    Atomics.store(pmds, first >> HPAGE_PMD_ORDER, makeEntry(pfn, PRESENT | WRITE));
  } else {
    for (let i = 0; i < pages; i++) {
      ensurePteLevel(vma.table, first + i);
      Atomics.store(ptes, first + i, makeEntry(pfn + i, PRESENT | WRITE));
    }
  }
}

/**
 * Makes a newly allocated folio, with its one reference, the private memory of `vma` at `vpn`, to be mapped by so many
 * entries.
 */
export function adoptAnonymous({ memory }: MemoryManager, vma: Vma, pfn: Pfn, vpn: number, entries: number): void {
  const { flags, refcount, mapcount, mapping, index } = memory.page;
  mapping[pfn] = vma.anon?.id ?? 0;
  index[pfn] = vpn;
  mapcount[pfn] = entries;
  // Added, for another thread may have taken a reference by now.
  Atomics.add(refcount, pfn, entries - 1);
  Atomics.or(flags, pfn, PG.lru | PG.uptodate | PG.swapbacked);
}

/** What {@link mapCached} answers for a folio that is locked. */
export const FOLIO_LOCKED = -1;

/**
 * Maps the cached folio that has page `vpn` of `vma`, as far as the area reaches and nothing else is mapped there
 * (filemap_map_pages); reads it in if need be. Stores into a private area are left to fault.
 *
 * @returns pages mapped; 0 if the node has no free folio of that order; {@link FOLIO_LOCKED} while the folio is being
 * moved: what was stored to it now would be lost
 */
export function mapCached(manager: MemoryManager, vma: Vma, vpn: number): number {
  const { cached } = vma;
  if (!cached) return 0;
  const index = indexOf(vma, cached, vpn);
  const pfn = getCachedFolio(manager, cached, index, vma.order, vma.nid as NodeId);
  if (pfn === 0) return 0;
  const { page } = manager.memory;
  if (page.flags[pfn] & PG.locked) return FOLIO_LOCKED;
  const start = vpn - (index - page.index[pfn]);
  const end = start + (1 << page.order[pfn]);
  const flags = vma.anon ? PRESENT : PRESENT | WRITE;
  const isHuge = end - start === PTRS_PER_PTE && start % PTRS_PER_PTE === 0 && start >= vma.start && end <= vma.end;
  if (isHuge && isPmdEmpty(vma.table, start)) {
    folioAddRmap(manager, pfn, 1);
    // Release: the bytes that were read come before the entry that leads to them.
    Atomics.store(vma.table.pmds, start >> HPAGE_PMD_ORDER, makeEntry(pfn, flags));
    return PTRS_PER_PTE;
  }
  const mapped = mapPtes(vma, Math.max(start, vma.start), Math.min(end, vma.end), pfn - start, flags);
  folioAddRmap(manager, pfn, mapped);
  return mapped;
}

/** Maps the pages from `first` to `end` that aren't; page `vpn` gets frame `vpn + frameOffset`. Returns how many. */
function mapPtes({ table }: Vma, first: number, end: number, frameOffset: number, flags: number): number {
  let mapped = 0;
  for (let vpn = first; vpn < end; vpn++) {
    ensurePteLevel(table, vpn);
    if (table.ptes[vpn] !== 0) continue;
    // Release, as above.
    Atomics.store(table.ptes, vpn, makeEntry(vpn + frameOffset, flags));
    mapped++;
  }
  return mapped;
}

function isUnmapped({ pmds, ptes }: PageTable, first: number, end: number): boolean {
  for (let vpn = first; vpn < end; ) {
    const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
    if (pmd === 0) {
      vpn = (vpn | (PTRS_PER_PTE - 1)) + 1;
      continue;
    }
    if (pmd & PRESENT || ptes[vpn] !== 0) return false;
    vpn++;
  }
  return true;
}
