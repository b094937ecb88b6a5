import { ACTIVE, CAME, type Control, MAIN, OUT, of, READY, STARTING, STATE } from './control.js';
import { note, OPERATIONS_ON_WORDS, type OperationName } from './log.js';
import type { Races } from './races.js';
import type { Regions } from './regions.js';
import { createScheduler, type Scheduler } from './scheduler.js';

type Words = Int32Array<SharedArrayBuffer>;
type OnWords = (array: Words, index: number, a?: number, b?: number) => number;

/** What a thread's own Atomics need beside the shared memory. */
interface Thread {
  /** The calling thread's number in the schedule; -1 if it has none. */
  readonly number: () => number;
  /** Takes a thread's number, as whose task it begins; or none, as that is over. */
  readonly become: (thread: number | undefined) => void;
  readonly onFailure: () => never;
  readonly onDied: () => void;
  /** Atomics.waitAsync while schedules are run, of the one thread that may call it. */
  readonly waitAsync?: (word: number, expected: number, timeout: number) => ReturnType<typeof Atomics.waitAsync>;
  /** Writes a line of a log. */
  readonly print: (line: string) => void;
}

/** Puts a scheduled Atomics in the place of this thread's. */
export function scheduleAtomics(control: Control, regions: Regions, races: Races, thread: Thread): Scheduler {
  const real = globalThis.Atomics;
  const { words, protocol } = control;
  const scheduler = createScheduler(control, regions.valueAt, thread.onFailure, thread.onDied);

  /** The number of the word that an operation is done to; -1 for all others, and while nothing is scheduled. */
  const wordOf = (array: Words, index: number) => (words[ACTIVE] === 0 ? -1 : regions.wordOf(array, index));
  const isStep = (word: number) => protocol.isStep?.(control, word) ?? true;

  /** Takes a thread's number, if its task begins with this operation. */
  function beginTask(name: OperationName, word: number, value: number): void {
    const task = name === 'store' ? protocol.beginsAs(control, word, value) : undefined;
    if (task !== undefined) thread.become(task);
  }

  /** Until this thread may do an operation; its number, or -1 if it isn't one of the schedule's. */
  function begin(name: OperationName, word: number, value: number): number {
    if (thread.number() < 0) beginTask(name, word, value);
    const me = thread.number();
    if (me < 0) return -1;
    const state = words[of(me, STATE)];
    if (state !== READY) {
      if (me !== MAIN) scheduler.arrive(me, state === STARTING ? CAME : READY);
    } else if (isStep(word)) scheduler.step(me);
    return words[ACTIVE] === 1 && words[of(me, STATE)] !== OUT ? me : -1;
  }

  const noted = (me: number, name: OperationName, word: number, value: number, now: number) =>
    note(control, { me, name, word, value, now }, thread.print);

  /** After a change of a word: whether it may be, and whether a thread's task has ended with it. */
  function changed(me: number, word: number, before: number, now: number): void {
    const broken = protocol.brokenBy(control, me, word, before, now);
    if (broken !== 0) scheduler.fail(me, broken, word);
    if (me === MAIN || !protocol.endsWith(control, word, now)) return;
    thread.become(undefined);
    scheduler.leave(me);
  }

  /** An operation on a word that the scenario doesn't use. */
  function onUnused(array: Words, index: number, word: number, operate: () => number): number {
    const before = array[index];
    const result = operate();
    const me = thread.number();
    const isScheduled = me >= 0 && words[of(me, STATE)] === READY;
    const broken = isScheduled && array[index] !== before ? protocol.onUnused(control, me, word) : 0;
    if (broken !== 0) scheduler.fail(me, broken, word);
    return result;
  }

  function onWords(name: (typeof OPERATIONS_ON_WORDS)[number]): OnWords {
    const plain = real[name] as OnWords;
    return (view, index, a, b) => {
      const array = races.plain(view);
      const word = wordOf(array, index);
      if (word < 0) return plain(array, index, a, b);
      if (!protocol.isUsed(control, word)) return onUnused(array, index, word, () => plain(array, index, a, b));
      const value = lastOf(name, a, b);
      const me = begin(name, word, value);
      const before = array[index];
      const result = plain(array, index, a, b);
      if (me < 0) return result;
      const now = array[index];
      noted(me, name, word, name === 'load' ? result : value, now);
      races.atomic(me, word, name !== 'store', hasWritten(name, result, a));
      if (name !== 'load') changed(me, word, before, now);
      return result;
    };
  }

  function wait(view: Words, index: number, value: number, timeout?: number): string {
    const array = races.plain(view);
    const word = wordOf(array, index);
    const me = word < 0 ? -1 : begin('wait', word, value);
    if (me < 0) {
      const woken = real.wait(array, index, value, timeout);
      // Woken to come into a schedule, it sleeps there.
      const comes = woken === 'ok' && wordOf(array, index) >= 0 && thread.number() >= 0 && array[index] === value;
      return comes ? wait(array, index, value, timeout) : woken;
    }
    noted(me, 'wait', word, value, array[index]);
    races.atomic(me, word, true, false);
    if (array[index] !== value) return 'not-equal';
    return scheduler.sleep(me, word, value, timeout ?? 0);
  }

  function notify(view: Words, index: number, count = Number.POSITIVE_INFINITY): number {
    const array = races.plain(view);
    const word = wordOf(array, index);
    const me = word < 0 ? -1 : begin('notify', word, count);
    if (me < 0) return real.notify(array, index, count);
    const woken = scheduler.wake(word, count);
    noted(me, 'notify', word, Math.min(count, 2 ** 31 - 1), woken);
    return woken;
  }

  function waitAsync(view: Words, index: number, value: number, timeout?: number) {
    const array = races.plain(view);
    const word = wordOf(array, index);
    const me = word < 0 || !thread.waitAsync ? -1 : begin('waitAsync', word, value);
    if (me < 0 || !thread.waitAsync) return real.waitAsync(array, index, value, timeout);
    noted(me, 'waitAsync', word, value, array[index]);
    races.atomic(me, word, true, false);
    if (array[index] !== value) return { async: false, value: 'not-equal' };
    return thread.waitAsync(word, value, timeout ?? 0);
  }

  races.onPlain = (me, word) => {
    if (words[of(me, STATE)] === READY && protocol.isPlainStep?.(control, word)) scheduler.step(me);
    const broken = protocol.onPlain?.(control, me, word) ?? 0;
    if (broken > 0) scheduler.fail(me, broken, word);
    return broken === 0;
  };
  const scheduled = Object.fromEntries(OPERATIONS_ON_WORDS.map((name) => [name, onWords(name)]));
  Object.defineProperty(globalThis, 'Atomics', {
    value: { isLockFree: real.isLockFree, ...scheduled, wait, notify, waitAsync },
    configurable: true,
    writable: true,
  });
  return scheduler;
}

/** The value that an operation brings, for the log. */
function lastOf(name: OperationName, a = 0, b = 0): number {
  return name === 'compareExchange' ? b : a;
}

function hasWritten(name: OperationName, result: number, expected: number | undefined): boolean {
  return name !== 'load' && !(name === 'compareExchange' && result !== expected);
}
