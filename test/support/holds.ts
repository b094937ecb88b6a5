import { fileURLToPath } from 'node:url';
import threads from 'node:worker_threads';
import { until } from './machines.js';
import { preloadThreads } from './preload.js';

/*
 * Holds threads at a known point: at their n-th atomic operation of a kind. Code that orders its steps by Atomics can so be
 * stopped between any two of them, also Piscina's workers, which run the library as it is shipped.
 *
 *     using holds = holdThreads();                     // first: it reaches the threads that are started from here on
 *     await using engine = await CopyEngine.create(…);
 *     using claim = holds.at({ operation: 'compareExchange', array: ring.words, value: 1 });
 *     const copying = engine.copy(to, from);
 *     await claim.held();                              // a thread stands there now; look around, do what must come between
 *     claim.go();                                      // or: await claim.end(), and it has died there
 *     await copying;
 *
 * A hold takes the first thread that comes, once. Hold objects and what `holdThreads` returns let everybody go when they are
 * disposed of: declare a hold after whatever waits for its threads when it is closed.
 *
 * How it works: threads get a preload, holds-preload.cjs, which puts a wrapper in the place of `Atomics`. Holds are words of
 * shared memory that it finds in the environment data, as nested threads do; it looks at them at every operation. A held
 * thread sleeps by the real Atomics. Nothing is held on a thread that was there before `holdThreads`, as the test's own.
 *
 * An array is known by the length of its buffer and its place in there, since a buffer is another object in each thread: any
 * view on memory of the same layout does. Where two buffers are alike, say which thread, or which value.
 */

type Operation = Exclude<keyof typeof Atomics, typeof Symbol.toStringTag>;

/** Where to hold a thread. */
export interface HoldPoint {
  readonly operation: Operation;
  /** What it is done to; see above. Default: whatever. */
  readonly array?: Int32Array;
  /** Index in `array`. Default: any. */
  readonly index?: number;
  /** The last argument: of a store or an exchange the new value, of a notify the count. Default: any. */
  readonly value?: number;
  /** `threadId` of the thread. Default: any. */
  readonly thread?: number;
  /** Which of these operations, from 1, counted from now on. Default: 1. */
  readonly nth?: number;
  /** Whether to hold it before the operation or after it. Default: `'before'`. */
  readonly when?: 'before' | 'after';
}

export interface Hold {
  /** Whether a thread stands there now. */
  readonly isHeld: boolean;
  /** Resolves once a thread stands there, to its `threadId`. */
  held(): Promise<number>;
  /** Lets it go on, and holds nobody any more. */
  go(): void;
  /** Ends the thread that stands there. Resolves once it has ended. */
  end(): Promise<void>;
  [Symbol.dispose](): void;
}

const PRELOAD = fileURLToPath(new URL('./holds-preload.cjs', import.meta.url));
const KEY = 'mtcopy:holds';
const MAX_HOLDS = 64;
// As in the preload: words of a hold, and values of its state.
const [STATE, THREAD, WORDS] = [0, 2, 4];
const [HELD, GONE] = [1, 2];
const NUMBERS = 6;

const sharedWords = (count: number) => new Int32Array(new SharedArrayBuffer(count * 4));

/** Makes threads that are started from now on ones that can be held, until it is disposed of. One at a time. */
export function holdThreads(): { at(point: HoldPoint): Hold; [Symbol.dispose](): void } {
  const operations = Object.getOwnPropertyNames(Atomics);
  const used = sharedWords(1);
  const states = sharedWords(MAX_HOLDS * WORDS);
  const points = new Float64Array(new SharedArrayBuffer(MAX_HOLDS * NUMBERS * 8));
  const release = (hold: number) => {
    Atomics.store(states, hold * WORDS + STATE, GONE);
    Atomics.notify(states, hold * WORDS + STATE);
  };
  threads.setEnvironmentData(KEY, { operations, used, states, points });
  const { workers, restore } = preloadThreads(PRELOAD);
  return {
    at(point) {
      const hold = Atomics.load(used, 0);
      if (hold === MAX_HOLDS) throw new Error(`more than ${MAX_HOLDS} holds`);
      points.set(numbersOf(point, operations), hold * NUMBERS);
      states.set([0, point.nth ?? 1, 0, point.when === 'after' ? 1 : 0], hold * WORDS);
      // Release: what the hold is comes before it.
      Atomics.store(used, 0, hold + 1);
      const state = () => Atomics.load(states, hold * WORDS + STATE);
      return {
        get isHeld() {
          return state() === HELD;
        },
        async held() {
          await until(() => state() === HELD).catch(() => {
            throw new Error(`no thread has come to ${point.operation} ${point.index ?? ''}`);
          });
          return states[hold * WORDS + THREAD];
        },
        go: () => release(hold),
        async end() {
          const worker = workers.get(states[hold * WORDS + THREAD]);
          if (state() !== HELD || !worker) throw new Error('no thread of this one is held here');
          await worker.terminate();
        },
        [Symbol.dispose]: () => release(hold),
      };
    },
    [Symbol.dispose]() {
      for (let hold = 0; hold < Atomics.load(used, 0); hold++) release(hold);
      threads.setEnvironmentData(KEY, undefined);
      restore();
    },
  };
}

/** Resolves once a thread stands there, to true, or once what it is held in is over, to false; that it fails is its caller's. */
export async function raceHeld(hold: Hold, copying: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  const over = copying.finally(() => {
    isOver = true;
  });
  over.catch(() => {});
  while (!isOver && !hold.isHeld) await new Promise((resolve) => setTimeout(resolve, 1));
  return hold.isHeld;
}

function numbersOf({ operation, array, index, thread, value }: HoldPoint, operations: readonly string[]): number[] {
  const any = Number.NaN;
  const first = array ? array.byteOffset + (index ?? 0) * array.BYTES_PER_ELEMENT : any;
  const end = array && index === undefined ? array.byteOffset + array.byteLength : first + 1;
  return [operations.indexOf(operation), array?.buffer.byteLength ?? any, first, end, thread ?? any, value ?? any];
}
