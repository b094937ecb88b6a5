import { ErrnoError } from '../errno.js';
import { PAGE_SHIFT } from '../units.js';

/** Ranges of one buffer that a batch writes (`to`) and reads (`from`): entry `i` of each is item `i`'s. */
export interface Ranges {
  readonly to: ArrayLike<number>;
  readonly from: ArrayLike<number>;
  readonly bytes: ArrayLike<number>;
}

/**
 * Checks that no two items write the same byte and none writes a byte that one reads: items are copied in any order, at
 * the same time.
 *
 * Frames in order, or on two nodes, or whole pages cost one pass. Anything else that shares a page is sorted.
 *
 * @throws ErrnoError EINVAL, naming two items that overlap.
 */
export function checkOverlap(items: Ranges): void {
  const { to, from, bytes } = items;
  const count = bytes.length;
  let toLow = Number.POSITIVE_INFINITY;
  let toHigh = 0;
  let fromLow = Number.POSITIVE_INFINITY;
  let fromHigh = 0;
  let ascending = true;
  for (let i = 0; i < count; i++) {
    const length = bytes[i] as number;
    if (length === 0) continue;
    const target = to[i] as number;
    const source = from[i] as number;
    if (target < toHigh) ascending = false;
    if (target < toLow) toLow = target;
    if (target + length > toHigh) toHigh = target + length;
    if (source < fromLow) fromLow = source;
    if (source + length > fromHigh) fromHigh = source + length;
  }
  const apart = toHigh <= fromLow || fromHigh <= toLow;
  if (apart && ascending) return;
  if (sharesNoPage(items, toLow, toHigh, apart)) return;
  throwAtOverlap(items);
}

/** Whether no page is written by two items, nor written by one and read by one. */
function sharesNoPage({ to, from, bytes }: Ranges, low: number, high: number, apart: boolean): boolean {
  const base = Math.floor(low / 2 ** PAGE_SHIFT);
  const pages = Math.ceil(high / 2 ** PAGE_SHIFT) - base;
  const written = new Uint32Array(Math.ceil(pages / 32));
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0) continue;
    const last = lastPage(to, bytes, i) - base;
    for (let page = firstPage(to, i) - base; page <= last; page++) {
      const word = page >>> 5;
      const bit = 1 << (page & 31);
      if ((written[word] as number) & bit) return false;
      written[word] = (written[word] as number) | bit;
    }
  }
  if (apart) return true;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === 0) continue;
    const last = Math.min(lastPage(from, bytes, i) - base, pages - 1);
    for (let page = Math.max(firstPage(from, i) - base, 0); page <= last; page++) {
      if (((written[page >>> 5] as number) >>> (page & 31)) & 1) return false;
    }
  }
  return true;
}

function firstPage(starts: ArrayLike<number>, i: number): number {
  return Math.floor((starts[i] as number) / 2 ** PAGE_SHIFT);
}

function lastPage(starts: ArrayLike<number>, bytes: ArrayLike<number>, i: number): number {
  return Math.floor(((starts[i] as number) + (bytes[i] as number) - 1) / 2 ** PAGE_SHIFT);
}

/** The exact check: sweeps over all ranges by their start. */
function throwAtOverlap({ to, from, bytes }: Ranges): void {
  const count = bytes.length;
  // Range r is item r's destination below `count`, and item r - count's source from there on.
  const start = (range: number) => (range < count ? to[range] : from[range - count]) as number;
  const end = (range: number) => start(range) + (bytes[range % count] as number);
  const byStart = Uint32Array.from({ length: 2 * count }, (_, range) => range)
    .filter((range) => (bytes[range % count] as number) > 0)
    .sort((a, b) => start(a) - start(b));
  let lastTo = -1;
  let lastFrom = -1;
  for (const range of byStart) {
    const isTo = range < count;
    if (lastTo >= 0 && start(range) < end(lastTo)) throw overlapError(lastTo, range, count);
    if (isTo && lastFrom >= 0 && start(range) < end(lastFrom)) throw overlapError(lastFrom, range, count);
    if (isTo && (lastTo < 0 || end(range) > end(lastTo))) lastTo = range;
    if (!isTo && (lastFrom < 0 || end(range) > end(lastFrom))) lastFrom = range;
  }
}

function overlapError(a: number, b: number, count: number): ErrnoError {
  const name = (range: number) => `${range < count ? 'to' : 'from'} of item ${range % count}`;
  return new ErrnoError('EINVAL', `${name(Math.max(a, b))} overlaps ${name(Math.min(a, b))}: copy them in two calls`);
}
