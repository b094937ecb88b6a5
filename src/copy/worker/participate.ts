import { LIST, type TraceWriter, UNIT } from '../../trace/ring.js';
import type { CpuClock } from './cpu-clock.js';
import {
  bytesLeft,
  CLOSED,
  COUNT,
  CURSOR,
  countAttached,
  DONE,
  FREE,
  HELPS,
  isWide,
  type JobRing,
  METHOD,
  PENDING,
  PER_UNIT,
  type Slot,
  UNITS,
} from './job-ring.js';

/**
 * Copies descriptors `first` up to `end` of the job in `slot`, and stops once more than `limit` bytes are copied. Notes in the
 * slot that something was left, be it that a frame is poisoned or that the job was stopped.
 *
 * @returns the descriptor to go on with; `end` if that was all
 */
export type CopyRange = (slot: Slot, first: number, end: number, limit: number) => number;

/** A thread that copies: the same code in a worker and in the caller. */
export interface Participant {
  /** Worker index, or CALLER. */
  readonly index: number;
  readonly ring: JobRing;
  /** Whether each of a job's units is a list; otherwise it is a few descriptors. */
  readonly isStatic: boolean;
  readonly copyRange: CopyRange;
  readonly clock: CpuClock;
  /** Where it says what it copies; `undefined` while nobody traces. */
  readonly trace: TraceWriter | undefined;
}

/** The unit that a thread is copying: descriptors from `next` up to `end`. */
export interface Held {
  /** Its number; -1 for none. */
  unit: number;
  next: number;
  end: number;
}

export const NO_LIMIT = 2 ** 32 - 1;

/**
 * Copies the unit that is held, or claims the next one of the slot's job, until it is done or `limit` bytes are.
 *
 * @returns false if nothing was held and none was left to claim
 */
export function copyUnit(participant: Participant, slot: Slot, held: Held, limit: number): boolean {
  const { index, ring, copyRange, clock, trace } = participant;
  if (held.unit < 0 && !claimUnit(participant, slot, held)) return false;
  clock.start();
  held.next = trace ? copyTraced(participant, trace, slot, held, limit) : copyRange(slot, held.next, held.end, limit);
  // At least 1: above 0 means that the thread took part.
  slot.cpuNs[index] = slot.cpuNs[index] + Math.max(clock.stop(), 1);
  if (held.next < held.end) return true;
  finishUnit(ring.words, slot, held.unit, index + 1);
  held.unit = -1;
  return true;
}

/**
 * Copies what is held as {@link CopyRange} does, as a slice that says what was copied: what the descriptors have less. A unit
 * that takes several steps is as many slices.
 */
export function copyTraced(
  { copyRange, isStatic, ring: { words } }: Participant,
  trace: TraceWriter,
  slot: Slot,
  { unit, next, end }: Held,
  limit: number,
): number {
  const { descriptors } = isWide(words[slot.base + METHOD]) ? slot.wide : slot.narrow;
  const event = isStatic ? LIST : UNIT;
  const before = bytesLeft(descriptors, next, end);
  trace.begin(event, unit);
  const reached = copyRange(slot, next, end, limit);
  trace.end(event, before - bytesLeft(descriptors, next, end), 0);
  return reached;
}

/**
 * Whether a static job has a list that nobody counts on: it has more than there are threads, for some are still to start or
 * have ended.
 */
export function hasSpareList(ring: JobRing, { base }: Slot): boolean {
  const lists = ring.words[base + UNITS];
  return lists > countAttached(ring, lists) + ring.words[base + HELPS];
}

/** Claims the next unit of the slot's job; false if there is none. */
function claimUnit({ index, ring: { words }, isStatic }: Participant, slot: Slot, held: Held): boolean {
  const { base, owners } = slot;
  for (;;) {
    // Orders nothing: a ticket only says where to try. The claim decides.
    const unit = Atomics.add(words, base + CURSOR, 1);
    if (unit >= Atomics.load(words, base + UNITS)) return false;
    // Acquire: pairs with the caller's FREE; the job's fields and descriptors are seen after it.
    if (Atomics.compareExchange(words, owners + unit, FREE, index + 1) !== FREE) continue;
    const { lists } = slot.narrow;
    const perUnit = words[base + PER_UNIT];
    held.unit = unit;
    held.next = isStatic ? lists[unit] : unit * perUnit;
    held.end = isStatic ? lists[unit + 1] : Math.min(held.next + perUnit, words[base + COUNT]);
    return true;
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
