import type { Steps } from '../../steps.js';
import type { Ranges } from './items.js';
import type { Survey } from './survey.js';

/** Bits of an address that one pass sorts by. */
const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;
/** Ranges of a step. */
const STEP_RANGES = 8192;

/**
 * What a batch writes and reads, by where it starts: range `i` is where item `i` is written, range `i + count` where it is
 * read from. Items of 0 bytes are left out. A radix sort, for it can be done in steps.
 */
export function* sortByStart(items: Ranges, { toLow, fromLow, toHigh, fromHigh }: Survey): Steps<Uint32Array> {
  const low = Math.min(toLow, fromLow);
  const span = Math.max(toHigh, fromHigh) - low;
  let order: Uint32Array = yield* rangesOf(items);
  let spare: Uint32Array = new Uint32Array(order.length);
  for (let unit = 1; unit < span; unit *= DIGITS) {
    const starts = new Uint32Array(DIGITS + 1);
    for (let first = 0; first < order.length; first += STEP_RANGES) {
      countDigits(items, order.subarray(first, first + STEP_RANGES), low, unit, starts);
      yield;
    }
    for (let digit = 0; digit < DIGITS; digit++) starts[digit + 1] = starts[digit + 1] + starts[digit];
    for (let first = 0; first < order.length; first += STEP_RANGES) {
      placeByDigit(items, order.subarray(first, first + STEP_RANGES), low, unit, starts, spare);
      yield;
    }
    [order, spare] = [spare, order];
  }
  return order;
}

function* rangesOf({ bytes }: Ranges): Steps<Uint32Array> {
  const count = bytes.length;
  const ranges = new Uint32Array(2 * count);
  let used = 0;
  for (let i = 0; i < count; i++) {
    if (i % STEP_RANGES === 0) yield;
    if (bytes[i] === 0) continue;
    ranges[used++] = i;
    ranges[used++] = i + count;
  }
  return ranges.subarray(0, used);
}

/** Counts each digit of the ranges' starts at the place after its own. */
function countDigits(items: Ranges, ranges: Uint32Array, low: number, unit: number, starts: Uint32Array): void {
  for (let i = 0; i < ranges.length; i++) {
    const digit = digitOf(items, ranges[i], low, unit);
    starts[digit + 1] = starts[digit + 1] + 1;
  }
}

function placeByDigit(
  items: Ranges,
  ranges: Uint32Array,
  low: number,
  unit: number,
  starts: Uint32Array,
  sorted: Uint32Array,
): void {
  for (let i = 0; i < ranges.length; i++) {
    const digit = digitOf(items, ranges[i], low, unit);
    const at = starts[digit];
    starts[digit] = at + 1;
    sorted[at] = ranges[i];
  }
}

function digitOf({ to, from, bytes }: Ranges, range: number, low: number, unit: number): number {
  const count = bytes.length;
  const start = range < count ? to[range] : from[range - count];
  return Math.floor((start - low) / unit) % DIGITS;
}
