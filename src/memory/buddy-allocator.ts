import { MAX_PAGE_ORDER, type Order, type Pfn } from '../units.js';
import { FreeRuns } from './free-runs.js';
import { NO_PAGE, type PageMetadata, PG } from './page-metadata.js';
import type { PoisonMap } from './poison-map.js';

/**
 * The buddy allocator of one PFN range: a free list an order, blocks that split on allocation and merge on free.
 *
 * `start` must be a multiple of the largest block, so that a block's buddy is never in another allocator's range.
 * One thread allocates and frees. Nothing here knows whom a block belongs to: PhysicalMemory checks that.
 */
export class BuddyAllocator {
  readonly start: number;
  readonly end: number;
  readonly #page: PageMetadata;
  readonly #poison: PoisonMap;
  readonly #head = new Int32Array(MAX_PAGE_ORDER + 1).fill(NO_PAGE);
  readonly #runs: FreeRuns;
  #freePages = 0;

  /** An allocator of the frames from `start` up to, not including, `end`, all of them free. */
  constructor(page: PageMetadata, poison: PoisonMap, start: number, end: number) {
    this.#page = page;
    this.#poison = poison;
    this.start = start;
    this.end = end;
    this.#runs = new FreeRuns(page, start, end);
    // From the top down, so that the lowest block is first on its list and fresh allocations ascend.
    const block = 1 << MAX_PAGE_ORDER;
    const wholeBlocksEnd = end - (end % block);
    this.freeRange(wholeBlocksEnd, end - wholeBlocksEnd);
    for (let pfn = wholeBlocksEnd - block; pfn >= start; pfn -= block) this.freeBlock(pfn, MAX_PAGE_ORDER);
  }

  /** Pages on the free lists. */
  get freePages(): number {
    return this.#freePages;
  }

  /** Free blocks of exactly `order`, as a line of /proc/buddyinfo counts them. */
  freeBlocks(order: Order): number {
    let count = 0;
    for (let pfn = this.#head[order]; pfn !== NO_PAGE; pfn = this.#page.next[pfn]) count++;
    return count;
  }

  /** Takes a block of `order` off the free lists, splitting a larger one if need be; `undefined` if there is none. */
  take(order: Order): Pfn | undefined {
    for (let from: number = order; from <= MAX_PAGE_ORDER; from++) {
      const pfn = this.#head[from];
      if (pfn === NO_PAGE) continue;
      this.#unlink(pfn, from);
      this.#giveBackUpperHalves(pfn, from, order);
      return pfn as Pfn;
    }
    return undefined;
  }

  /** Takes the first `pages` frames in a row off the free lists; `undefined` if no run is that long. */
  takeContig(pages: number): Pfn | undefined {
    const first = this.#runs.find(pages);
    if (first === undefined) return undefined;
    let pfn: number = first;
    while (pfn < first + pages) {
      const order = this.#page.order[pfn];
      this.#unlink(pfn, order);
      pfn += 1 << order;
    }
    this.#runs.take(first, pages);
    this.freeRange(first + pages, pfn - first - pages);
    return first;
  }

  /** Takes the one frame `pfn` off the free lists, as take_page_off_buddy() does; false if it isn't free. */
  takeFrame(pfn: Pfn): boolean {
    for (let order = 0; order <= MAX_PAGE_ORDER; order++) {
      const head = pfn & ~((1 << order) - 1);
      if (!this.#isFreeBlock(head, order)) continue;
      this.#unlink(head, order);
      this.freeRange(head, pfn - head);
      this.freeRange(pfn + 1, head + (1 << order) - pfn - 1);
      return true;
    }
    return false;
  }

  /** Puts the `pages` frames from `first` on the free lists in blocks as large as they align, less poisoned ones. */
  freeRange(first: number, pages: number): void {
    const end = first + pages;
    let pfn = first;
    while (pfn < end) {
      let order: number = MAX_PAGE_ORDER;
      while (pfn & ((1 << order) - 1) || pfn + (1 << order) > end || this.#poison.covers(pfn, order)) {
        if (order-- === 0) break;
      }
      if (order >= 0) this.freeBlock(pfn, order);
      pfn += 1 << Math.max(order, 0);
    }
  }

  /** Puts a block without poisoned frames on the free lists, merged with its buddies. `pfn` is aligned to its size. */
  freeBlock(pfn: number, order: number): void {
    let head = pfn;
    let size = order;
    while (size < MAX_PAGE_ORDER) {
      const buddy = head ^ (1 << size);
      if (!this.#isFreeBlock(buddy, size)) break;
      this.#unlink(buddy, size);
      head &= ~(1 << size);
      size++;
    }
    this.#link(head, size);
  }

  #giveBackUpperHalves(pfn: number, from: number, to: number): void {
    for (let order = from - 1; order >= to; order--) this.#link(pfn + (1 << order), order);
  }

  #isFreeBlock(pfn: number, order: number): boolean {
    if (pfn < this.start || pfn >= this.end) return false;
    return (Atomics.load(this.#page.flags, pfn) & PG.buddy) !== 0 && this.#page.order[pfn] === order;
  }

  #link(pfn: number, order: number): void {
    const { flags, next, prev } = this.#page;
    const first = this.#head[order];
    next[pfn] = first;
    prev[pfn] = NO_PAGE;
    if (first !== NO_PAGE) prev[first] = pfn;
    this.#head[order] = pfn;
    this.#page.order[pfn] = order;
    // A plain store, here and in #unlink: of a free block only this thread looks at or changes the flags.
    flags[pfn] |= PG.buddy;
    this.#freePages += 1 << order;
    this.#runs.change(pfn);
  }

  #unlink(pfn: number, order: number): void {
    const { flags, next, prev } = this.#page;
    const after = next[pfn];
    const before = prev[pfn];
    if (after !== NO_PAGE) prev[after] = before;
    if (before !== NO_PAGE) next[before] = after;
    else this.#head[order] = after;
    flags[pfn] &= ~PG.buddy;
    this.#freePages -= 1 << order;
    this.#runs.change(pfn);
  }
}
