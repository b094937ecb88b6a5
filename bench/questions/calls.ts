import { fork } from 'node:child_process';
import { once } from 'node:events';
import { CopyEngine, type CopyItems, formatSize, KiB, MiB, PAGE_SIZE } from 'mtcopy';
import { median } from 'simple-statistics';
import { createArena, type Shape } from '../support/arena.js';
import { type Blocked, threadTime, watchTurns } from '../support/event-loop.js';
import { inTurns, ratio, showRatio } from '../support/in-turns.js';
import { memoryPairs, type Pair, plainPairs, setEach, verifyPairs } from '../support/pairs.js';
import { runAsked } from '../support/run-asked.js';
import { printTable, showSpread } from '../support/table.js';
import { timed, timedSync } from '../support/timed.js';

/*
 * Every way to call the engine against the loop of `set` that one would write instead: time, and turns of the event loop.
 */

const ROUNDS = 31;
const PAIRS = 32_768;
const MANY_ITEMS = 100_000;
const CALLS_AT_ONCE = 8;
const BYTES_AT_ONCE = 40 * MiB;
/** A call takes this many nanoseconds of its thread a pair at most, and a turn of the event loop that many milliseconds. */
const PAIR_TARGET_NS = 200;
const TURN_TARGET_MS = 1;
const RSS_ROUNDS = 5;
/** Peak resident memory beyond a loop's, in MiB. */
const RSS_TARGET = 64;

/** One way to call. */
interface Way {
  readonly name: string;
  readonly loop: () => void;
  readonly async: () => Promise<unknown>;
  readonly sync: () => unknown;
}

const NODE_BYTES = 512 * MiB;
const arena = createArena(NODE_BYTES);
const { memory } = arena;
await using engine = await CopyEngine.create({ memory });

const LARGEST = 256 * MiB;
const base = arena.slice('one item', LARGEST, 0);
const inPlainBuffers = plainPairs(base, LARGEST);
const inMemory = (items: CopyItems) => memoryPairs(memory, items);

const PLACES = { "the engine's": inMemory, plain: inPlainBuffers } as const;

function setItems({ to, from, bytes }: CopyItems): void {
  const all = memory.bytes;
  for (let i = 0; i < to.length; i++) all.set(all.subarray(from[i], from[i] + bytes[i]), to[i]);
}

/** The ways to copy these items; addresses only mean something in the engine's memory. */
function waysOf(place: keyof typeof PLACES, items: CopyItems, pairs: readonly Pair[]): Way[] {
  const ways: Way[] = [
    {
      name: 'pairs',
      loop: () => setEach(pairs),
      async: () => engine.copyBatch(pairs),
      sync: () => engine.copyBatchSync(pairs),
    },
  ];
  if (pairs.length === 1) {
    const [{ to, from }] = pairs;
    ways.unshift({
      name: 'view',
      loop: () => to.set(from),
      async: () => engine.copy(to, from),
      sync: () => engine.copySync(to, from),
    });
  }
  if (place === "the engine's") {
    ways.push({
      name: 'items',
      loop: () => setItems(items),
      async: () => engine.copyBatch(items),
      sync: () => engine.copyBatchSync(items),
    });
  }
  return ways;
}

const micros = (ns: readonly number[]) =>
  showSpread(
    ns.map((one) => one / 1000),
    2,
  );
const turnsOf = (blocked: readonly Blocked[], of: keyof Blocked) =>
  showSpread(
    blocked.map((one) => one[of]),
    2,
  );

/** Every way, place and size against the loop. */
async function againstLoop(): Promise<void> {
  const sizes = [
    [formatSize(4 * KiB), arena.slice('one item', 4 * KiB, 0), 2000],
    [formatSize(64 * KiB), arena.slice('one item', 64 * KiB, 0), 500],
    [`${PAIRS} x 4K in order`, arena.slice('pages', PAIRS * PAGE_SIZE, 0), 1],
    [`${PAIRS} x 4K shuffled`, shuffledWithin(PAIRS), 1],
    [formatSize(LARGEST), base, 1],
  ] as const;
  const rows: string[][] = [];
  for (const [place, pairsOf] of Object.entries(PLACES) as [keyof typeof PLACES, typeof inMemory][]) {
    for (const [size, items, calls] of sizes) {
      const pairs = pairsOf(items);
      for (const way of waysOf(place, items, pairs)) {
        await verifyPairs(pairs, [way.loop, way.async, way.sync]);
        const times = await inTurns(
          { loop: timedSync(calls, way.loop), async: timed(calls, way.async), sync: timedSync(calls, way.sync) },
          ROUNDS,
        );
        const blocked = await inTurns({ async: () => watchTurns(way.async) }, ROUNDS);
        for (const call of ['async', 'sync'] as const) {
          rows.push([
            place,
            size,
            way.name,
            call === 'async' ? 'no' : 'yes',
            micros(times.loop),
            micros(times[call]),
            showRatio(ratio(times[call], times.loop)),
            ...(call === 'async' ? [turnsOf(blocked.async, 'calling'), turnsOf(blocked.async, 'longest')] : ['', '']),
          ]);
        }
      }
    }
  }
  printTable(
    [
      'memory',
      'bytes',
      'as',
      'blocking',
      'loop, µs',
      'call, µs',
      'call / loop',
      'calling turn, ms',
      'longest turn, ms',
    ],
    rows,
    `Time of a call, over that of a loop of set: medians (quartiles) of ${ROUNDS} rounds in turns. Turns of the event loop are those of other runs, which stamp each.`,
  );
}

/** Pages in any order within the first `count`, on either side. */
function shuffledWithin(count: number): CopyItems {
  const { to, from, bytes } = arena.slice('pages', count * PAGE_SIZE, 0);
  const order = arena.slice('shuffled pages', NODE_BYTES, 0);
  const within = (all: Uint32Array, first: number) => all.filter((a) => a < first + count * PAGE_SIZE);
  return { to: within(order.to, to[0]), from: within(order.from, from[0]), bytes };
}

/** A batch, or several at once. */
interface Batch {
  readonly name: string;
  /** All that is copied. */
  readonly pairs: readonly Pair[];
  readonly loop: () => void;
  readonly call: () => Promise<unknown>;
  /** Whether the engine is given views: it has to look at each. */
  readonly isViews: boolean;
}

function batchesAtOnce(name: string, shape: Shape): Batch {
  const batches = Array.from({ length: CALLS_AT_ONCE }, (_, i) => arena.slice(shape, BYTES_AT_ONCE, i));
  return {
    name: `${CALLS_AT_ONCE} calls of 40 MiB at once, ${name}`,
    pairs: batches.flatMap(inMemory),
    loop: () => {
      for (const items of batches) setItems(items);
    },
    call: () => Promise.all(batches.map((items) => engine.copyBatch(items))),
    isViews: false,
  };
}

function batchOfViews(name: string, pairs: readonly Pair[]): Batch {
  const call = () => engine.copyBatch(pairs);
  return { name: `${pairs.length} pairs, ${name}`, pairs, loop: () => setEach(pairs), call, isViews: true };
}

/** What large batches, and several at once, do to the event loop. */
async function turns(): Promise<void> {
  const many = arena.slice('shuffled pages', MANY_ITEMS * PAGE_SIZE, 0);
  const inOrder = arena.slice('pages', PAIRS * PAGE_SIZE, 0);
  const batches: Batch[] = [
    batchesAtOnce('one item each', 'one item'),
    batchesAtOnce('shuffled pages', 'shuffled pages'),
    {
      name: `${MANY_ITEMS} items, shuffled pages`,
      pairs: inMemory(many),
      loop: () => setItems(many),
      call: () => engine.copyBatch(many),
      isViews: false,
    },
    batchOfViews('shuffled pages', inMemory(many)),
    batchOfViews('pages in order', inMemory(inOrder)),
    batchOfViews('pages in order, plain buffers', inPlainBuffers(inOrder)),
  ];
  const rows: string[][] = [];
  const misses: string[] = [];
  for (const { name, pairs, loop, call, isViews } of batches) {
    await verifyPairs(pairs, [loop, call]);
    const times = await inTurns({ loop: timedSync(1, loop), call: timed(1, call) }, ROUNDS);
    const own = await inTurns({ call: () => threadTime(call) }, ROUNDS);
    const { call: blocked } = await inTurns({ call: () => watchTurns(call) }, ROUNDS);
    const nsAnItem = own.call.map((ms) => (ms * 1e6) / pairs.length);
    if (median(blocked.map(({ longest }) => longest)) > TURN_TARGET_MS) misses.push(`${name}: a turn`);
    if (isViews && median(nsAnItem) > PAIR_TARGET_NS) misses.push(`${name}: a pair`);
    rows.push([
      name,
      turnsOf(blocked, 'calling'),
      turnsOf(blocked, 'longest'),
      showSpread(own.call, 2),
      pairs.length > CALLS_AT_ONCE ? showSpread(nsAnItem, 0) : '',
      showRatio(ratio(times.call, times.loop)),
    ]);
  }
  printTable(
    ['batch', 'calling turn, ms', 'longest turn, ms', "thread's time, ms", 'the same, ns an item', 'call / loop'],
    rows,
    `Turns of the event loop, the calling thread's own time, and the time over that of a loop of set: medians (quartiles) of ${ROUNDS} rounds each; targets ${TURN_TARGET_MS} ms a turn, ${PAIR_TARGET_NS} ns a pair of views.`,
  );
  console.log(misses.length === 0 ? 'None misses a target.' : `Over the target: ${misses.join('; ')}.`);
}

/** Peak resident memory of a process that copies between buffers which it then forgets. */
async function forgotten(): Promise<void> {
  const peak = (how: 'engine' | 'set') => async () => {
    const child = fork(new URL('../support/fresh-buffers.js', import.meta.url), [how], { timeout: 120_000 });
    const failed = once(child, 'exit').then(([status]) => {
      throw new Error(`the process ended with ${status}`);
    });
    const [mebibytes] = await Promise.race([once(child, 'message'), failed]);
    return mebibytes as number;
  };
  const peaks = await inTurns({ set: peak('set'), engine: peak('engine') }, RSS_ROUNDS);
  const more = peaks.engine.map((mebibytes, round) => mebibytes - peaks.set[round]);
  printTable(
    ['loop of set, MiB', 'engine, MiB', 'difference, MiB', 'target', ''],
    [
      [
        showSpread(peaks.set, 0),
        showSpread(peaks.engine, 0),
        showSpread(more, 0),
        `<= ${RSS_TARGET}`,
        median(more) <= RSS_TARGET ? 'met' : 'MISSED',
      ],
    ],
    `Peak resident memory of a process that copies 240 times between fresh SharedArrayBuffers of 8 MiB, with a collection every 5 copies: medians (quartiles) of ${RSS_ROUNDS} processes each.`,
  );
}

await runAsked('section', { loop: againstLoop, turns, memory: forgotten });
