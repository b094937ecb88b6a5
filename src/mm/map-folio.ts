import { PTRS_PER_PTE } from '../cpu/page-table.js';
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
  const { memory } = manager;
  const { pmds, ptes } = vma.table;
  const aligned = vpn & (-1 << vma.order);
  const fits = aligned >= vma.start && aligned + (1 << vma.order) <= vma.end && isUnmapped(vma, aligned);
  const order = (fits ? vma.order : 0) as Order;
  const first = fits ? aligned : vpn;
  const pfn = memory.takeFolio(order, vma.nid as NodeId);
  if (pfn === 0) return 0;
  const pages = 1 << order;
  manager.clear(pfn * PAGE_SIZE, pages * PAGE_SIZE);
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
  return pages;
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

/** Whether none of the pages that a folio of the area's order at `first` would have is mapped. */
function isUnmapped({ table, order }: Vma, first: number): boolean {
  const { pmds, ptes } = table;
  for (let vpn = first; vpn < first + (1 << order); ) {
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
