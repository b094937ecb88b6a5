import { type PageMetadata, PG } from '../memory/page-metadata.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Pfn } from '../units.js';

/**
 * Takes a folio off the LRU, with a reference (folio_isolate_lru). Whoever isolates a folio owns its place: nobody else
 * can until {@link folioPutbackLru}.
 *
 * @returns false if it isn't on the LRU: somebody else has isolated it
 */
export function folioIsolateLru({ flags, refcount }: PageMetadata, pfn: Pfn): boolean {
  let seen = flags[pfn];
  while (seen & PG.lru) {
    // Decides between two that isolate at once: one of them finds the bit gone.
    const found = Atomics.compareExchange(flags, pfn, seen, (seen & ~PG.lru) | PG.isolated);
    if (found === seen) {
      Atomics.add(refcount, pfn, 1);
      return true;
    }
    seen = found;
  }
  return false;
}

/** Puts an isolated folio back on the LRU and drops the isolator's reference (folio_putback_lru). */
export function folioPutbackLru(memory: PhysicalMemory, pfn: Pfn): void {
  const { flags } = memory.page;
  // Last of all that its isolator did: whoever isolates it next, by the exchange above, sees it done.
  Atomics.or(flags, pfn, PG.lru);
  Atomics.and(flags, pfn, ~PG.isolated);
  memory.putFolio(pfn);
}
