import type { Ranges } from './items.js';

/** What one pass over a batch tells of it. Items of 0 bytes count for nothing. */
export interface Survey {
  /** Bytes of all items. */
  total: number;
  /** Items that don't go on where the one before them ends, on both sides: what merging leaves. */
  runs: number;
  /** Lowest byte written; Infinity if there is none. */
  toLow: number;
  /** One past the highest byte written. */
  toHigh: number;
  /** Lowest byte read; Infinity if there is none. */
  fromLow: number;
  /** One past the highest byte read. */
  fromHigh: number;
  /** Whether every destination is beyond those before it. */
  ascending: boolean;
  /** Whether every source is beyond those before it. */
  readsAscend: boolean;
  /** Where the last item ends. */
  toEnd: number;
  fromEnd: number;
}

/** The survey of no items. */
export function createSurvey(): Survey {
  return {
    total: 0,
    runs: 0,
    toLow: Number.POSITIVE_INFINITY,
    toHigh: 0,
    fromLow: Number.POSITIVE_INFINITY,
    fromHigh: 0,
    ascending: true,
    readsAscend: true,
    toEnd: -1,
    fromEnd: -1,
  };
}

/** Adds items `first` up to `end`. */
export function surveyItems(seen: Survey, { to, from, bytes }: Ranges, first: number, end: number): void {
  let { total, runs, toLow, toHigh, fromLow, fromHigh, ascending, readsAscend, toEnd, fromEnd } = seen;
  for (let i = first; i < end; i++) {
    const length = bytes[i];
    if (length === 0) continue;
    const target = to[i];
    const source = from[i];
    total += length;
    if (target !== toEnd || source !== fromEnd) runs++;
    if (target < toHigh) ascending = false;
    if (source < fromHigh) readsAscend = false;
    toEnd = target + length;
    fromEnd = source + length;
    if (toEnd > toHigh) toHigh = toEnd;
    if (target < toLow) toLow = target;
    if (fromEnd > fromHigh) fromHigh = fromEnd;
    if (source < fromLow) fromLow = source;
  }
  Object.assign(seen, { total, runs, toLow, toHigh, fromLow, fromHigh, ascending, readsAscend, toEnd, fromEnd });
}

/** The survey of all items. */
export function survey(items: Ranges): Survey {
  const seen = createSurvey();
  surveyItems(seen, items, 0, items.bytes.length);
  return seen;
}
