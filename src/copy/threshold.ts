import { KiB, MiB } from '../units.js';
import type { Survey } from './batch/survey.js';

/** An asynchronous call of fewer bytes is copied at once: it bounds a turn of the event loop. */
const ASYNC_BYTES = MiB;
/**
 * A blocking call of fewer bytes gains nothing from other threads: waking them costs what they save. Where items stay small one
 * thread copies more slowly.
 */
const IN_A_ROW = { range: 16 * MiB, scattered: 4 * MiB };
/** The same after a rest, from which idle cores are slow to wake. */
const RESTED = { range: 96 * MiB, scattered: 16 * MiB };
/** What is not yet a rest, in milliseconds. */
const REST_MS = 1;
/** What remains small after merging: bytes of an item in the mean. */
const SMALL_ITEM_BYTES = 64 * KiB;

/** What of a batch decides: whether its items stay small. */
export type Shape = Pick<Survey, 'total' | 'runs'>;

/** That of one item, of any size. */
export const RANGE: Shape = { total: 1, runs: 0 };

/**
 * Bytes under which a call is copied by its own thread alone, at once.
 *
 * @param restMs of a blocking call: milliseconds since the one before it; `undefined` for an asynchronous one
 */
export function minParallelBytes({ total, runs }: Shape, restMs: number | undefined): number {
  if (restMs === undefined) return ASYNC_BYTES;
  const { range, scattered } = restMs < REST_MS ? IN_A_ROW : RESTED;
  return total < SMALL_ITEM_BYTES * runs ? scattered : range;
}
