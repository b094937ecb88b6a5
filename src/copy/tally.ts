import type { Slot } from './job-ring.js';
import { DESCRIPTOR_WORDS } from './plan.js';
import type { Transfer } from './transfer.js';

/** What the jobs of one call did together. */
export interface Tally {
  /** CPU nanoseconds of workers. */
  workerNs: number;
  /** Numbers of the threads that copied. */
  readonly participants: Set<number>;
  /** Bytes not copied of each item that was not copied whole, by its position in the transfer. */
  readonly left: Map<number, number>;
  /** Whether a worker died in it. */
  lostWorker: boolean;
  /** Whether the call was told to stop. */
  stopped: boolean;
}

/** A transfer of a call, and what became of it. */
export interface Part {
  transfer: Transfer;
  readonly tally: Tally;
}

export function createTally(): Tally {
  return { workerNs: 0, participants: new Set(), left: new Map(), lostWorker: false, stopped: false };
}

/** Notes that the items at places from `first` on were not begun. */
export function leaveFrom(first: number, { transfer, tally }: Part, order?: Uint32Array): void {
  for (let place = first; place < transfer.bytes.length; place++) {
    const item = order ? order[place] : place;
    tally.left.set(item, transfer.bytes[item]);
  }
}

/** Notes which of a slot's descriptors have bytes left, and whose they are. */
export function collectLeft(slot: Slot, items: number, { transfer, tally }: Part, order?: Uint32Array): void {
  const words = slot.descriptors;
  for (let i = 0; i < items; i++) {
    const left = words[i * DESCRIPTOR_WORDS + 2];
    if (left === 0) continue;
    const to = words[i * DESCRIPTOR_WORDS];
    noteLeft(tally.left, transfer, slot.source[i], to, to + left, order);
  }
}

/** Adds what the items from place `first` on, which were merged into one descriptor, have from `to` up to `end`. */
function noteLeft(
  left: Map<number, number>,
  transfer: Transfer,
  first: number,
  to: number,
  end: number,
  order?: Uint32Array,
): void {
  let touching = 0;
  for (let place = first; place < transfer.to.length && touching < end; place++) {
    const item = order ? order[place] : place;
    const bytes = transfer.bytes[item];
    if (bytes === 0) continue;
    const start = transfer.to[item];
    if (place > first && start !== touching) return;
    touching = start + bytes;
    const missing = Math.min(touching, end) - Math.max(start, to);
    if (missing > 0) left.set(item, (left.get(item) ?? 0) + missing);
  }
}
