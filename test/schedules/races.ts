import { ACTIVE, type Control, MAIN, MAX_RACES, MAX_THREADS, OUT, of, RACE_WORDS, RACES, STATE } from './control.js';
import { nameOf, threadName } from './log.js';
import type { View } from './protocol.js';
import { MAX_WORDS, type Regions } from './regions.js';

/*
 * Finds two accesses of different threads to a word, one of them a write and one of them plain, that no atomic operation
 * orders: with vector clocks, of threads and of the words that they synchronize by. Plain accesses are seen because views
 * are proxies. Sleeping and waking order nothing here: what they do in fact, the code doesn't rely on.
 */

/** Kinds of accesses. */
const KINDS = ['plain read', 'plain write', 'atomic read', 'atomic write'] as const;
export type AccessKind = (typeof KINDS)[number];
const [PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE] = KINDS.keys();
/** With which kinds each kind is a race. */
const CONFLICTS: readonly (readonly number[])[] = [
  [PLAIN_WRITE, ATOMIC_WRITE],
  [PLAIN_READ, PLAIN_WRITE, ATOMIC_READ, ATOMIC_WRITE],
  [PLAIN_WRITE],
  [PLAIN_READ, PLAIN_WRITE],
];

/** Two accesses that nothing orders. */
export interface Race {
  readonly word: number;
  readonly first: number;
  readonly firstKind: AccessKind;
  readonly second: number;
  readonly secondKind: AccessKind;
}

/** Whether one of a race's accesses reads, and the other writes, as these say. */
export function isReadBesideWrite(
  { first, firstKind, second, secondKind }: Race,
  isRead: (thread: number, kind: AccessKind) => boolean,
  isWrite: (thread: number, kind: AccessKind) => boolean,
): boolean {
  return (
    (isWrite(first, firstKind) && isRead(second, secondKind)) ||
    (isRead(first, firstKind) && isWrite(second, secondKind))
  );
}

/** The races that are in the table. */
export function racesIn({ words, races }: Control): Race[] {
  return Array.from({ length: words[RACES] }, (_, i) => {
    const [word, first, firstKind, second, secondKind] = races.subarray(i * RACE_WORDS);
    return { word, first, firstKind: KINDS[firstKind], second, secondKind: KINDS[secondKind] };
  });
}

const CLOCKS = MAX_THREADS * MAX_THREADS;
const BYTES = 4 * (CLOCKS + MAX_WORDS * MAX_THREADS * (1 + KINDS.length));

/** Memory for clocks; of most of it nothing is ever used. */
export function createClocks(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES);
}

/** A thread's part in finding races. */
export interface Races {
  /** After an atomic operation that reads a word, changes it, or both. */
  atomic(me: number, word: number, reads: boolean, writes: boolean): void;
  /** What one thread has done comes before what the other does from now on. */
  order(before: number, after: number): void;
  /** What all threads have done comes before what any does from now on. */
  orderAll(): void;
  /** The array behind a view. */
  plain<T extends object>(view: T): T;
  /** The same view, made before or elsewhere, that tells of plain accesses. */
  watched<T extends View>(view: T): T;
  /** A plain access to some words that no view tells of, as of a range that is copied. */
  access(word: number, writes: boolean): void;
  /** What comes before a plain access, and says whether it may be part of a race; set once. */
  onPlain: (me: number, word: number) => boolean;
}

/**
 * Has this thread's views that are made from now on, and that the protocol watches, tell of plain accesses.
 *
 * @param number the calling thread's number in the schedule; -1 if it has none
 */
export function findRaces(
  { words, races, protocol }: Control,
  clocks: SharedArrayBuffer,
  regions: Regions,
  number: () => number,
): Races {
  const times = new Int32Array(clocks, 0, CLOCKS);
  const released = new Int32Array(clocks, 4 * CLOCKS, MAX_WORDS * MAX_THREADS);
  const seen = KINDS.map(
    (_, kind) => new Int32Array(clocks, 4 * (CLOCKS + MAX_WORDS * MAX_THREADS * (1 + kind)), MAX_WORDS * MAX_THREADS),
  );
  const targets = new WeakMap<object, View>();

  /** Once in the table; also in other threads' part of it. */
  function note(race: readonly number[]): void {
    const isKnown = (at: number) => race.every((value, i) => races[at * RACE_WORDS + i] === value);
    for (let at = 0; at < words[RACES]; at++) if (isKnown(at)) return;
    if (words[RACES] < MAX_RACES) races.set(race, words[RACES]++ * RACE_WORDS);
  }

  function access(me: number, word: number, kind: number): void {
    for (const other of CONFLICTS[kind]) {
      for (let thread = 0; thread < MAX_THREADS; thread++) {
        if (thread === me || seen[other][word * MAX_THREADS + thread] <= times[me * MAX_THREADS + thread]) continue;
        note([word, thread, other, me, kind]);
      }
    }
    seen[kind][word * MAX_THREADS + me] = times[me * MAX_THREADS + me];
  }

  function join(me: number, others: Int32Array, at: number): void {
    for (let thread = 0; thread < MAX_THREADS; thread++) {
      const own = me * MAX_THREADS + thread;
      if (others[at + thread] > times[own]) times[own] = others[at + thread];
    }
  }

  /** An access of the calling thread, if it is scheduled. */
  function plainly(word: number, kind: number): void {
    const me = number();
    if (me < 0 || word < 0 || words[ACTIVE] === 0 || words[of(me, STATE)] === OUT) return;
    if (found.onPlain(me, word)) access(me, word, kind);
  }

  const at = (view: View, index: number) => (words[ACTIVE] === 0 ? -1 : regions.wordOf(view, index));

  const handler: ProxyHandler<View> = {
    get(view, key) {
      const index = typeof key === 'string' ? Number(key) : Number.NaN;
      if (!Number.isNaN(index)) {
        plainly(at(view, index), PLAIN_READ);
        return view[index];
      }
      if (key === 'fill') return fillOf(view);
      const value = Reflect.get(view, key, view);
      return typeof value === 'function' ? value.bind(view) : value;
    },
    set(view, key, value) {
      plainly(at(view, Number(key)), PLAIN_WRITE);
      view[Number(key)] = value;
      return true;
    },
  };

  const fillOf = (view: View) => (value: number) => {
    for (let i = 0; i < view.length; i++) plainly(at(view, i), PLAIN_WRITE);
    return view.fill(value);
  };

  function watched<T extends View>(view: T): T {
    const proxy = new Proxy<View>(view, handler);
    targets.set(proxy, view);
    return proxy as T;
  }

  function watch<T extends typeof Int32Array | typeof Uint32Array | typeof Float64Array>(name: string, Plain: T): void {
    const Watched = new Proxy(Plain, {
      construct(made, [buffer, at, length], target) {
        const view = Reflect.construct(made, length === undefined ? [buffer, at] : [buffer, at, length], target);
        return buffer instanceof SharedArrayBuffer && protocol.watches(view as View) ? watched(view as View) : view;
      },
    });
    Object.defineProperty(globalThis, name, { value: Watched, configurable: true, writable: true });
  }
  watch('Int32Array', Int32Array);
  watch('Uint32Array', Uint32Array);
  watch('Float64Array', Float64Array);

  const found: Races = {
    atomic(me, word, reads, writes) {
      const at = word * MAX_THREADS;
      if (reads) access(me, word, ATOMIC_READ);
      if (writes) access(me, word, ATOMIC_WRITE);
      if (reads) join(me, released, at);
      if (!writes) return;
      const own = me * MAX_THREADS;
      for (let thread = 0; thread < MAX_THREADS; thread++) released[at + thread] = times[own + thread];
      times[own + me]++;
    },
    order(before, after) {
      join(after, times, before * MAX_THREADS);
      times[before * MAX_THREADS + before]++;
    },
    orderAll() {
      for (let thread = 1; thread < MAX_THREADS; thread++) join(MAIN, times, thread * MAX_THREADS);
      for (let thread = 1; thread < MAX_THREADS; thread++) join(thread, times, MAIN);
      for (let thread = 0; thread < MAX_THREADS; thread++) times[thread * MAX_THREADS + thread]++;
    },
    plain: (view) => (targets.get(view) as typeof view | undefined) ?? view,
    watched,
    access: (word, writes) => plainly(word, writes ? PLAIN_WRITE : PLAIN_READ),
    onPlain: () => true,
  };
  return found;
}

/** A race as a line. */
export function raceText(control: Control, { word, first, firstKind, second, secondKind }: Race): string {
  return `${nameOf(control, word)}: ${firstKind} of ${threadName(control, first)}, ${secondKind} of ${threadName(control, second)}`;
}
