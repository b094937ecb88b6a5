import { MAX_PAGE_ORDER, type Pfn } from '../units.js';
import { type PageMetadata, PG } from './page-metadata.js';

/** Pages of the largest block, which no free block and no folio reaches beyond. */
const BLOCK_PAGES = 1 << MAX_PAGE_ORDER;

/**
 * Where a range of frames has how many free ones in a row: a summary for each 4 MiB, made anew when a search comes to it and
 * something has changed in there. So however many ranges are allocated, a search goes through the frames of those 4 MiB
 * alone that were changed since the last one, and of that in which it ends.
 */
export class FreeRuns {
  readonly #page: PageMetadata;
  readonly #start: number;
  readonly #end: number;
  /** For each 4 MiB: free pages in a row at its start, at its end, and at most. Not to be believed while it has changed. */
  readonly #first: Uint16Array;
  readonly #last: Uint16Array;
  readonly #longest: Uint16Array;
  readonly #hasChanged: Uint8Array;

  /** Of the frames from `start`, a multiple of 4 MiB, up to, not including, `end`. */
  constructor(page: PageMetadata, start: number, end: number) {
    this.#page = page;
    this.#start = start;
    this.#end = end;
    const blocks = Math.ceil((end - start) / BLOCK_PAGES);
    this.#first = new Uint16Array(blocks);
    this.#last = new Uint16Array(blocks);
    this.#longest = new Uint16Array(blocks);
    this.#hasChanged = new Uint8Array(blocks).fill(1);
  }

  /** To be called when a block of frames becomes free, or is no longer: `pfn` is one of them. */
  change(pfn: number): void {
    this.#hasChanged[(pfn - this.#start) >> MAX_PAGE_ORDER] = 1;
  }

  /** To be called, after {@link change}, when a whole range was taken: what it fills needs no look. */
  take(first: number, pages: number): void {
    const from = Math.ceil((first - this.#start) / BLOCK_PAGES);
    const to = Math.floor((first + pages - this.#start) / BLOCK_PAGES);
    if (from >= to) return;
    for (const list of [this.#first, this.#last, this.#longest, this.#hasChanged]) list.fill(0, from, to);
  }

  /** The first frame of the first run of `pages` free ones; `undefined` if no run is that long. */
  find(pages: number): Pfn | undefined {
    let before = 0;
    for (let block = 0; block < this.#longest.length; block++) {
      const mayFit = this.#longest[block] >= pages || before + this.#first[block] >= pages;
      if (this.#hasChanged[block] || mayFit) {
        const found = this.#walk(block, before, pages);
        if (found !== undefined) return found;
      }
      before = this.#first[block] === BLOCK_PAGES ? before + BLOCK_PAGES : this.#last[block];
    }
    return undefined;
  }

  /**
   * Looks for a run of `pages` that begins in a block, or in the `before` free pages that lie in front of it. If there is
   * none it sums the block up.
   */
  #walk(block: number, before: number, pages: number): Pfn | undefined {
    const { flags, order } = this.#page;
    const start = this.#start + block * BLOCK_PAGES;
    const end = Math.min(start + BLOCK_PAGES, this.#end);
    let first = start - before;
    let atStart = -1;
    let longest = 0;
    let pfn = start;
    while (pfn < end) {
      const bits = Atomics.load(flags, pfn);
      if (bits & PG.buddy) {
        pfn += 1 << order[pfn];
        if (pfn - first >= pages) return first as Pfn;
        continue;
      }
      const run = pfn - Math.max(first, start);
      if (atStart < 0) atStart = run;
      longest = Math.max(longest, run);
      pfn += this.#allocatedPages(pfn, bits);
      first = pfn;
    }
    // What is allocated may reach beyond the block.
    const atEnd = Math.max(0, end - Math.max(first, start));
    this.#first[block] = atStart < 0 ? atEnd : atStart;
    this.#last[block] = atEnd;
    this.#longest[block] = Math.max(longest, atEnd);
    this.#hasChanged[block] = 0;
    return undefined;
  }

  #allocatedPages(pfn: number, flags: number): number {
    if (flags & PG.contig) return this.#page.next[pfn];
    if (flags & PG.head) return 1 << this.#page.order[pfn];
    return 1; // a poisoned frame, which belongs to nobody, or the rest of a range that begins before
  }
}
