import { PAGE_SHIFT, PAGE_SIZE } from '../units.js';
import { countAt, IO_PAGES } from './worker/translate.js';

/** What nothing has been put into. */
const NONE = new Uint32Array(0);

/**
 * What is mapped by itself, and how often: ranges by the device address at which they begin, their pages and the access. A Map
 * alone would cost as much as the mapping; so the first range that begins in a page, which is nearly always the only one, has
 * a word of its own.
 */
export class SingleMappings {
  /**
   * For each page of the device's addresses and access, at {@link countAt}: {@link extentOf} the first range, or 0. 8 MiB, from
   * the first range on: most devices map whole tables alone.
   */
  #extents = NONE;
  /** How often other ranges are mapped, by {@link keyOf}: none where addresses are translated, each range to its own. */
  readonly #others = new Map<number, number>();

  /** Takes one range that begins at a device address, in up to IO_PAGES - 1 pages. */
  add(dma: number, pages: number, access: number): void {
    const place = countAt(dma >>> PAGE_SHIFT, access);
    const extent = extentOf(dma, pages);
    if (this.#extents === NONE) this.#extents = new Uint32Array(2 * IO_PAGES);
    if (this.#extents[place] === 0) {
      this.#extents[place] = extent;
      return;
    }
    const key = keyOf(place, extent);
    this.#others.set(key, (this.#others.get(key) ?? 0) + 1);
  }

  /** Forgets one range. Returns whether there was one like that. */
  delete(dma: number, pages: number, access: number): boolean {
    const place = countAt(dma >>> PAGE_SHIFT, access);
    const extent = extentOf(dma, pages);
    if (this.#extents[place] === extent) {
      this.#extents[place] = 0;
      return true;
    }
    const key = keyOf(place, extent);
    const count = this.#others.get(key);
    if (count === undefined) return false;
    if (count > 1) this.#others.set(key, count - 1);
    else this.#others.delete(key);
    return true;
  }
}

/** How many pages, in 20 bits, and where in the first one it begins, in 12: above 0. */
function extentOf(dma: number, pages: number): number {
  return pages * PAGE_SIZE + (dma & (PAGE_SIZE - 1));
}

/** One number, of 53 bits, for a place and an extent. */
function keyOf(place: number, extent: number): number {
  return place * 2 ** 32 + extent;
}
