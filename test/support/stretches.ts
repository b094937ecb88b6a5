import { fileURLToPath } from 'node:url';
import threads from 'node:worker_threads';
import { preloadThreads } from './preload.js';

const PRELOAD = fileURLToPath(new URL('./stretches-preload.cjs', import.meta.url));
const KEY = 'mtcopy:stretches';

/** What threads have done from one rest to the next, in all: looks at the clock, and bytes that came on their heaps. */
export interface Stretches {
  readonly rests: number;
  readonly looks: number;
  readonly bytes: number;
}

/**
 * Counts what a thread does between two times that it sleeps in Atomics.wait, on one that is started from now on, until it is
 * disposed of. One thread at a time. It collects garbage each time that it wakes.
 */
export function countStretches(): { readonly sums: Stretches; [Symbol.dispose](): void } {
  // A number is written by one thread alone, and read while that sleeps.
  const counts = new Float64Array(new SharedArrayBuffer(3 * 8));
  threads.setEnvironmentData(KEY, counts);
  const { restore } = preloadThreads(PRELOAD);
  return {
    get sums() {
      const [rests, looks, bytes] = counts;
      return { rests, looks, bytes };
    },
    [Symbol.dispose]() {
      threads.setEnvironmentData(KEY, undefined);
      restore();
    },
  };
}
