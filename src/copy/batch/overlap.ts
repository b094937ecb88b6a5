import { ErrnoError } from '../../errno.js';
import type { Steps } from '../../steps.js';
import { PAGE_SIZE } from '../../units.js';
import type { Ranges } from './items.js';
import { sortByStart } from './sort-ranges.js';
import type { Survey } from './survey.js';

/** Items of a step. */
const STEP_ITEMS = 8192;
/** Pages between the lowest and the highest byte written, up to which a bit for each is worth its memory: 64 GiB. */
const MAX_PAGES = 2 ** 24;

/**
 * Checks that no two items write the same byte and none writes a byte that one reads: items are copied in any order, at
 * the same time. A batch of whole pages in any order costs one or two passes, any other is sorted.
 *
 * @throws ErrnoError EINVAL, naming two items that overlap.
 */
export function* checkOverlap(items: Ranges, seen: Survey): Steps<void> {
  const apart = areApart(seen);
  if (apart && seen.ascending) return;
  if (!(yield* sharesNoPage(items, seen, !apart))) yield* checkExactly(items, seen);
}

/** Whether all reads are on one side of all writes. */
function areApart({ toLow, toHigh, fromLow, fromHigh }: Survey): boolean {
  return toHigh <= fromLow || fromHigh <= toLow;
}

/** Whether no two items write to the same page, and if asked for, none reads from one that is written. */
function* sharesNoPage(items: Ranges, { toLow, toHigh }: Survey, looksAtReads: boolean): Steps<boolean> {
  const low = Math.floor(toLow / PAGE_SIZE) * PAGE_SIZE;
  const pages = Math.ceil((toHigh - low) / PAGE_SIZE);
  if (pages > MAX_PAGES) return false;
  const written = new Uint32Array((pages >>> 5) + 1);
  const count = items.bytes.length;
  for (let first = 0; first < count; first += STEP_ITEMS) {
    if (!markWritten(written, low, items, first, Math.min(first + STEP_ITEMS, count))) return false;
    yield;
  }
  for (let first = 0; looksAtReads && first < count; first += STEP_ITEMS) {
    if (!readsNone(written, low, pages, items, first, Math.min(first + STEP_ITEMS, count))) return false;
    yield;
  }
  return true;
}

/** Sets the bits of the pages from address `low` on that items `first` up to `end` write; false if one was set before. */
function markWritten(written: Uint32Array, low: number, { to, bytes }: Ranges, first: number, end: number): boolean {
  for (let i = first; i < end; i++) {
    const length = bytes[i];
    if (length === 0) continue;
    const target = to[i] - low;
    const last = ((target + length - 1) / PAGE_SIZE) | 0;
    for (let page = (target / PAGE_SIZE) | 0; page <= last; page = (page | 31) + 1) {
      const bits = page === last ? 1 << (page & 31) : bitsOf(page, last);
      const others = written[page >>> 5];
      if (others & bits) return false;
      written[page >>> 5] = others | bits;
    }
  }
  return true;
}

/** Whether none of the `pages` from address `low` on that items `first` up to `end` read is written. */
function readsNone(
  written: Uint32Array,
  low: number,
  pages: number,
  { from, bytes }: Ranges,
  first: number,
  end: number,
): boolean {
  const high = pages * PAGE_SIZE;
  for (let i = first; i < end; i++) {
    const length = bytes[i];
    const source = from[i] - low;
    if (length === 0 || source >= high || source + length <= 0) continue;
    const last = (Math.min(source + length - 1, high - 1) / PAGE_SIZE) | 0;
    for (let page = (Math.max(source, 0) / PAGE_SIZE) | 0; page <= last; page = (page | 31) + 1) {
      if (written[page >>> 5] & bitsOf(page, last)) return false;
    }
  }
  return true;
}

/** The bits of the pages from `page` up to `last` that have theirs in the same word. */
function bitsOf(page: number, last: number): number {
  const count = Math.min(last - page, 31 - (page & 31)) + 1;
  return (-1 >>> (32 - count)) << (page & 31);
}

/** The exact check, for any ranges: sweeps over them by their start. */
function* checkExactly(items: Ranges, seen: Survey): Steps<void> {
  const order = yield* sortByStart(items, seen);
  const count = items.bytes.length;
  const latest = { to: -1, from: -1 };
  for (let first = 0; first < order.length; first += STEP_ITEMS) {
    sweep(items, order.subarray(first, first + STEP_ITEMS), latest, count);
    yield;
  }
}

/** The ranges, of those swept over, that reach farthest; -1 before the first. */
interface Latest {
  to: number;
  from: number;
}

/** Throws if one of the ranges overlaps another or one of the latest. */
function sweep({ to, from, bytes }: Ranges, ranges: Uint32Array, latest: Latest, count: number): void {
  const start = (range: number) => (range < count ? to[range] : from[range - count]);
  const end = (range: number) => (range < 0 ? 0 : start(range) + bytes[range % count]);
  let { to: lastTo, from: lastFrom } = latest;
  for (const range of ranges) {
    const isTo = range < count;
    if (start(range) < end(lastTo)) throw overlapError(lastTo, range, count);
    if (isTo && start(range) < end(lastFrom)) throw overlapError(lastFrom, range, count);
    if (isTo && end(range) > end(lastTo)) lastTo = range;
    if (!isTo && end(range) > end(lastFrom)) lastFrom = range;
  }
  latest.to = lastTo;
  latest.from = lastFrom;
}

function overlapError(a: number, b: number, count: number): ErrnoError {
  const name = (range: number) => `${range < count ? 'to' : 'from'} of item ${range % count}`;
  const advice = a % count === b % count ? 'a copy within one range must not' : 'copy them in two calls';
  return new ErrnoError('EINVAL', `${name(Math.max(a, b))} overlaps ${name(Math.min(a, b))}: ${advice}`);
}
