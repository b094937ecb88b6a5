import type { Ranges } from './items.js';
import { DESCRIPTOR_WORDS, type PlanTarget } from './plan.js';

/** What the jobs of one batch did together. */
export interface Tally {
  /** CPU nanoseconds of workers. */
  workerNs: number;
  /** Numbers of the threads that copied. */
  readonly participants: Set<number>;
  /** Bytes not copied of each item that was not copied whole, by its position in the batch. */
  readonly left: Map<number, number>;
  /** Where the first difference of a compare is, as an address of its `to` side; Infinity while none is known. */
  difference: number;
  /** Whether the call was told to stop. */
  stopped: boolean;
}

export function createTally(): Tally {
  return {
    workerNs: 0,
    participants: new Set(),
    left: new Map(),
    difference: Number.POSITIVE_INFINITY,
    stopped: false,
  };
}

/** Notes that the items at places from `first` on were not begun. */
export function leaveFrom(first: number, { bytes }: Ranges, { left }: Tally, itemAt?: Uint32Array): void {
  for (let place = first; place < bytes.length; place++) {
    const item = itemAt ? itemAt[place] : place;
    left.set(item, bytes[item]);
  }
}

/** Notes which of a job's first `count` descriptors have bytes left, and whose they are. */
export function collectLeft(
  { descriptors, source }: PlanTarget,
  count: number,
  items: Ranges,
  { left }: Tally,
  itemAt?: Uint32Array,
): void {
  for (let i = 0; i < count; i++) {
    const bytes = descriptors[i * DESCRIPTOR_WORDS + 2];
    if (bytes === 0) continue;
    const to = descriptors[i * DESCRIPTOR_WORDS];
    noteLeft(left, items, source[i], to, to + bytes, itemAt);
  }
}

/** Adds what the items from place `first` on, which were merged into one descriptor, have from `to` up to `end`. */
function noteLeft(
  left: Map<number, number>,
  items: Ranges,
  first: number,
  to: number,
  end: number,
  itemAt?: Uint32Array,
): void {
  let touching = 0;
  for (let place = first; place < items.to.length && touching < end; place++) {
    const item = itemAt ? itemAt[place] : place;
    const bytes = items.bytes[item];
    if (bytes === 0) continue;
    const start = items.to[item];
    if (place > first && start !== touching) return;
    touching = start + bytes;
    const missing = Math.min(touching, end) - Math.max(start, to);
    if (missing > 0) left.set(item, (left.get(item) ?? 0) + missing);
  }
}
