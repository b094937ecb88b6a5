import { createProcNumbers } from '../../proc.js';

/** Measures a thread's own CPU time in short stretches. `start` and `stop` take turns. */
export interface CpuClock {
  /** To call when the thread has slept: what it waited for a core until now belongs to no stretch. */
  wake(): void;
  start(): void;
  /** CPU nanoseconds of this thread since `start`. */
  stop(): number;
}

/** A stretch shorter than this, in milliseconds, is taken to have had the core to itself: a time slice is longer. */
export const SHORT_MS = 0.2;

/**
 * A clock of the calling thread's CPU time: the time on the wall less the time that the thread was ready to run but had
 * no core, which Linux tells in /proc/thread-self/schedstat. Node.js 20 has no other way to a thread's CPU time. Where
 * there is no such file it is the time on the wall.
 */
export function createCpuClock(): CpuClock {
  let started = 0;
  let delay = 0;
  let hasSlept = true;
  return {
    wake() {
      hasSlept = true;
    },
    start() {
      if (hasSlept) delay = runDelayNs();
      hasSlept = false;
      started = performance.now();
    },
    stop() {
      const wallMs = performance.now() - started;
      if (wallMs < SHORT_MS) return wallMs * 1e6;
      const now = runDelayNs();
      const waited = now - delay;
      delay = now;
      return Math.max(0, wallMs * 1e6 - waited);
    },
  };
}

/**
 * What {@link readSchedstat} read last: {@link CPU} and {@link DELAY} of the calling thread, in nanoseconds; 0 where the platform
 * doesn't tell.
 */
export const schedstat = new Float64Array(2);
/** Its CPU time, exact where it was last put off or put on a core, or a tick was; so it lags by up to {@link TICK_NS}. */
export const CPU = 0;
/** What it has waited for a core. */
export const DELAY = 1;
/** Nanoseconds between two ticks of the slowest clock that Linux is built with (CONFIG_HZ=100). */
export const TICK_NS = 10e6;

/** Reads both, as they are at one time. About 1 µs a call. */
export const readSchedstat = createProcNumbers('/proc/thread-self/schedstat', schedstat);

function runDelayNs(): number {
  readSchedstat();
  return schedstat[DELAY];
}
