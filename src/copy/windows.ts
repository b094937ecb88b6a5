import { KiB, MiB } from '../units.js';
import { SLOT_DESCRIPTORS, type Slot } from './job-ring.js';
import { planDynamic, planStatic } from './plan.js';
import { gainsFromOrder, HEAD_ITEMS, orderBySource } from './source-order.js';
import type { Transfer } from './transfer.js';

/** Bounds of a dynamic unit, in bytes, and how many of them a thread gets if the batch is large enough. */
const MIN_UNIT_BYTES = 64 * KiB;
const MAX_UNIT_BYTES = MiB;
const UNITS_A_THREAD = 16;

/** A window of a transfer, as it was written to a slot. */
export interface WindowPlan {
  readonly units: number;
  readonly perUnit: number;
  readonly items: number;
  /** The first place of the transfer that is not in this window. */
  readonly next: number;
  /** The items at each place; `undefined` where they are the same. */
  readonly order: Uint32Array | undefined;
}

/** Cuts a transfer into windows, one a slot. */
export interface Cutter {
  /** Writes the window of `transfer` that begins at place `first`, for `threads` threads. */
  cut(transfer: Transfer, slot: Slot, first: number, threads: number): WindowPlan;
  /** The items at each place of the windows to come; `undefined` where they are the same. */
  readonly order: Uint32Array | undefined;
}

/** The cutter for a transfer and a schedule. */
export function createCutter(whole: Transfer, isStatic: boolean): Cutter {
  if (isStatic) return { cut: planLists, order: undefined };
  const isOrdered = gainsFromOrder(whole);
  let order: Uint32Array | undefined;
  return {
    cut(transfer, slot, first, threads) {
      // The first window is copied as it is: it hides what the order of the others costs.
      if (isOrdered && first === 0) return planClaims(transfer, slot, 0, HEAD_ITEMS, threads);
      if (isOrdered) order ??= orderBySource(transfer);
      return planClaims(transfer, slot, first, transfer.bytes.length, threads, order);
    },
    get order() {
      return order;
    },
  };
}

/** A list a thread. */
function planLists(transfer: Transfer, slot: Slot, first: number, threads: number): WindowPlan {
  const next = Math.min(first + SLOT_DESCRIPTORS, transfer.bytes.length);
  const items = planStatic(slot, slot.lists, transfer, first, next, threads);
  return { units: threads, perUnit: 0, items, next, order: undefined };
}

/** Units for threads to claim. */
function planClaims(
  transfer: Transfer,
  slot: Slot,
  first: number,
  end: number,
  threads: number,
  order?: Uint32Array,
): WindowPlan {
  const share = transfer.seen.total / (threads * UNITS_A_THREAD);
  const unitBytes = Math.min(Math.max(share, MIN_UNIT_BYTES), MAX_UNIT_BYTES);
  const piece = Math.ceil(unitBytes / MIN_UNIT_BYTES) * MIN_UNIT_BYTES;
  const { used, next, bytes } = planDynamic(slot, transfer, first, end, piece, order);
  const perUnit = Math.max(1, Math.floor((piece * used) / Math.max(bytes, 1)));
  // A window of nothing but empty items is a job too: somebody must take its one unit, or it would never be done.
  return { units: Math.max(1, Math.ceil(used / perUnit)), perUnit, items: used, next, order };
}
