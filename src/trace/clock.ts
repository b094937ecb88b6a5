/** Tries to look at both clocks at one time; the best counts. */
const TRIES = 10;

/**
 * Milliseconds of CLOCK_MONOTONIC, which all threads share and performance.now() is not: that counts from the start of its
 * thread, which performance.timeOrigin tells by the time of day alone, to a microsecond at best.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/**
 * What is to be added to this thread's performance.now() to have milliseconds since `epochMs` of {@link monotonicMs}. Both are
 * the same clock, so that it holds as long as the thread lives; it is wrong by half of what a look takes, some 0.1 µs. A
 * look by process.hrtime() allocates, so each event is timed by performance.now(), and this is asked for once a thread.
 */
export function clockOffset(epochMs: number): number {
  let least = Number.POSITIVE_INFINITY;
  let offset = 0;
  for (let i = 0; i < TRIES; i++) {
    const before = performance.now();
    const monotonic = monotonicMs();
    const took = performance.now() - before;
    if (took >= least) continue;
    least = took;
    offset = monotonic - epochMs - (before + took / 2);
  }
  return offset;
}
