import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';
import {
  ACTIVE,
  ANYTIME,
  CAME,
  type Control,
  DEAD,
  DRAINING,
  EVENTS,
  IDLE,
  look,
  MAIN,
  MAX_THREADS,
  MAX_WAITERS,
  mayPoll,
  OUT,
  of,
  ofWaiter,
  operationsOf,
  POLLED_AT,
  POLLS,
  READY,
  STARTING,
  STATE,
  TICKETS,
  timeOf,
  WAITER_EXPECTED,
  WAITER_STATE,
  WAITER_TICKET,
  WAITER_TIMEOUT,
  WAITER_WORD,
} from './control.js';
import type { Races } from './races.js';
import type { Scheduler } from './scheduler.js';

/** A task of a thread, whose end is told when the schedule has it. */
interface Task {
  readonly pool: Pool;
  /** Its number in the schedule; `undefined` for a pool's end. */
  readonly thread: number | undefined;
  /** Resolves once it has ended; ends a pool. */
  readonly ended: () => Promise<unknown>;
  readonly tell: () => void;
}

/** What a pool of threads is to a schedule; see src/threads/pool.ts. */
interface Pool {
  run(task: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** The main thread's event loop while schedules are run: what comes when is the scheduler's choice. */
export interface EventLoop {
  waitAsync(word: number, expected: number, timeout: number): ReturnType<typeof Atomics.waitAsync>;
  /** Has the threads of these pools begin and end their tasks when the schedule has them. */
  schedulePools(prototype: Pool): void;
  /** Runs until a promise has settled, and then until nobody can go on. */
  run(scheduler: Scheduler, body: () => Promise<void>): Promise<void>;
  /** Resolves whenever the schedule likes, at no cost: after nothing, or anything, that the threads that run do meanwhile. */
  anytime(): Promise<void>;
  /** Ends the waits that would time out, and that a schedule has left: a race that they were in is over. */
  forgetWaits(): void;
  /** Has the time of all short timers pass. */
  fireTimers(): void;
}

const realImmediate = globalThis.setImmediate;
const realTimeout = globalThis.setTimeout;
const realNow = performance.now.bind(performance);
/** What somebody waits for who only waits for time. */
const NO_WORD = -1;
/** A longer timer is somebody else's. */
const SHORT_TIMER_MS = 1000;

/** Turns of the event loop after which a thread that doesn't come is being started. */
const MANY_LOOKS = 100;

const pause = () => new Promise<void>((resolve) => realTimeout(resolve, 1));
/** A turn of the real event loop. */
export const turn = () => new Promise<void>((resolve) => realImmediate(resolve));

export function createEventLoop(control: Control, races: Races): EventLoop {
  const { words, clock, protocol } = control;
  const immediates: (() => void)[] = [];
  /** Of those who look again and again at what others do. */
  const polls: (() => void)[] = [];
  const waiters: (((woken: string) => void) | undefined)[] = new Array(MAX_WAITERS).fill(undefined);
  const timers = new Set<() => void>();
  let tasks: Task[] = [];
  const scheduled = new Set<Pool>();
  const isScheduled = () => words[ACTIVE] === 1 && words[of(MAIN, STATE)] !== OUT;

  replaceGlobal('setImmediate', (callback: () => void) => {
    if (!isScheduled()) return realImmediate(callback);
    words[EVENTS]++;
    immediates.push(callback);
    return undefined;
  });
  replaceGlobal('setTimeout', (callback: () => void, ms = 0) => {
    if (ms >= SHORT_TIMER_MS) return realTimeout(callback, ms);
    timers.add(callback);
    const timer = { unref: () => timer, ref: () => timer, refresh: () => timer, callback };
    return timer;
  });
  const realClear = globalThis.clearTimeout;
  replaceGlobal('clearTimeout', (timer: { callback?: () => void } | undefined) => {
    if (timer?.callback) timers.delete(timer.callback);
    else realClear(timer as NodeJS.Timeout | undefined);
  });
  Object.defineProperty(performance, 'now', {
    value: () => {
      if (!isScheduled()) return realNow();
      return look(control);
    },
  });
  const realTime = process.hrtime;
  const hrtime = (since?: [number, number]) => (isScheduled() ? timeOf(clock[0]) : realTime(since));
  process.hrtime = Object.assign(hrtime, { bigint: realTime.bigint });

  /** Waits without blocking, for a word or for time alone. */
  function waitFor(word: number, expected: number, timeout: number): Promise<string> {
    const waiter = waiters.indexOf(undefined);
    if (waiter < 0) throw new Error(`more than ${MAX_WAITERS} waits at once`);
    words[ofWaiter(waiter, WAITER_WORD)] = word;
    words[ofWaiter(waiter, WAITER_EXPECTED)] = expected;
    // Whole milliseconds; 0 is for ever.
    words[ofWaiter(waiter, WAITER_TIMEOUT)] = Math.ceil(timeout);
    words[ofWaiter(waiter, WAITER_TICKET)] = ++words[TICKETS];
    words[ofWaiter(waiter, WAITER_STATE)] = 1;
    return new Promise((resolve) => {
      waiters[waiter] = resolve;
    });
  }

  /** Looks again once somebody else has done something: until then it would see the same. */
  function pollLater(): Promise<void> {
    words[POLLS]++;
    words[POLLED_AT] = operationsOf(control);
    return new Promise((resolve) => void polls.push(resolve));
  }

  const later = protocol.polls ? pollLater : () => new Promise<void>((resolve) => setImmediate(resolve));
  const real = { ...timersPromises };
  Object.assign(timersPromises, {
    setImmediate: () => (isScheduled() ? later() : real.setImmediate()),
    setTimeout: (ms: number, ...rest: unknown[]) =>
      isScheduled() ? waitFor(NO_WORD, 0, ms) : real.setTimeout(ms, ...(rest as [])),
  });
  syncBuiltinESMExports();

  /** What may be done now, each as a function that does it. */
  function ready(): (() => Promise<void> | void)[] {
    const found: (() => Promise<void> | void)[] = [];
    if (immediates.length > 0) found.push(() => immediates.shift()?.());
    if (mayPoll(control)) found.push(poll);
    for (let waiter = 0; waiter < MAX_WAITERS; waiter++) {
      const state = words[ofWaiter(waiter, WAITER_STATE)];
      if (state >= 2) found.push(() => settle(waiter, state === 2 ? 'ok' : 'timed-out'));
    }
    for (const task of tasks) if (isOver(task)) found.push(() => finish(task));
    return found;
  }

  function poll(): void {
    words[POLLS]--;
    polls.shift()?.();
  }

  function settle(waiter: number, woken: string): void {
    words[ofWaiter(waiter, WAITER_STATE)] = 0;
    waiters[waiter]?.(woken);
    waiters[waiter] = undefined;
  }

  function isOver({ pool, thread }: Task): boolean {
    if (thread === undefined) return true;
    // Told with the end of the pool.
    if (tasks.some((task) => task.pool === pool && task.thread === undefined)) return false;
    const state = words[of(thread, STATE)];
    return state === OUT || state === DEAD;
  }

  async function finish(task: Task): Promise<void> {
    if (task.thread === undefined) await endAll(task);
    else {
      await task.ended();
      races.order(task.thread, MAIN);
    }
    tasks = tasks.filter((one) => one !== task);
    task.tell();
  }

  /** A pool that ends its threads, wherever they stand, has their tasks fail before it says so. */
  async function endAll({ pool, ended }: Task): Promise<void> {
    const own = tasks.filter((task) => task.pool === pool && task.thread !== undefined);
    for (const { thread = MAIN } of own) if (words[of(thread, STATE)] !== OUT) words[of(thread, STATE)] = DEAD;
    await ended();
    for (const task of own) await finish(task);
    await turn();
  }

  /** Threads whose tasks have been begun come before anything else is decided: how long that takes is not the schedule's. */
  async function letIn(): Promise<void> {
    for (let thread = 1; thread < MAX_THREADS; thread++) {
      const at = of(thread, STATE);
      // One that runs already comes at once; one that is being started needs this core meanwhile.
      for (let looks = 0; words[at] === STARTING; looks++) await (looks < MANY_LOOKS ? turn() : pause());
      if (words[at] !== CAME) continue;
      // Its task was sent to it.
      races.order(MAIN, thread);
      words[at] = READY;
    }
  }

  /** What one turn of the event loop does: one thing, and all that follows from it. */
  async function once(scheduler: Scheduler, state: typeof IDLE | typeof DRAINING): Promise<boolean> {
    await turn();
    await letIn();
    scheduler.yieldAs(state);
    const things = ready();
    if (things.length === 0) return false;
    await things[scheduler.pick(things.length)]();
    words[EVENTS] = ready().length - (mayPoll(control) ? 1 : 0) + Math.max(0, immediates.length - 1);
    return true;
  }

  return {
    waitAsync(word, expected, timeout) {
      const value = waitFor(word, expected, timeout) as Promise<'ok' | 'timed-out'>;
      return { async: true, value };
    },
    schedulePools(prototype) {
      if (scheduled.has(prototype)) return;
      scheduled.add(prototype);
      const { run, close } = prototype;
      prototype.close = function (this: Pool) {
        if (!isScheduled()) return close.call(this);
        // Its threads run on until they are ended.
        const ended = () => close.call(this);
        words[EVENTS]++;
        return new Promise((resolve) => tasks.push({ pool: this, thread: undefined, ended, tell: resolve }));
      };
      prototype.run = function (this: Pool, sent) {
        const thread = protocol.threadOf(sent);
        // Before it can come.
        if (isScheduled()) words[of(thread, STATE)] = STARTING;
        const real = run.call(this, sent);
        return new Promise((resolve, reject) => {
          let tell = () => {};
          const ended = real.then(
            (value) => {
              tell = () => resolve(value);
            },
            (error) => {
              tell = () => reject(error);
            },
          );
          const task = { pool: this, thread, ended: () => ended, tell: () => tell() };
          tasks.push(task);
          ended.then(() => {
            if (isScheduled()) return;
            tasks = tasks.filter((one) => one !== task);
            tell();
          });
        });
      };
    },
    async run(scheduler, body) {
      let isSettled = false;
      const settled = body().finally(() => {
        isSettled = true;
      });
      // Its rejection is the caller's, at the end.
      settled.catch(() => {});
      // What a microtask may settle is looked at after a turn, in which they run.
      await turn();
      while (!isSettled) {
        await once(scheduler, IDLE);
        await turn();
      }
      while (await once(scheduler, DRAINING));
      await settled;
    },
    anytime() {
      words[ANYTIME] = 1;
      return new Promise((resolve) => {
        setImmediate(() => {
          words[ANYTIME] = 0;
          resolve();
        });
      });
    },
    forgetWaits() {
      for (const [waiter, wait] of waiters.entries()) {
        if (wait && words[ofWaiter(waiter, WAITER_TIMEOUT)] > 0) settle(waiter, 'timed-out');
      }
    },
    fireTimers() {
      for (const callback of [...timers]) callback();
    },
  };
}

function replaceGlobal(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
