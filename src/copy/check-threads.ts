import { availableParallelism } from 'node:os';
import { invalid } from '../errno.js';

/** The most threads that a copy can have, as in the published driver. */
export const MAX_THREADS = 64;

/**
 * The number of threads that a caller asked for; `'auto'` is as many as the machine can run at once, up to 64.
 *
 * @throws ErrnoError EINVAL for anything but a whole number from 1 to 64 or `'auto'`.
 */
export function checkThreads(threads: unknown): number {
  if (threads === 'auto') return Math.min(availableParallelism(), MAX_THREADS);
  if (typeof threads !== 'number' || !Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw invalid('threads', `must be a whole number from 1 to ${MAX_THREADS}, or 'auto'`, threads);
  }
  return threads;
}
