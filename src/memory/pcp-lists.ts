import { MAX_PAGE_ORDER, type Order, type Pfn } from '../units.js';

/**
 * The lists of lately freed folios in front of one node's buddy allocator, after the kernel's per-cpu page lists: last in,
 * first out, an order each. A folio on them is merged with nobody, so taking it again costs next to nothing, and frames
 * that were freed in some order are handed out in that order.
 */
export class PcpLists {
  readonly #high: number;
  readonly #lists: Pfn[][] = Array.from({ length: MAX_PAGE_ORDER + 1 }, () => []);
  #pages = 0;

  /** Lists that keep up to `high` pages in all. */
  constructor(high: number) {
    this.#high = high;
  }

  /** Pages on the lists. */
  get pages(): number {
    return this.#pages;
  }

  /** The folio of `order` that was freed last; `undefined` if there is none. */
  take(order: Order): Pfn | undefined {
    const pfn = (this.#lists[order] as Pfn[]).pop();
    if (pfn !== undefined) this.#pages -= 1 << order;
    return pfn;
  }

  /** Keeps a freed folio; false if the lists are full. */
  give(pfn: Pfn, order: Order): boolean {
    if (this.#pages + (1 << order) > this.#high) return false;
    (this.#lists[order] as Pfn[]).push(pfn);
    this.#pages += 1 << order;
    return true;
  }

  /** Hands every folio on the lists to `free`, and forgets it (drain_all_pages). */
  drain(free: (pfn: Pfn, pages: number) => void): void {
    this.#lists.forEach((list, order) => {
      for (const pfn of list.splice(0)) free(pfn, 1 << order);
    });
    this.#pages = 0;
  }
}
