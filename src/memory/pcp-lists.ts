import { MAX_PAGE_ORDER, type Order, type Pfn } from '../units.js';

/** Taken entries that a list may keep before they are cut off its front. */
const SLACK = 4096;

/** Freed folios of one order: those from `next` on are free. */
interface PcpList {
  readonly folios: Pfn[];
  next: number;
}

/**
 * The lists of lately freed folios in front of one node's buddy allocator, after the kernel's per-cpu page lists. A folio on
 * them is merged with nobody, so taking it again costs next to nothing. Unlike the kernel's they are first in, first out:
 * frames keep the order in which they were freed, and what was moved there and back lies as it did.
 */
export class PcpLists {
  readonly #high: number;
  readonly #lists = Array.from({ length: MAX_PAGE_ORDER + 1 }, (): PcpList => ({ folios: [], next: 0 }));
  #pages = 0;

  /** Lists that keep up to `high` pages in all. */
  constructor(high: number) {
    this.#high = high;
  }

  /** Pages on the lists. */
  get pages(): number {
    return this.#pages;
  }

  /** The folio of `order` that was freed first; `undefined` if there is none. */
  take(order: Order): Pfn | undefined {
    const list = this.#lists[order];
    const { folios } = list;
    if (list.next === folios.length) return undefined;
    const pfn = folios[list.next++];
    if (list.next > SLACK && list.next * 2 > folios.length) {
      folios.splice(0, list.next);
      list.next = 0;
    }
    this.#pages -= 1 << order;
    return pfn;
  }

  /** Keeps a freed folio; false if the lists are full. */
  give(pfn: Pfn, order: Order): boolean {
    if (this.#pages + (1 << order) > this.#high) return false;
    this.#lists[order].folios.push(pfn);
    this.#pages += 1 << order;
    return true;
  }

  /** Hands every folio on the lists to `free`, and forgets it (drain_all_pages). */
  drain(free: (pfn: Pfn, pages: number) => void): void {
    this.#lists.forEach((list, order) => {
      for (const pfn of list.folios.splice(0).slice(list.next)) free(pfn, 1 << order);
      list.next = 0;
    });
    this.#pages = 0;
  }
}
