import { ATTACHED, DETACHED } from '../../src/copy/worker/job-ring.js';
import {
  ACTIVE,
  BUFFER_BYTES,
  CAME,
  type Control,
  MAIN,
  OUT,
  of,
  READY,
  RING_ADDRESS,
  RING_WORDS,
  STARTING,
  STATE,
  WRONG_WORD,
} from './control.js';
import { brokenBy } from './invariants.js';
import { note, OPERATIONS_ON_WORDS, type OperationName } from './log.js';
import type { Races } from './races.js';
import { createScheduler, type Scheduler } from './scheduler.js';
import { isUsed, ringWord } from './words.js';

/** As it is before views on the ring are watched. */
const Plain = Int32Array;

type Words = Int32Array<SharedArrayBuffer>;
type OnWords = (array: Words, index: number, a?: number, b?: number) => number;

/** What a thread's own Atomics need beside the shared memory. */
interface Thread {
  /** The calling thread's number in the schedule; -1 if it has none. */
  readonly number: () => number;
  /** Takes the number of worker `index`, as whose task it begins; or of none, as that is over. */
  readonly become: (index: number | undefined) => void;
  readonly onFailure: () => never;
  readonly onDied: () => void;
  /** Atomics.waitAsync while schedules are run, of the one thread that may call it. */
  readonly waitAsync?: (word: number, expected: number, timeout: number) => ReturnType<typeof Atomics.waitAsync>;
  /** Writes a line of a log. */
  readonly print: (line: string) => void;
}

/** Puts a scheduled Atomics in the place of this thread's. */
export function scheduleAtomics(control: Control, races: Races, thread: Thread): Scheduler {
  const real = globalThis.Atomics;
  const { words } = control;
  let buffer: ArrayBufferLike | undefined;
  let ring: Int32Array = new Plain(0);
  const scheduler = createScheduler(control, (word) => ring[word], thread.onFailure, thread.onDied);

  /** The word of the ring that an operation is done to; -1 for all others, and while nothing is scheduled. */
  function wordOf(array: Words, index: number): number {
    if (words[ACTIVE] === 0) return -1;
    const { buffer: its } = array;
    if (its !== buffer) {
      if (its.byteLength !== words[BUFFER_BYTES]) return -1;
      buffer = its;
      ring = new Plain(its, words[RING_ADDRESS], words[RING_WORDS]);
    }
    const word = (array.byteOffset + index * array.BYTES_PER_ELEMENT - words[RING_ADDRESS]) / 4;
    return word >= 0 && word < words[RING_WORDS] ? word : -1;
  }

  /** Until this thread may do an operation; its number, or -1 if it isn't one of the schedule's. */
  function begin(name: OperationName, word: number, value: number): number {
    if (thread.number() < 0 && name === 'store' && value === ATTACHED) {
      const what = ringWord(control, word);
      if (what.kind === 'state') thread.become(what.worker);
    }
    const me = thread.number();
    if (me < 0) return -1;
    const state = words[of(me, STATE)];
    if (state === READY) scheduler.step(me);
    else if (me !== MAIN) scheduler.arrive(me, state === STARTING ? CAME : READY);
    return words[ACTIVE] === 1 && words[of(me, STATE)] !== OUT ? me : -1;
  }

  const noted = (me: number, name: OperationName, word: number, value: number, now: number) =>
    note(control, { me, name, word, value, now }, thread.print);

  /** After a change of a word: whether it may be, and whether a worker's task has ended with it. */
  function changed(me: number, word: number, before: number, now: number): void {
    const broken = brokenBy(control, me, word, before, now);
    if (broken !== 0) scheduler.fail(me, broken, word);
    if (me === MAIN || now !== DETACHED || ringWord(control, word).kind !== 'state') return;
    thread.become(undefined);
    scheduler.leave(me);
  }

  /**
   * An operation on a word that the scenario doesn't use. A thread that has just begun draws tickets from all slots; but the
   * caller publishes in none of those.
   */
  function onUnused(word: number, operate: () => number): number {
    const before = ring[word];
    const result = operate();
    const isCaller = thread.number() === MAIN && words[of(MAIN, STATE)] === READY;
    if (isCaller && ring[word] !== before) scheduler.fail(MAIN, WRONG_WORD, word);
    return result;
  }

  function onWords(name: (typeof OPERATIONS_ON_WORDS)[number]): OnWords {
    const plain = real[name] as OnWords;
    return (view, index, a, b) => {
      const array = races.plain(view);
      const word = wordOf(array, index);
      if (word < 0) return plain(array, index, a, b);
      if (!isUsed(control, word)) return onUnused(word, () => plain(array, index, a, b));
      const value = lastOf(name, a, b);
      const me = begin(name, word, value);
      const before = ring[word];
      const result = plain(array, index, a, b);
      if (me < 0) return result;
      const now = ring[word];
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
    noted(me, 'wait', word, value, ring[word]);
    races.atomic(me, word, true, false);
    if (ring[word] !== value) return 'not-equal';
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
    noted(me, 'waitAsync', word, value, ring[word]);
    races.atomic(me, word, true, false);
    if (ring[word] !== value) return { async: false, value: 'not-equal' };
    return thread.waitAsync(word, value, timeout ?? 0);
  }

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
