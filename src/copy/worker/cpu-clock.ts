import { createProcReader } from '../../proc.js';

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
 * Nanoseconds that the calling thread has waited for a core; 0 where the platform doesn't tell. About 1 µs a call. The field
 * before it is the CPU time, which lags by up to a tick.
 */
export const runDelayNs = createProcReader('/proc/thread-self/schedstat', 1);
