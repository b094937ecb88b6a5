import { runDelayNs, SHORT_MS } from '../copy/worker/cpu-clock.js';

/**
 * CPU time that the calling thread spends on one call, in the stretches between its waits. Several parts of the call may be
 * in a stretch at once, of which one runs: that time counts once.
 */
export interface CpuAccount {
  /** CPU nanoseconds of the stretches that are over. */
  ns: number;
  /** Parts of the call that are in a stretch. */
  running: number;
  /** When the first of them began, of performance.now(). */
  startedMs: number;
  /** What the thread had waited for a core by then, in nanoseconds. */
  delayNs: number;
}

/** An account of nothing yet, in no stretch: one for each call. */
export function createCpuAccount(): CpuAccount {
  return { ns: 0, running: 0, startedMs: 0, delayNs: 0 };
}

/** Begins a stretch. */
export function enter(account: CpuAccount): void {
  if (account.running++ > 0) return;
  account.delayNs = runDelayNs();
  account.startedMs = performance.now();
}

/** Ends one, for the call is to wait, or over. */
export function leave(account: CpuAccount): void {
  if (--account.running > 0) return;
  const wallMs = performance.now() - account.startedMs;
  const waitedNs = wallMs < SHORT_MS ? 0 : runDelayNs() - account.delayNs;
  account.ns += Math.max(0, wallMs * 1e6 - waitedNs);
}

/**
 * Waits for something, which is nobody's CPU time.
 *
 * @param wait begins it; what this does at once isn't the account's either
 */
export async function awaiting<T>(account: CpuAccount, wait: () => Promise<T>): Promise<T> {
  leave(account);
  try {
    return await wait();
  } finally {
    enter(account);
  }
}
