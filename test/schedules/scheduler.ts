import {
  ACTIVE,
  ANYTIME,
  ASLEEP,
  AT_ONCE,
  BY_PRIORITY,
  CHANGES,
  type Control,
  DEAD,
  DEADLOCK,
  DECISIONS,
  DIED,
  DIES_AT,
  DIVERGED,
  DRAINING,
  DYING,
  EARLY,
  EARLY_BLOCKS,
  EVENTS,
  EXPECTED,
  FAILED_THREAD,
  FAILED_WORD,
  FAILURE,
  FIXED,
  FREELY,
  GIVEN,
  GO,
  IDLE,
  LAST,
  LIVELOCK,
  LOST_WAKEUP,
  leastOf,
  MAIN,
  MAX_CHANGES,
  MAX_DECISIONS,
  MAX_STEPS,
  MAX_THREADS,
  MAX_WAITERS,
  mayPoll,
  NOBODY,
  OPERATIONS,
  OUT,
  of,
  ofWaiter,
  POLLED_AT,
  POLLS,
  PRIORITY,
  READY,
  STATE,
  STEPS,
  TICKET,
  TICKETS,
  TIME,
  TIME_PASSES,
  TIMEOUT,
  TOO_MANY,
  WAITER_EXPECTED,
  WAITER_STATE,
  WAITER_TICKET,
  WAITER_TIMEOUT,
  WAITER_WORD,
  WORD,
} from './control.js';

/** Atomics' own functions: what is scheduled must not schedule itself. */
const { load, store, notify, wait } = Atomics;

/** What ends a sleep. */
export type Woken = 'ok' | 'timed-out';

/** A thread's own part of a schedule: one thread runs at a time, and decides who goes on. */
export interface Scheduler {
  /** Comes in from outside a schedule, in the state that it is in; resumes when it is chosen. */
  arrive(me: number, state: number): void;
  /** Before an operation: whoever is chosen goes on. */
  step(me: number): void;
  /** Sleeps on a word until somebody wakes it, or its time is over. */
  sleep(me: number, word: number, expected: number, timeout: number): Woken;
  /** Wakes up to `count` of those that sleep on a word, those first that sleep longest; returns how many. */
  wake(word: number, count: number): number;
  /** Hands over, and resumes, the main thread, once it is chosen: see the states. */
  yieldAs(state: typeof IDLE | typeof LAST | typeof DRAINING): void;
  /** Which of `count` things, of the first seven, the main thread's event loop does first; at no cost. */
  pick(count: number): number;
  /** Has no part in the schedule any more. */
  leave(me: number): void;
  fail(me: number, failure: number, word?: number): never;
}

/**
 * @param valueAt what a word is now
 * @param onFailure what the main thread does once something went wrong; never returns
 * @param onDied what the main thread does once a thread has died
 */
export function createScheduler(
  control: Control,
  valueAt: (word: number) => number,
  onFailure: () => never,
  onDied: () => void,
): Scheduler {
  const { words, enabled, chosen, running, given } = control;

  /** Until this thread is chosen. */
  function awaitTurn(me: number): void {
    const go = of(me, GO);
    while (load(words, go) === 0) wait(words, go, 0);
    store(words, go, 0);
    if (words[FAILURE] !== 0) stop(me);
    if (me === MAIN && words[DIED] !== 0) onDied();
  }

  function handTo(next: number): void {
    const go = of(next, GO);
    store(words, go, 1);
    notify(words, go);
  }

  /** Something went wrong: the main thread says so, all others stand where they are. */
  function stop(me: number): never {
    if (me === MAIN) onFailure();
    for (;;) wait(words, of(me, GO), 0);
  }

  function fail(me: number, failure: number, word = -1): never {
    words[FAILURE] = failure;
    words[FAILED_THREAD] = me;
    words[FAILED_WORD] = word;
    if (me !== MAIN) handTo(MAIN);
    stop(me);
  }

  function whoCan(): number {
    let mask = 0;
    for (let thread = 0; thread < MAX_THREADS; thread++) {
      const state = words[of(thread, STATE)];
      const isLoop = state === IDLE || state === DRAINING;
      if (state === READY || (isLoop && (words[EVENTS] > 0 || mayPoll(control)))) mask |= 1 << thread;
    }
    const isEarly = words[TIME_PASSES] === EARLY || words[TIME_PASSES] === EARLY_BLOCKS;
    if (isEarly && isWaitingForTime()) mask |= 1 << TIME;
    return mask;
  }

  /** Once nobody can go on: lets the main thread do what it left for then, or time pass for it. */
  function whoElse(me: number): number {
    const state = words[of(MAIN, STATE)];
    // What still waits for a timer, at the end, would be left to the next schedule.
    if (state === DRAINING && firstInTime() >= 0) {
      passTime();
      return 1 << MAIN;
    }
    if (state === LAST || state === DRAINING) return 1 << MAIN;
    if (state === IDLE && words[POLLS] > 0) {
      words[POLLED_AT] = -1;
      return 1 << MAIN;
    }
    const timed = words[TIME_PASSES] === 0 ? -1 : whoseTimePasses();
    if (timed >= 0) return 1 << timed;
    return fail(me, sleepsInVain() ? LOST_WAKEUP : DEADLOCK);
  }

  /** Whether the main thread sleeps on a word that has changed already: it only had to be woken. */
  function sleepsInVain(): boolean {
    const isOther = (word: number, expected: number) => valueAt(words[word]) !== words[expected];
    if (words[of(MAIN, STATE)] === ASLEEP) return isOther(of(MAIN, WORD), of(MAIN, EXPECTED));
    for (let waiter = 0; waiter < MAX_WAITERS; waiter++) {
      if (words[ofWaiter(waiter, WAITER_STATE)] !== 1 || words[ofWaiter(waiter, WAITER_WORD)] < 0) continue;
      if (isOther(ofWaiter(waiter, WAITER_WORD), ofWaiter(waiter, WAITER_EXPECTED))) return true;
    }
    return false;
  }

  /** Whether the main thread blocks, but not for ever. */
  function isBlockedForTime(): boolean {
    return words[of(MAIN, STATE)] === ASLEEP && words[of(MAIN, TIMEOUT)] > 0;
  }

  /** Whether the main thread waits, but not for ever: that doesn't block, only if it polls, for others leave timers behind. */
  function isWaitingForTime(): boolean {
    return isBlockedForTime() || (control.protocol.polls === true && firstInTime() >= 0);
  }

  /** Of the main thread's waits that don't block, and may time out now, the one whose time is over first; -1 if there is none. */
  function firstInTime(): number {
    const state = words[of(MAIN, STATE)];
    const passes = words[TIME_PASSES];
    if (passes === EARLY_BLOCKS || (state !== IDLE && !(state === DRAINING && passes === AT_ONCE))) return -1;
    let first = -1;
    for (let waiter = 0; waiter < MAX_WAITERS; waiter++) {
      if (words[ofWaiter(waiter, WAITER_STATE)] !== 1 || words[ofWaiter(waiter, WAITER_TIMEOUT)] === 0) continue;
      if (first < 0 || words[ofWaiter(waiter, WAITER_TIMEOUT)] < words[ofWaiter(first, WAITER_TIMEOUT)]) first = waiter;
    }
    return first;
  }

  /** Ends the main thread's wait whose time is over first. */
  function passTime(): void {
    control.clock[0] += timeOfMain();
    if (isBlockedForTime()) return;
    words[ofWaiter(firstInTime(), WAITER_STATE)] = 3;
    words[EVENTS]++;
  }

  /** Milliseconds until the first of the main thread's waits is over; `Infinity` if it has none. */
  function timeOfMain(): number {
    if (isBlockedForTime()) return words[of(MAIN, TIMEOUT)];
    const first = firstInTime();
    return first < 0 ? Number.POSITIVE_INFINITY : words[ofWaiter(first, WAITER_TIMEOUT)];
  }

  /** Ends the wait whose time is over first; returns the thread that goes on, -1 if nobody waits for time. */
  function whoseTimePasses(): number {
    let least = timeOfMain();
    let first = least === Number.POSITIVE_INFINITY ? -1 : MAIN;
    for (let thread = MAIN + 1; thread < MAX_THREADS; thread++) {
      const timeout = words[of(thread, TIMEOUT)];
      if (words[of(thread, STATE)] !== ASLEEP || timeout === 0 || timeout >= least) continue;
      least = timeout;
      first = thread;
    }
    if (first === MAIN) passTime();
    else if (first > MAIN) control.clock[0] += least;
    return first;
  }

  /** Who goes on. */
  function choose(me: number): number {
    const mask = whoCan() || whoElse(me);
    const isWaiting = me === MAIN && words[ANYTIME] === 1;
    const next = decideAmong(me, mask, mask & (1 << me) && !isWaiting ? me : NOBODY);
    if (next !== TIME) return next;
    // Of drawn schedules once: whoever waits again and again would go on alone.
    words[of(TIME, PRIORITY)] = -1 - MAX_CHANGES;
    passTime();
    return MAIN;
  }

  /** A decision only where there is a choice. */
  function decideAmong(me: number, mask: number, runs: number): number {
    if ((mask & (mask - 1)) === 0) return leastOf(mask);
    if (words[FIXED] === 1) return straight(mask, runs);
    const index = words[DECISIONS];
    if (index === MAX_DECISIONS) fail(me, TOO_MANY);
    words[DECISIONS] = index + 1;
    const next = decide(me, mask, index, runs);
    enabled[index] = mask;
    running[index] = runs !== NOBODY && words[ANYTIME] === 1 ? runs | FREELY : runs;
    chosen[index] = next;
    return next;
  }

  function decide(me: number, mask: number, index: number, runs: number): number {
    if (index < words[GIVEN]) {
      const next = given[index];
      // What led here was the same the last time, if there was one: so were they who could go on.
      const isOther = enabled[index] !== 0 && enabled[index] !== mask;
      if (isOther || (mask & (1 << next)) === 0) fail(me, DIVERGED);
      return next;
    }
    if (words[BY_PRIORITY] === 1) return greatest(mask);
    return straight(mask, runs);
  }

  /** Whoever runs, or else the least. */
  function straight(mask: number, runs: number): number {
    return runs === NOBODY ? leastOf(mask) : runs;
  }

  function greatest(mask: number): number {
    let best = -1;
    for (let thread = 0; thread < MAX_THREADS; thread++) {
      if ((mask & (1 << thread)) === 0) continue;
      if (best < 0 || words[of(thread, PRIORITY)] > words[of(best, PRIORITY)]) best = thread;
    }
    return best;
  }

  /** PCT: at its change points the thread that runs becomes less than all others. */
  function changePriority(me: number): void {
    for (let change = 0; change < MAX_CHANGES; change++) {
      if (words[CHANGES + change] === words[STEPS]) words[of(me, PRIORITY)] = -1 - change;
    }
  }

  /** Wakes whoever sleeps on a word longest; false if nobody does. */
  function wakeOldest(word: number): boolean {
    let oldest = Number.POSITIVE_INFINITY;
    let found = -1;
    for (let thread = 0; thread < MAX_THREADS; thread++) {
      if (words[of(thread, STATE)] !== ASLEEP || words[of(thread, WORD)] !== word) continue;
      if (words[of(thread, TICKET)] >= oldest) continue;
      oldest = words[of(thread, TICKET)];
      found = of(thread, STATE);
    }
    const waiter = oldestWaiter(word, oldest);
    if (waiter >= 0) {
      words[ofWaiter(waiter, WAITER_STATE)] = 2;
      words[EVENTS]++;
      return true;
    }
    if (found >= 0) words[found] = READY;
    return found >= 0;
  }

  /** Of the waits that don't block, the oldest before `oldest`; -1 if there is none. */
  function oldestWaiter(word: number, oldest: number): number {
    let found = -1;
    let first = oldest;
    for (let waiter = 0; waiter < MAX_WAITERS; waiter++) {
      if (words[ofWaiter(waiter, WAITER_STATE)] !== 1 || words[ofWaiter(waiter, WAITER_WORD)] !== word) continue;
      if (words[ofWaiter(waiter, WAITER_TICKET)] >= first) continue;
      first = words[ofWaiter(waiter, WAITER_TICKET)];
      found = waiter;
    }
    return found;
  }

  /** Goes on as whoever is chosen. */
  function pass(me: number): void {
    const next = choose(me);
    if (next === me) {
      if (me === MAIN && words[DIED] !== 0) onDied();
      return;
    }
    handTo(next);
    awaitTurn(me);
  }

  function die(me: number): never {
    words[of(me, STATE)] = DEAD;
    words[DIED] = me;
    words[EVENTS]++;
    handTo(choose(me));
    for (;;) wait(words, of(me, GO), 0);
  }

  return {
    arrive(me, state) {
      store(words, of(me, STATE), state);
      notify(words, of(me, STATE));
      awaitTurn(me);
      if (words[ACTIVE] === 1 && words[of(me, STATE)] !== OUT) words[of(me, STATE)] = READY;
    },
    step(me) {
      if (++words[STEPS] > words[MAX_STEPS]) fail(me, LIVELOCK);
      const done = ++words[of(me, OPERATIONS)];
      if (words[DYING] === me && words[DIES_AT] === done) die(me);
      if (words[BY_PRIORITY] === 1) changePriority(me);
      pass(me);
    },
    sleep(me, word, expected, timeout) {
      if (me === MAIN && timeout > 0 && words[TIME_PASSES] === AT_ONCE) {
        control.clock[0] += timeout;
        return 'timed-out';
      }
      words[of(me, WORD)] = word;
      words[of(me, EXPECTED)] = expected;
      words[of(me, TICKET)] = ++words[TICKETS];
      // Whole milliseconds; 0 is for ever.
      words[of(me, TIMEOUT)] = Math.ceil(timeout);
      words[of(me, STATE)] = ASLEEP;
      pass(me);
      const woken = words[of(me, STATE)] === READY ? 'ok' : 'timed-out';
      words[of(me, STATE)] = READY;
      return woken;
    },
    wake(word, count) {
      for (let woken = 0; woken < count; woken++) if (!wakeOldest(word)) return woken;
      return count;
    },
    yieldAs(state) {
      words[of(MAIN, STATE)] = state;
      pass(MAIN);
      words[of(MAIN, STATE)] = READY;
    },
    pick(count) {
      return decideAmong(MAIN, (1 << Math.min(count, TIME)) - 1, NOBODY);
    },
    leave(me) {
      words[of(me, STATE)] = OUT;
      words[EVENTS]++;
      handTo(choose(me));
    },
    fail,
  };
}
