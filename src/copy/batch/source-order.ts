import type { Steps } from '../../steps.js';
import { KiB, PAGE_SIZE } from '../../units.js';
import type { Batch } from './batch.js';
import type { Ranges } from './items.js';

/** Items that are copied in the order given, while the rest is put in another. */
export const HEAD_ITEMS = 4096;
/** The largest mean item that gains, in bytes: within a larger one the hardware prefetches by itself. */
const MAX_MEAN_BYTES = 128 * KiB;
/** The least share that a batch must read of what lies between its lowest and its highest source to gain. */
const MIN_DENSITY = 0.5;
/** Items, or pages, of a step. */
const STEP_ITEMS = 8192;

/**
 * Whether a batch gains from being copied in the order of its sources: many small items, scattered over frames most of
 * which it reads. In that order its reads are sequential, wherever it writes.
 */
export function gainsFromOrder({ bytes, seen }: Batch): boolean {
  const { total, fromLow, fromHigh, readsAscend } = seen;
  if (readsAscend || bytes.length < 2 * HEAD_ITEMS) return false;
  return total <= MAX_MEAN_BYTES * bytes.length && total >= MIN_DENSITY * (fromHigh - fromLow);
}

/**
 * The positions of a batch's items in the order of the pages that their sources begin on, but for the first
 * {@link HEAD_ITEMS}, which stay where they are. A counting sort, about 1.5 ms for 131,072 items.
 */
export function* orderBySource(batch: Batch): Steps<Uint32Array> {
  const { from, seen, lists } = batch;
  const count = from.length;
  const low = Math.floor(seen.fromLow / PAGE_SIZE) * PAGE_SIZE;
  const starts = lists.words(pageAfter(low, seen.fromHigh) + 2).fill(0);
  for (let first = HEAD_ITEMS; first < count; first += STEP_ITEMS) {
    countSources(starts, batch, low, first, Math.min(first + STEP_ITEMS, count));
    yield;
  }
  let start = HEAD_ITEMS;
  for (let page = 0; page < starts.length; page += STEP_ITEMS) {
    start = sumUp(starts.subarray(page, page + STEP_ITEMS), start);
    yield;
  }
  const order = lists.words(count);
  for (let i = 0; i < HEAD_ITEMS; i++) order[i] = i;
  for (let first = HEAD_ITEMS; first < count; first += STEP_ITEMS) {
    placeBySource(order, starts, batch, low, first, Math.min(first + STEP_ITEMS, count));
    yield;
  }
  return order;
}

/** Pages from the one that begins at `low` to that of an address. */
function pageAfter(low: number, address: number): number {
  return ((address - low) / PAGE_SIZE) | 0;
}

/** Counts the items that begin on each page at the place after the page's own. */
function countSources(starts: Uint32Array, { from, bytes }: Ranges, low: number, first: number, end: number): void {
  for (let i = first; i < end; i++) {
    // Items of 0 bytes may lie outside what was surveyed.
    const page = bytes[i] === 0 ? 0 : pageAfter(low, from[i]);
    starts[page + 1] = starts[page + 1] + 1;
  }
}

/** Makes places of counts, from `start` on. Returns where the next begins. */
function sumUp(starts: Uint32Array, start: number): number {
  let sum = start;
  for (let page = 0; page < starts.length; page++) {
    sum += starts[page];
    starts[page] = sum;
  }
  return sum;
}

function placeBySource(
  order: Uint32Array,
  starts: Uint32Array,
  { from, bytes }: Ranges,
  low: number,
  first: number,
  end: number,
): void {
  for (let i = first; i < end; i++) {
    const page = bytes[i] === 0 ? 0 : pageAfter(low, from[i]);
    const at = starts[page];
    starts[page] = at + 1;
    order[at] = i;
  }
}
