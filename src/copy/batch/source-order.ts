import type { Steps } from '../../steps.js';
import { KiB, PAGE_SIZE } from '../../units.js';
import type { Batch } from './batch.js';

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
export function* orderBySource({ from, bytes, seen }: Batch): Steps<Uint32Array> {
  const count = from.length;
  const base = Math.floor(seen.fromLow / PAGE_SIZE);
  // Items of 0 bytes may lie outside what was surveyed.
  const pageOf = (i: number) => (bytes[i] === 0 ? 0 : Math.floor(from[i] / PAGE_SIZE) - base);
  const starts = new Uint32Array(Math.floor(seen.fromHigh / PAGE_SIZE) - base + 2);
  for (let i = HEAD_ITEMS; i < count; i++) {
    if (i % STEP_ITEMS === 0) yield;
    const page = pageOf(i);
    starts[page + 1] = starts[page + 1] + 1;
  }
  let start = HEAD_ITEMS;
  for (let page = 0; page < starts.length; page++) {
    if (page % STEP_ITEMS === 0) yield;
    start += starts[page];
    starts[page] = start;
  }
  const order = new Uint32Array(count);
  for (let i = 0; i < HEAD_ITEMS; i++) order[i] = i;
  for (let i = HEAD_ITEMS; i < count; i++) {
    if (i % STEP_ITEMS === 0) yield;
    const page = pageOf(i);
    const at = starts[page];
    starts[page] = at + 1;
    order[at] = i;
  }
  return order;
}
