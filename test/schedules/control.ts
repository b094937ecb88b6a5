import type { Protocol } from './protocol.js';

/*
 * What the threads of a schedule share: which of them may run, what each is at, and what was decided. Only the thread that runs
 * writes, and hands over by an atomic store: the rest are plain words.
 */

/** Threads of a schedule: the main one, number 0, and those that its protocol numbers from 1 on. */
export const MAX_THREADS = 8;
export const MAIN = 0;
/** Stands in a decision for the main thread whose wait times out. Counts as a preemption: time could have stood still. */
export const TIME = MAX_THREADS - 1;
/** For "no thread" in a log of decisions. */
export const NOBODY = 255;
/** Beside who had been running in a log of decisions: the main thread might go on at no cost. */
export const FREELY = 64;

// Header, in words.
/** 1 while threads are scheduled; otherwise every operation is Atomics' own. */
export const ACTIVE = 0;
/** Operations of this schedule, and how many are too many. */
export const STEPS = 1;
export const MAX_STEPS = 2;
/** Counts sleeps: who sleeps longest is woken first. */
export const TICKETS = 3;
/** What went wrong, one of {@link FAILURES}, which thread saw it, and at which word. */
export const FAILURE = 4;
export const FAILED_THREAD = 5;
export const FAILED_WORD = 6;
/** Decisions made, and how many of them are given. */
export const DECISIONS = 7;
export const GIVEN = 8;
/** 1 if threads go on by priority, 0 if the one that runs goes on while it can. */
export const BY_PRIORITY = 9;
/** Steps at which the running thread becomes the least: change points of PCT. */
export const CHANGES = 10;
export const MAX_CHANGES = 4;
/** Which thread dies, at which of its operations, from 1; 0 for none. */
export const DYING = 14;
export const DIES_AT = 15;
/** The thread that has died, until the main one has ended it; 0 for none. */
export const DIED = 16;
/** Whether a wait of the main thread may time out: not, once nobody can go on, or at any time, as {@link TIME}'s decision. */
export const TIME_PASSES = 17;
export const AT_LAST = 1;
export const EARLY = 2;
/** As {@link EARLY}, but only for waits that block. */
export const EARLY_BLOCKS = 3;
/** Waits that block always time out at once, and others once nobody can go on. */
export const AT_ONCE = 4;
/** 1 if each operation is printed. */
export const VERBOSE = 18;
/** Things that the main thread's event loop has to do. */
export const EVENTS = 19;
/** Entries written to the log of operations. */
export const LOGGED = 20;
/** 1 while nobody decides: the thread that runs goes on, or else the least. */
export const FIXED = 30;
/** Races in their table. */
export const RACES = 29;
/** Regions in their table, and how often they were written anew. */
export const REGIONS = 31;
export const GENERATION = 32;
/** 1 while the main thread may begin at any time what its scenario has it do, at no cost. */
export const ANYTIME = 33;
/** Looks that the main thread takes again and again, and the operations of others when it took the last; see {@link mayPoll}. */
export const POLLS = 34;
export const POLLED_AT = 35;
/** From here on, what a protocol has to say to its threads. */
export const OWN = 40;
const HEADER = 64;

// A thread, in words from its first.
export const STATE = 0;
/** What it sleeps on, which value it found there, since when, and for how many milliseconds; 0 for ever. */
export const WORD = 1;
export const EXPECTED = 2;
export const TICKET = 3;
export const TIMEOUT = 4;
/** The word that it really waits on until it may run. */
export const GO = 5;
export const PRIORITY = 6;
/** Operations of it in this schedule. */
export const OPERATIONS = 7;
/** Node.js's number of the thread that has had this one last. */
export const THREAD_ID = 8;
const THREAD = 32;

// Values of STATE.
/** Not scheduled. */
export const OUT = 0;
/** Before an operation that it can do. */
export const READY = 1;
/** In a wait. */
export const ASLEEP = 2;
/** The main thread, whose event loop waits for something to do. */
export const IDLE = 3;
/** The main thread, once all others can't go on. */
export const LAST = 4;
/** Stands at an operation for ever. */
export const DEAD = 5;
/** About to begin its task; and come there, for the main thread to let in. */
export const STARTING = 6;
export const CAME = 7;
/** The main thread, whose event loop does what comes until nobody can go on. */
export const DRAINING = 8;

// Waits of the main thread that don't block, in words from the first of each.
export const MAX_WAITERS = 64;
/** 0 for none, 1 while it waits, 2 once woken, 3 once its time is over. */
export const WAITER_STATE = 0;
export const WAITER_WORD = 1;
export const WAITER_TICKET = 2;
export const WAITER_TIMEOUT = 3;
export const WAITER_EXPECTED = 4;
const WAITER = 8;

// Regions of shared memory whose words are scheduled, in words from the first of each: see regions.ts.
export const MAX_REGIONS = 32;
export const REGION = 8;

/** What can go wrong, by number. */
export const FAILURES = [
  'none',
  'deadlock: nobody can go on',
  'lost wake-up: a thread sleeps on a word that has changed, and nobody can go on',
  'livelock: too many operations',
  'the decisions that were given do not fit',
  'more decisions than there is room for',
] as const;
export const [, DEADLOCK, LOST_WAKEUP, LIVELOCK, DIVERGED, TOO_MANY] = FAILURES.keys();
/** The first of a protocol's own failures. */
export const OWN_FAILURES = FAILURES.length;

export const MAX_DECISIONS = 1 << 16;
/** Entries of the log of operations, five words each: thread, operation, word, argument, value then. */
export const LOG_ENTRIES = 1 << 12;
export const LOG_WORDS = 5;
/** Races that the table has room for, five words each: word, thread and kind of the first access, and of the second. */
export const MAX_RACES = 1 << 10;
export const RACE_WORDS = 5;
/** Node.js's numbers of threads are below. */
const MAX_THREAD_IDS = 1 << 16;

/** The shared memory of a schedule, seen from one thread. */
export interface Control {
  readonly protocol: Protocol;
  readonly words: Int32Array;
  /** For each decision who could go on, a bit a thread; who did; and who had been running and could, or NOBODY. */
  readonly enabled: Uint8Array;
  readonly chosen: Uint8Array;
  readonly running: Uint8Array;
  /** The first decisions, as {@link GIVEN} says. */
  readonly given: Uint8Array;
  readonly log: Int32Array;
  readonly races: Int32Array;
  /** The number of each thread in the schedule, and 1, by Node.js's number of it; 0 for none. */
  readonly numbers: Uint8Array;
  /** The operating system's number of each thread, by Node.js's. */
  readonly tids: Int32Array;
  /** The table of regions. */
  readonly regions: Int32Array;
  /** The main thread's clock, in milliseconds. */
  readonly clock: Float64Array;
}

const WORDS = HEADER + MAX_THREADS * THREAD + MAX_WAITERS * WAITER;
const REGION_TABLE = WORDS * 4;
const LOG = REGION_TABLE + MAX_REGIONS * REGION * 4;
const RACE_TABLE = LOG + LOG_ENTRIES * LOG_WORDS * 4;
const CLOCK = RACE_TABLE + MAX_RACES * RACE_WORDS * 4;
const TIDS = CLOCK + 8;
const BYTES = TIDS + MAX_THREAD_IDS * 4;
const TOTAL = BYTES + 4 * MAX_DECISIONS + MAX_THREAD_IDS;

export function createControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(TOTAL);
}

export function openControl(buffer: SharedArrayBuffer, protocol: Protocol): Control {
  const bytes = (part: number) => new Uint8Array(buffer, BYTES + part * MAX_DECISIONS, MAX_DECISIONS);
  return {
    protocol,
    words: new Int32Array(buffer, 0, WORDS),
    regions: new Int32Array(buffer, REGION_TABLE, MAX_REGIONS * REGION),
    tids: new Int32Array(buffer, TIDS, MAX_THREAD_IDS),
    log: new Int32Array(buffer, LOG, LOG_ENTRIES * LOG_WORDS),
    races: new Int32Array(buffer, RACE_TABLE, MAX_RACES * RACE_WORDS),
    clock: new Float64Array(buffer, CLOCK, 1),
    enabled: bytes(0),
    chosen: bytes(1),
    running: bytes(2),
    given: bytes(3),
    numbers: new Uint8Array(buffer, BYTES + 4 * MAX_DECISIONS, MAX_THREAD_IDS),
  };
}

/** The least of a set of threads, a bit each. */
export function leastOf(threads: number): number {
  return 31 - Math.clz32(threads & -threads);
}

/** Index of a word of a thread. */
export function of(thread: number, word: number): number {
  return HEADER + thread * THREAD + word;
}

/** Operations of all threads but the main one in this schedule. */
export function operationsOf({ words }: Control): number {
  let operations = 0;
  for (let thread = 1; thread < MAX_THREADS; thread++) operations += words[of(thread, OPERATIONS)];
  return operations;
}

/** Whether the main thread polls, and might see something new, or nobody else can go on. */
export function mayPoll(control: Control): boolean {
  const { words } = control;
  return words[POLLS] > 0 && words[POLLED_AT] !== operationsOf(control);
}

/** The clock goes on by so many milliseconds at each look: sums of it aren't rounded, whatever the time is. */
const LOOK_MS = 1 / 64;

/** A look at the clock. */
export function look({ clock }: Control): number {
  clock[0] += LOOK_MS;
  return clock[0];
}

/** Milliseconds as process.hrtime tells them. */
export function timeOf(ms: number): [seconds: number, nanoseconds: number] {
  const seconds = Math.floor(ms / 1e3);
  return [seconds, Math.floor((ms - seconds * 1e3) * 1e6)];
}

/** Index of a word of a wait that doesn't block. */
export function ofWaiter(waiter: number, word: number): number {
  return HEADER + MAX_THREADS * THREAD + waiter * WAITER + word;
}

/** What threads find under {@link CONTROL_KEY}. */
export interface Shared {
  /** Name of the protocol. */
  readonly protocol: string;
  readonly control: SharedArrayBuffer;
  /** See races.ts. */
  readonly clocks: SharedArrayBuffer;
}

/** Under which threads find the shared memory in their environment data. */
export const CONTROL_KEY = 'mtcopy:schedules';
