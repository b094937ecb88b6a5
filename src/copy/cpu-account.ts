import { CPU, DELAY, readSchedstat, SHORT_MS, schedstat, TICK_NS } from './worker/cpu-clock.js';

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

/** Milliseconds between two looks at the clock after which the thread was put off its core between them. */
const PUT_OFF_MS = 0.02;
/** The looks that are taken at most, on a host that puts it off every time. */
const MAX_LOOKS = 3;

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

/** CPU time of the thread when the first of the open stretches began, and what has been charged for since. */
let cpuNs = 0;
let chargedSince = 0;

/** The time on the wall when {@link look} looked. */
let seenMs = 0;

/** Looks at both clocks; once more if the thread was put off its core between the two, for one has that wait then and one not. */
function look(): void {
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    seenMs = performance.now();
    readSchedstat();
    if (performance.now() - seenMs < PUT_OFF_MS) return;
  }
}

/** Begins a stretch: until its end, or until another one begins, the thread works for this account and for no other. */
export function enter(account: CpuAccount): void {
  settle();
  if (open.length === 0) {
    // What it waited for a core as it woke is nobody's.
    look();
    chargedMs = seenMs;
    delayNs = schedstat[DELAY];
    cpuNs = schedstat[CPU];
    chargedSince = 0;
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
  let now = performance.now();
  unasked += (now - chargedMs) * 1e6;
  const asks = unasked >= short;
  if (asks) {
    look();
    now = seenMs;
    owed += schedstat[DELAY] - delayNs;
    delayNs = schedstat[DELAY];
    unasked = 0;
  }
  const wallNs = (now - chargedMs) * 1e6;
  chargedMs = now;
  if (asks && schedstat[CPU] > 0) owed += sleptNs(wallNs);
  const paid = Math.min(wallNs, owed);
  owed -= paid;
  account.ns += wallNs - paid;
  charged += wallNs - paid;
  chargedSince += wallNs - paid;
}

/**
 * What the thread has slept without its doing, as when V8 has it wait for the threads that collect garbage with it: what would be
 * charged for beyond the CPU time that it can have had since its first open stretch began.
 */
function sleptNs(wallNs: number): number {
  const most = schedstat[CPU] - cpuNs + TICK_NS - chargedSince;
  return Math.max(0, wallNs - owed - Math.max(0, most));
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
