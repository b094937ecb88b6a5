import { type NodeId, PAGE_SIZE } from '../units.js';
import type { ClearInFlight } from './clear-offload.js';
import type { MemoryManager } from './manager.js';
import { fitsInArea, mapZeroed, orderToMap } from './map-folio.js';
import { indexOf, type Vma } from './mapping.js';
import { addToCache, orderToCache } from './page-cache.js';

/**
 * Has somebody else than the calling thread zero the folio that a fault at the unmapped page `vpn` needs, if anybody takes it, and
 * waits for whoever has that done already.
 *
 * @returns `undefined` if nobody zeroes it: the caller is to; else a promise, after which the page is looked at again
 */
export function clearOffloaded(manager: MemoryManager, vma: Vma, vpn: number): Promise<void> | undefined {
  const { memory, clears, clearOffload } = manager;
  const { cached, table } = vma;
  const page = cached ? indexOf(vma, cached, vpn) : vpn;
  // Two faults of one page need one folio: the node may have no second.
  for (const { of, first, order, done } of clears) {
    if (of === (cached ?? table) && page >> order === first >> order) return done;
  }
  if (cached && (cached.cache.file || cached.cache.frames[page] !== 0)) return undefined;
  if (!clearOffload.wants(PAGE_SIZE << vma.order)) return undefined;
  const order = cached ? orderToCache(cached.cache, page, vma.order) : orderToMap(vma, vpn);
  if (!clearOffload.wants(PAGE_SIZE << order)) return undefined;
  const pfn = memory.takeFolio(order, vma.nid as NodeId);
  if (pfn === 0) return undefined;
  const clear: ClearInFlight = {
    of: cached ?? table,
    first: page & (-1 << order),
    order,
    pfn,
    done: Promise.resolve(),
  };
  clears.add(clear);
  clear.done = clearAndPlace(manager, vma, clear);
  return clear.done;
}

async function clearAndPlace(manager: MemoryManager, vma: Vma, clear: ClearInFlight): Promise<void> {
  const { memory, clears, clearOffload } = manager;
  const { first, order, pfn } = clear;
  const bytes = PAGE_SIZE << order;
  await clearOffload.clear(pfn * PAGE_SIZE, bytes);
  clears.delete(clear);
  // The event loop had turns: whatever the folio is for may be gone, or have another by now.
  const isWanted = isStillMissing(manager, vma, clear) && !memory.isPoisoned(pfn * PAGE_SIZE, bytes);
  if (!isWanted) {
    memory.putFolio(pfn);
    return;
  }
  if (vma.cached) addToCache(manager, vma.cached, pfn, first, order);
  else mapZeroed(manager, vma, pfn, first, order);
}

/** Whether the folio's place is what it was when it was allocated: there, and empty. */
function isStillMissing({ mappings }: MemoryManager, vma: Vma, { first, order }: ClearInFlight): boolean {
  const { cached, anon } = vma;
  // As long as there is the cache nobody else fills that place, for other faults wait.
  if (cached) return mappings.get(cached.id) === cached;
  // An area that was unmapped in part has other ends, or is another one.
  return anon?.vmas.includes(vma) === true && fitsInArea(vma, first, order);
}
