import type { CpuClock } from './cpu-clock.js';
import {
  CLOSED,
  COUNT,
  CURSOR,
  DONE,
  FREE,
  type JobRing,
  LEFT,
  PENDING,
  PER_UNIT,
  type Slot,
  UNITS,
} from './job-ring.js';

/** Copies descriptors `first` up to `end` of the job in `slot`; returns how many have bytes left. */
export type CopyRange = (slot: Slot, first: number, end: number) => number;

/** A thread that copies: the same code in a worker and in a caller that helps. */
export interface Participant {
  /** Worker index, or CALLER. */
  readonly index: number;
  readonly ring: JobRing;
  /** Whether each of a job's units is a list; otherwise it is a few descriptors. */
  readonly isStatic: boolean;
  readonly copyRange: CopyRange;
  readonly clock: CpuClock;
}

/**
 * Claims one unit of the slot's job for `participant` and copies it.
 *
 * @returns false if there was none to claim
 */
export function copyUnit(participant: Participant, slot: Slot): boolean {
  const { index, ring, isStatic, copyRange, clock } = participant;
  const { words } = ring;
  const { base } = slot;
  const unit = claimUnit(words, slot, index + 1);
  if (unit < 0) return false;
  clock.start();
  const first = isStatic ? slot.lists[unit] : unit * words[base + PER_UNIT];
  const end = isStatic ? slot.lists[unit + 1] : Math.min(first + words[base + PER_UNIT], words[base + COUNT]);
  const left = copyRange(slot, first, end);
  // Before the count below, after which the caller looks at it.
  if (left > 0) Atomics.add(words, base + LEFT, left);
  // At least 1: above 0 means that the thread took part.
  slot.cpuNs[index] = slot.cpuNs[index] + Math.max(clock.stop(), 1);
  finishUnit(words, slot, unit, index + 1);
  return true;
}

/** Claims the next unit of the slot's job; -1 if there is none. */
function claimUnit(words: Int32Array, slot: Slot, owner: number): number {
  for (;;) {
    // Orders nothing: a ticket only says where to try. The claim decides.
    const unit = Atomics.add(words, slot.base + CURSOR, 1);
    if (unit >= Atomics.load(words, slot.base + UNITS)) return -1;
    // Acquire: pairs with the caller's FREE; the job's fields and descriptors are seen after it.
    if (Atomics.compareExchange(words, slot.owners + unit, FREE, owner) === FREE) return unit;
  }
}

function finishUnit(words: Int32Array, slot: Slot, unit: number, owner: number): void {
  // Release: the copied bytes and the CPU time come before the count. Whoever takes it to 0 is the last, so its store of
  // DONE tells the caller of everybody's bytes; the store comes before the notify, so the caller sees it or is woken.
  if (Atomics.sub(words, slot.base + PENDING, 1) === 1) {
    Atomics.store(words, slot.base + DONE, 1);
    Atomics.notify(words, slot.base + DONE);
  }
  // After DONE the slot may hold a new job already, where this unit has another owner: then there is nothing to close.
  // Closing last lets a caller that lost a worker know that nobody else will write to the slot.
  Atomics.compareExchange(words, slot.owners + unit, owner, CLOSED);
}
