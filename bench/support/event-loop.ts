/** How long a call kept the event loop from turning, in milliseconds. */
export interface Blocked {
  /** Until the call returned its promise. */
  readonly calling: number;
  /** The longest turn until that was settled, the calling one among them. */
  readonly longest: number;
}

/** Makes a call while the event loop turns as often as it can, and looks at the clock in every turn. */
export async function watchTurns(call: () => Promise<unknown>): Promise<Blocked> {
  await new Promise(setImmediate);
  const started = performance.now();
  let last = started;
  let longest = 0;
  let settled = false;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!settled) setImmediate(look);
  };
  const promise = call();
  const calling = performance.now() - started;
  setImmediate(look);
  await promise;
  settled = true;
  return { calling, longest: Math.max(longest, performance.now() - last) };
}

/** Milliseconds of this thread that a call takes, those in which the event loop waits left out. */
export async function threadTime(call: () => Promise<unknown>): Promise<number> {
  const before = performance.eventLoopUtilization();
  await call();
  return performance.eventLoopUtilization(before).active;
}
