import { ATTACHED, DETACHED } from '../../src/copy/worker/job-ring.js';
import {
  ACTIVE,
  BUFFER_BYTES,
  CAME,
  type Control,
  LOG_ENTRIES,
  LOG_WORDS,
  LOGGED,
  MAIN,
  OUT,
  of,
  READY,
  RING_ADDRESS,
  RING_WORDS,
  STARTING,
  STATE,
  STEPS,
  VERBOSE,
  WRONG_WORD,
} from './control.js';
import { brokenBy } from './invariants.js';
import { createScheduler, type Scheduler } from './scheduler.js';
import { isUsed, nameOf, ringWord } from './words.js';

/** Operations that change or read a word, by their number in the log. */
const ON_WORDS = ['load', 'store', 'add', 'sub', 'and', 'or', 'xor', 'exchange', 'compareExchange'] as const;
/** Names of all operations in the log. */
export const OPERATION_NAMES = [...ON_WORDS, 'wait', 'notify', 'waitAsync'] as const;
type OperationName = (typeof OPERATION_NAMES)[number];

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
export function scheduleAtomics(control: Control, thread: Thread): Scheduler {
  const real = globalThis.Atomics;
  const { words, log } = control;
  let buffer: ArrayBufferLike | undefined;
  let ring: Int32Array = new Int32Array(0);
  const scheduler = createScheduler(control, (word) => ring[word], thread.onFailure, thread.onDied);

  /** The word of the ring that an operation is done to; -1 for all others, and while nothing is scheduled. */
  function wordOf(array: Words, index: number): number {
    if (words[ACTIVE] === 0) return -1;
    const { buffer: its } = array;
    if (its !== buffer) {
      if (its.byteLength !== words[BUFFER_BYTES]) return -1;
      buffer = its;
      ring = new Int32Array(its, words[RING_ADDRESS], words[RING_WORDS]);
    }
    const word = (array.byteOffset + index * array.BYTES_PER_ELEMENT - words[RING_ADDRESS]) / 4;
    return word >= 0 && word < words[RING_WORDS] ? word : -1;
  }

  /** Until this thread may do an operation; its number, or -1 if it isn't one of the schedule's. */
  function begin(operation: OperationName, word: number, value: number): number {
    const what = operation === 'store' && value === ATTACHED ? ringWord(control, word) : undefined;
    if (what?.kind === 'state' && thread.number() < 0) thread.become(what.worker);
    const me = thread.number();
    if (me < 0) return -1;
    if (words[of(me, STATE)] === READY) scheduler.step(me);
    else if (me !== MAIN) scheduler.arrive(me, words[of(me, STATE)] === STARTING ? CAME : READY);
    return words[ACTIVE] === 1 && words[of(me, STATE)] !== OUT ? me : -1;
  }

  function note(me: number, operation: OperationName, word: number, value: number, now: number): void {
    const at = (words[LOGGED]++ % LOG_ENTRIES) * LOG_WORDS;
    log[at] = me;
    log[at + 1] = OPERATION_NAMES.indexOf(operation);
    log[at + 2] = word;
    log[at + 3] = value;
    log[at + 4] = now;
    if (words[VERBOSE] === 1) {
      thread.print(`${words[STEPS]}\t${describe(control, me, operation, word, value, now)}\t${callerOf(new Error())}`);
    }
  }

  function onWords(name: (typeof ON_WORDS)[number]): OnWords {
    const plain = real[name] as OnWords;
    return (array, index, a, b) => {
      const word = wordOf(array, index);
      if (word < 0) return plain(array, index, a, b);
      const isQuiet = !isUsed(control, word);
      const value = Number(name === 'compareExchange' ? b : (a ?? 0));
      const me = isQuiet ? thread.number() : begin(name, word, value);
      const before = ring[word];
      const result = plain(array, index, a, b);
      if (me < 0) return result;
      const now = ring[word];
      if (isQuiet) {
        // A thread that has just begun draws tickets from all slots.
        if (now !== before && me === MAIN && words[of(MAIN, STATE)] === READY) scheduler.fail(me, WRONG_WORD, word);
        return result;
      }
      note(me, name, word, name === 'load' ? result : value, now);
      if (name !== 'load') {
        const broken = brokenBy(control, me, word, before, now);
        if (broken !== 0) scheduler.fail(me, broken, word);
        if (me !== MAIN && now === DETACHED && ringWord(control, word).kind === 'state') {
          thread.become(undefined);
          scheduler.leave(me);
        }
      }
      return result;
    };
  }

  function sleepOn(array: Words, index: number, value: number, timeout?: number): string {
    for (;;) {
      const word = wordOf(array, index);
      const me = word < 0 ? -1 : begin('wait', word, value);
      if (me < 0) {
        const woken = real.wait(array, index, value, timeout);
        // Woken to come into a schedule: it sleeps there.
        if (wordOf(array, index) < 0 || thread.number() < 0 || woken !== 'ok') return woken;
        if (array[index] !== value) return woken;
        continue;
      }
      note(me, 'wait', word, value, ring[word]);
      if (ring[word] !== value) return 'not-equal';
      const woken = scheduler.sleep(me, word, value, timeout ?? 0);
      if (woken !== 'released') return woken;
    }
  }

  function wake(array: Words, index: number, count = Number.POSITIVE_INFINITY): number {
    const word = wordOf(array, index);
    const me = word < 0 ? -1 : begin('notify', word, count);
    if (me < 0) return real.notify(array, index, count);
    const woken = scheduler.wake(word, count);
    note(me, 'notify', word, Math.min(count, 2 ** 31 - 1), woken);
    return woken;
  }

  function waitAsync(array: Words, index: number, value: number, timeout?: number) {
    const word = wordOf(array, index);
    const me = word < 0 || !thread.waitAsync ? -1 : begin('waitAsync', word, value);
    if (me < 0 || !thread.waitAsync) return real.waitAsync(array, index, value, timeout);
    note(me, 'waitAsync', word, value, ring[word]);
    if (ring[word] !== value) return { async: false, value: 'not-equal' };
    return thread.waitAsync(word, value, timeout ?? 0);
  }

  const scheduled = Object.fromEntries(ON_WORDS.map((name) => [name, onWords(name)]));
  Object.defineProperty(globalThis, 'Atomics', {
    value: { isLockFree: real.isLockFree, ...scheduled, wait: sleepOn, notify: wake, waitAsync },
    configurable: true,
    writable: true,
  });
  return scheduler;
}

/** An operation as a line of a log. */
export function describe(
  control: Control,
  me: number,
  operation: OperationName,
  word: number,
  value: number,
  now: number,
): string {
  const who = me === MAIN ? 'caller' : `worker ${me - 1}`;
  const what = operation === 'load' ? `${value}` : `${value} -> ${now}`;
  return `${who}\t${operation}\t${nameOf(control, word)}\t${what}`;
}

/** Where an operation stands in the source: the first line of a stack that isn't this file's. */
function callerOf({ stack = '' }: Error): string {
  const lines = stack.split('\n').slice(1);
  const line = lines.find((one) => !/[\\/](test[\\/]schedules|build[\\/]schedules[\\/][^\\/]+\.c?js)/.test(one));
  return /([^\\/ (]+:\d+):\d+\)?$/.exec(line ?? '')?.[1] ?? '';
}
