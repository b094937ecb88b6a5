/**
 * Allocates ranges of I/O addresses (alloc_iova), in pages. What was freed is used again for as many pages; what never was
 * comes next; and when that is used up, neighbours are merged.
 */
export class IovaAllocator {
  readonly #end: number;
  #next: number;
  /** First pages of free ranges, by how long they are. */
  #free = new Map<number, number[]>();

  /** Of the pages from `first` up to, not including, `end`. */
  constructor(first: number, end: number) {
    this.#next = first;
    this.#end = end;
  }

  /** The first page of a range; -1 if none is that long. */
  alloc(pages: number): number {
    const first = this.#take(pages);
    if (first >= 0) return first;
    this.#merge();
    return this.#take(pages);
  }

  /** Frees what {@link alloc} returned. */
  free(first: number, pages: number): void {
    const list = this.#free.get(pages);
    if (list) list.push(first);
    else this.#free.set(pages, [first]);
  }

  #take(pages: number): number {
    const reused = this.#free.get(pages)?.pop();
    if (reused !== undefined) return reused;
    if (this.#end - this.#next < pages) return this.#cut(pages);
    const first = this.#next;
    this.#next += pages;
    return first;
  }

  /** Takes the pages from the start of a longer range. */
  #cut(pages: number): number {
    for (const [size, list] of this.#free) {
      if (size < pages) continue;
      const first = list.pop();
      if (first === undefined) continue;
      this.free(first + pages, size - pages);
      return first;
    }
    return -1;
  }

  /** Merges free ranges that touch, and the last with what was never used. */
  #merge(): void {
    const ranges = Array.from(this.#free, ([size, list]) => list.map((first) => ({ first, size }))).flat();
    ranges.sort((a, b) => a.first - b.first);
    this.#free = new Map();
    for (let i = 0; i < ranges.length; ) {
      const { first } = ranges[i];
      let end = first;
      while (i < ranges.length && ranges[i].first === end) end += ranges[i++].size;
      if (end === this.#next) this.#next = first;
      else this.free(first, end - first);
    }
  }
}
