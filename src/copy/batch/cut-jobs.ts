import type { Steps } from '../../steps.js';
import { MiB } from '../../units.js';
import { type Distribution, MIN_UNIT_BYTES } from '../../words.js';
import type { Batch } from './batch.js';
import { type PlanTarget, planDynamic, planStatic } from './plan.js';
import { gainsFromOrder, HEAD_ITEMS, orderBySource } from './source-order.js';

/** The largest dynamic unit unless asked for, in bytes, and how many of them a participant gets if the batch is large enough. */
const MAX_UNIT_BYTES = MiB;
const UNITS_A_PARTICIPANT = 16;
/** Items that one job is cut from. */
const MOST_ITEMS = 32_768;

/** How batches are cut. */
export interface Cutting {
  readonly isStatic: boolean;
  /** Of a static batch. */
  readonly distribution: Distribution;
  /** Bytes of a unit of a dynamic batch; `'auto'`: by the batch. */
  readonly unitBytes: number | 'auto';
}

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
  /** What must be done before the job that begins at place `first` can be cut. */
  prepare(first: number): Steps<void>;
  /** Writes that job, for so many participants. */
  cut(target: JobTarget, first: number, participants: number): JobPlan;
  /** The item at each place of the jobs to come; `undefined` where they are the same. */
  readonly itemAt: Uint32Array | undefined;
}

/** The cutter of a batch. */
export function createCutter(batch: Batch, cutting: Cutting): Cutter {
  const { isStatic } = cutting;
  const isOrdered = !isStatic && gainsFromOrder(batch);
  let itemAt: Uint32Array | undefined;
  return {
    *prepare(first) {
      if (isOrdered && first > 0) itemAt ??= yield* orderBySource(batch);
    },
    cut(target, first, participants) {
      if (isStatic) return cutLists(batch, cutting, target, first, participants);
      // The first job is copied as it is: it hides what the order of the others costs. Others are bounded too, for neighbours
      // that merge take time to be looked at, but no room.
      const most = isOrdered && first === 0 ? HEAD_ITEMS : MOST_ITEMS;
      const end = Math.min(first + most, batch.bytes.length);
      return cutClaims(batch, cutting, target, first, end, participants, itemAt);
    },
    get itemAt() {
      return itemAt;
    },
  };
}

/** A list a participant. */
function cutLists(
  batch: Batch,
  { distribution }: Cutting,
  target: JobTarget,
  first: number,
  participants: number,
): JobPlan {
  const left = batch.bytes.length - first;
  const inChunks = distribution === 'auto' ? left < participants : distribution === 'chunks';
  // Each item needs a descriptor a list then.
  const room = inChunks ? Math.floor(target.source.length / participants) : target.source.length;
  const next = first + Math.min(room, left);
  const count = planStatic(target, target.lists, batch, first, next, participants, inChunks);
  return { units: participants, perUnit: 0, count, next, itemAt: undefined };
}

/** Units to claim. */
function cutClaims(
  batch: Batch,
  { unitBytes: asked }: Cutting,
  target: JobTarget,
  first: number,
  end: number,
  participants: number,
  itemAt?: Uint32Array,
): JobPlan {
  const share = batch.seen.total / (participants * UNITS_A_PARTICIPANT);
  // One item may be all there is, and its pieces must have room.
  const least = Math.max(MIN_UNIT_BYTES, (2 * batch.seen.total) / target.source.length);
  const unitBytes = Math.max(asked === 'auto' ? Math.min(share, MAX_UNIT_BYTES) : asked, least);
  const piece = Math.ceil(unitBytes / MIN_UNIT_BYTES) * MIN_UNIT_BYTES;
  const { used, next, bytes } = planDynamic(target, batch, first, end, piece, itemAt);
  const perUnit = Math.max(1, Math.floor((piece * used) / Math.max(bytes, 1)));
  // Nothing but empty items is a job too: somebody must take its one unit, or it would never be done.
  return { units: Math.max(1, Math.ceil(used / perUnit)), perUnit, count: used, next, itemAt };
}
