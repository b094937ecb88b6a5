import { KiB, MiB } from '../units.js';
import type { Survey } from './batch/survey.js';

/** An asynchronous call of fewer bytes is copied at once: it bounds a turn of the event loop. */
const ASYNC_BYTES = MiB;
/** A blocking call of fewer bytes gains nothing from other threads: waking them, after a rest too, costs what they save. */
const RANGE_BYTES = 96 * MiB;
/** The same of one whose items stay small, which one thread copies more slowly. */
const SCATTERED_BYTES = 16 * MiB;
/** What remains small after merging: bytes of an item in the mean. */
const SMALL_ITEM_BYTES = 64 * KiB;

/** What of a batch decides: whether its items stay small. */
export type Shape = Pick<Survey, 'total' | 'runs'>;

/** That of one item, of any size. */
export const RANGE: Shape = { total: 1, runs: 0 };

/** Bytes under which a call is copied by its own thread alone, at once. */
export function minParallelBytes({ total, runs }: Shape, blocks: boolean): number {
  if (!blocks) return ASYNC_BYTES;
  return total < SMALL_ITEM_BYTES * runs ? SCATTERED_BYTES : RANGE_BYTES;
}
