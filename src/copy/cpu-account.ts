import { runDelayNs, SHORT_MS } from './worker/cpu-clock.js';

/**
 * CPU time of the calling thread on somebody's behalf, in the stretches between waits. Several stretches may be open at once,
 * of one account or of several: time counts once, for the account whose stretch was begun last.
 */
export interface CpuAccount {
  /** CPU nanoseconds of what is over. */
  ns: number;
}

/** An account that nothing has been charged to, for one call or one step of it on this thread. */
export function createCpuAccount(): CpuAccount {
  return { ns: 0 };
}

/** Nanoseconds that are charged for without asking what of them was a wait for a core. */
const SHORT_NS = SHORT_MS * 1e6;
/** The same at the end of the last stretch, when it is too late to ask about them later. To ask costs 1 µs. */
const SHORTEST_NS = 10e3;

/** The accounts of the open stretches of this thread, the last one begun at the end: an account as often as it is in one. */
const open: CpuAccount[] = [];
/** Up to when time is charged for, of performance.now(). */
let chargedMs = 0;
let charged = 0;
/** Nanoseconds charged for since the operating system was last asked what the thread has waited for a core, and that. */
let unasked = 0;
let delayNs = 0;
/** Nanoseconds charged for that turned out to be such waits: they come off what is charged for next, if a stretch is open. */
let owed = 0;

/** Begins a stretch: until its end, or until another one begins, the thread works for this account and for no other. */
export function enter(account: CpuAccount): void {
  settle();
  if (open.length === 0) {
    // What it waited for a core as it woke is nobody's. The clock first: it may be put off its core as the other call returns.
    chargedMs = performance.now();
    delayNs = runDelayNs();
    unasked = 0;
    owed = 0;
  }
  open.push(account);
}

/** Ends one, for whoever has begun it is to wait, or done. */
export function leave(account: CpuAccount): void {
  settle(open.length === 1 ? SHORTEST_NS : SHORT_NS);
  const at = open.lastIndexOf(account);
  if (at >= 0) open.splice(at, 1);
}

/**
 * Says that it is this account's stretch that goes on. An `await` in the middle of one lets others go on in theirs, and whoever
 * has begun last is charged until the next one says so.
 */
export function resume(account: CpuAccount): void {
  if (open.at(-1) === account) return;
  const at = open.lastIndexOf(account);
  if (at < 0) return;
  settle();
  open.splice(at, 1);
  open.push(account);
}

/** Does something at once in a stretch, which ends also with what fails. */
export function within<T>(account: CpuAccount, work: () => T): T {
  enter(account);
  try {
    return work();
  } finally {
    leave(account);
  }
}

/** Works in a stretch, which ends also with what fails. */
export async function during<T>(account: CpuAccount, work: () => Promise<T>): Promise<T> {
  enter(account);
  try {
    return await work();
  } finally {
    leave(account);
  }
}

/** CPU nanoseconds that all accounts of this thread have been charged with, until now. */
export function chargedNs(): number {
  settle();
  return charged;
}

/** As {@link chargedNs}, until a stretch was last begun, ended or resumed: without a look at the clock. */
export function chargedBefore(): number {
  return charged;
}

/**
 * Charges the account of the last stretch for the time until now.
 *
 * @param short so many nanoseconds, with what was charged for before, are taken to have had the core to themselves
 */
function settle(short = SHORT_NS): void {
  const account = open.at(-1);
  if (!account) return;
  const now = performance.now();
  const wallNs = (now - chargedMs) * 1e6;
  chargedMs = now;
  unasked += wallNs;
  if (unasked >= short) {
    const waited = runDelayNs();
    owed += waited - delayNs;
    delayNs = waited;
    unasked = 0;
  }
  const paid = Math.min(wallNs, owed);
  owed -= paid;
  account.ns += wallNs - paid;
  charged += wallNs - paid;
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
