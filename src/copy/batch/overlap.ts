import { ErrnoError } from '../../errno.js';
import { PAGE_SHIFT } from '../../units.js';
import type { CopyItems } from './items.js';

/** Ranges that a batch writes (`to`) and reads (`from`): entry `i` of each is item `i`'s. Addresses may be any numbers. */
export interface Ranges {
  readonly to: ArrayLike<number>;
  readonly from: ArrayLike<number>;
  readonly bytes: ArrayLike<number>;
}

/** What one pass over a batch tells of it. Items of 0 bytes count for nothing. */
export interface Survey {
  /** Bytes of all items. */
  readonly total: number;
  /** Lowest byte written; Infinity if there is none. */
  readonly toLow: number;
  /** One past the highest byte written. */
  readonly toHigh: number;
  /** Lowest byte read; Infinity if there is none. */
  readonly fromLow: number;
  /** One past the highest byte read. */
  readonly fromHigh: number;
  /** Whether every destination is beyond those before it. */
  readonly ascending: boolean;
  /** Whether every source is beyond those before it. */
  readonly readsAscend: boolean;
}

/** Looks at a batch once. */
export function survey({ to, from, bytes }: Ranges): Survey {
  let total = 0;
  let toLow = Number.POSITIVE_INFINITY;
  let toHigh = 0;
  let fromLow = Number.POSITIVE_INFINITY;
  let fromHigh = 0;
  let ascending = true;
  let readsAscend = true;
  for (let i = 0; i < bytes.length; i++) {
    const length = bytes[i];
    if (length === 0) continue;
    const target = to[i];
    const source = from[i];
    total += length;
    if (target < toHigh) ascending = false;
    if (source < fromHigh) readsAscend = false;
    if (target + length > toHigh) toHigh = target + length;
    if (target < toLow) toLow = target;
    if (source + length > fromHigh) fromHigh = source + length;
    if (source < fromLow) fromLow = source;
  }
  return { total, toLow, toHigh, fromLow, fromHigh, ascending, readsAscend };
}

/**
 * Checks that no two items write the same byte and none writes a byte that one reads: items are copied in any order, at
 * the same time.
 *
 * @throws ErrnoError EINVAL, naming two items that overlap.
 */
export function checkOverlap(items: Ranges, seen: Survey): void {
  if (!(areApart(seen) && seen.ascending)) checkExactly(items);
}

/** As {@link checkOverlap}, for 32-bit addresses: a batch of whole pages in any order costs one or two passes. */
export function checkOverlapInMemory(items: CopyItems, seen: Survey): void {
  const apart = areApart(seen);
  if (apart && seen.ascending) return;
  const written = writtenPages(items, seen);
  if (written && (apart || readsNone(items, seen, written))) return;
  checkExactly(items);
}

/** Whether all reads are on one side of all writes. */
function areApart({ toLow, toHigh, fromLow, fromHigh }: Survey): boolean {
  return toHigh <= fromLow || fromHigh <= toLow;
}

/** A bit for every page that is written, from the lowest on; `undefined` if two items share one. */
function writtenPages({ to, bytes }: CopyItems, { toLow, toHigh }: Survey): Uint32Array | undefined {
  const base = toLow >>> PAGE_SHIFT;
  const written = new Uint32Array(((((toHigh - 1) >>> PAGE_SHIFT) - base) >>> 5) + 1);
  for (let i = 0; i < bytes.length; i++) {
    const length = bytes[i];
    if (length === 0) continue;
    const target = to[i];
    const last = ((target + length - 1) >>> PAGE_SHIFT) - base;
    for (let page = (target >>> PAGE_SHIFT) - base; page <= last; page++) {
      const word = page >>> 5;
      const bit = 1 << (page & 31);
      if (written[word] & bit) return undefined;
      written[word] = written[word] | bit;
    }
  }
  return written;
}

/** Whether no page that is read is among the written ones. */
function readsNone({ from, bytes }: CopyItems, { toLow, toHigh }: Survey, written: Uint32Array): boolean {
  const base = toLow >>> PAGE_SHIFT;
  const end = (toHigh - 1) >>> PAGE_SHIFT;
  for (let i = 0; i < bytes.length; i++) {
    const length = bytes[i];
    if (length === 0) continue;
    const source = from[i];
    const last = Math.min((source + length - 1) >>> PAGE_SHIFT, end) - base;
    for (let page = Math.max(source >>> PAGE_SHIFT, base) - base; page <= last; page++) {
      if ((written[page >>> 5] >>> (page & 31)) & 1) return false;
    }
  }
  return true;
}

/** The exact check, for any ranges: sweeps over them by their start. */
function checkExactly({ to, from, bytes }: Ranges): void {
  const count = bytes.length;
  // Range r is item r's destination below `count`, and item r - count's source from there on.
  const start = (range: number) => (range < count ? to[range] : from[range - count]);
  const end = (range: number) => start(range) + bytes[range % count];
  const byStart = Uint32Array.from({ length: 2 * count }, (_, range) => range)
    .filter((range) => bytes[range % count] > 0)
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
  const advice = a % count === b % count ? 'a copy within one range must not' : 'copy them in two calls';
  return new ErrnoError('EINVAL', `${name(Math.max(a, b))} overlaps ${name(Math.min(a, b))}: ${advice}`);
}
