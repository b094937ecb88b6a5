import { KiB, MiB } from '../../units.js';
import type { Batch } from './batch.js';
import { type PlanTarget, planDynamic, planStatic } from './plan.js';
import { gainsFromOrder, HEAD_ITEMS, orderBySource } from './source-order.js';

/** Bounds of a dynamic unit, in bytes, and how many of them a thread gets if the batch is large enough. */
const MIN_UNIT_BYTES = 64 * KiB;
const MAX_UNIT_BYTES = MiB;
const UNITS_A_THREAD = 16;

/** Where a job is written. */
export interface JobTarget extends PlanTarget {
  /** Borders of the lists of a static job. */
  readonly lists: Int32Array;
}

/** A job, as it was written to its target. */
export interface JobPlan {
  readonly units: number;
  readonly perUnit: number;
  /** Descriptors written. */
  readonly count: number;
  /** The first place of the batch that is not in this job. */
  readonly next: number;
  /** The item at each place; `undefined` where they are the same. */
  readonly itemAt: Uint32Array | undefined;
}

/** Cuts a batch into jobs, as large as their targets have room for. */
export interface Cutter {
  /** Writes the job that begins at place `first`, for `threads` threads. */
  cut(target: JobTarget, first: number, threads: number): JobPlan;
  /** The item at each place of the jobs to come; `undefined` where they are the same. */
  readonly itemAt: Uint32Array | undefined;
}

/** The cutter of a batch, for a static schedule or a dynamic one. */
export function createCutter(batch: Batch, isStatic: boolean): Cutter {
  if (isStatic) return { cut: (target, first, threads) => cutLists(batch, target, first, threads), itemAt: undefined };
  const isOrdered = gainsFromOrder(batch);
  let itemAt: Uint32Array | undefined;
  return {
    cut(target, first, threads) {
      // The first job is copied as it is: it hides what the order of the others costs.
      if (isOrdered && first === 0) return cutClaims(batch, target, 0, HEAD_ITEMS, threads);
      if (isOrdered) itemAt ??= orderBySource(batch);
      return cutClaims(batch, target, first, batch.bytes.length, threads, itemAt);
    },
    get itemAt() {
      return itemAt;
    },
  };
}

/** A list a thread. */
function cutLists(batch: Batch, target: JobTarget, first: number, threads: number): JobPlan {
  const next = Math.min(first + target.source.length, batch.bytes.length);
  const count = planStatic(target, target.lists, batch, first, next, threads);
  return { units: threads, perUnit: 0, count, next, itemAt: undefined };
}

/** Units for threads to claim. */
function cutClaims(
  batch: Batch,
  target: JobTarget,
  first: number,
  end: number,
  threads: number,
  itemAt?: Uint32Array,
): JobPlan {
  const share = batch.seen.total / (threads * UNITS_A_THREAD);
  const unitBytes = Math.min(Math.max(share, MIN_UNIT_BYTES), MAX_UNIT_BYTES);
  const piece = Math.ceil(unitBytes / MIN_UNIT_BYTES) * MIN_UNIT_BYTES;
  const { used, next, bytes } = planDynamic(target, batch, first, end, piece, itemAt);
  const perUnit = Math.max(1, Math.floor((piece * used) / Math.max(bytes, 1)));
  // Nothing but empty items is a job too: somebody must take its one unit, or it would never be done.
  return { units: Math.max(1, Math.ceil(used / perUnit)), perUnit, count: used, next, itemAt };
}
