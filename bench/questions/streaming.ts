import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { CopyEngine, type CopyItems, formatSize, KiB, MiB, PAGE_SIZE, type PhysicalMemory } from 'mtcopy';
import { median } from 'simple-statistics';
import { createArena, type Shape } from '../support/arena.js';
import { inTurns, type Ratio, ratio, showRatio } from '../support/in-turns.js';
import { memoryPairs, type Pair, plainPairs, setEach, verifyPairs } from '../support/pairs.js';
import { runAsked } from '../support/run-asked.js';
import { printTable, showSpeed, showSpread } from '../support/table.js';
import { timed, timedSync } from '../support/timed.js';
import { verifyEach } from '../support/verify.js';

/*
 * What streaming stores must not cost, and what they must give: bytes that stay in the caches, the process beside a copy, and
 * SharedArrayBuffers that are none of the engine's.
 */

const HOT_ROUNDS = 61;
const HOT_SIZES = [64 * KiB, 256 * KiB, MiB, 2 * MiB, 4 * MiB, 8 * MiB];
const HOT_SHAPES: readonly Shape[] = ['one item', 'shuffled pages'];
const HOT_WAYS = ['blocking', 'blocking, then read', 'not blocking'];
/** Bytes that a turn copies: a millisecond of calls. */
const HOT_TURN_BYTES = 16 * MiB;
/** At least, of the speed of memory.copy. */
const HOT_TARGET = 0.97;

const COPY_BYTES = 512 * MiB;
const READ_BYTES = 16 * MiB;
const NEIGHBOUR_ROUNDS = 15;
/** Copies go on for so long in a turn, in milliseconds. */
const NEIGHBOUR_MS = 300;

const PLAIN_ROUNDS = 31;
const PLAIN_BYTES = 256 * MiB;
const RANGES = [64 * KiB, 256 * KiB, MiB, 4 * MiB, 16 * MiB, 64 * MiB, 256 * MiB];
const HOT_RANGES = [64 * KiB, 256 * KiB, MiB, 4 * MiB];
const PIECES = 32_768;
/** At least, of the speed in the engine's own memory; and of a loop of `set`. */
const PLAIN_TARGET = 0.95;
const SET_TARGET = 2;

const missed: string[] = [];

/** Keeps in mind what is under its target. */
function check(what: string, { median: figure }: Ratio, target: number): void {
  if (figure < target) missed.push(`${what} (${figure.toFixed(2)})`);
}

function printMisses(): void {
  console.log(missed.length === 0 ? 'None is under its target: met.' : `MISSED: ${missed.join('; ')}.`);
  missed.length = 0;
}

/** Has no byte of a batch's sources its highest bit, so that one that has it is looked for in vain. */
function clearHighBits(memory: PhysicalMemory, { from, bytes }: CopyItems): void {
  for (let i = 0; i < from.length; i++) {
    const words = new Uint32Array(memory.buffer, from[i], bytes[i] / 4);
    for (let word = 0; word < words.length; word++) words[word] &= 0x7f7f7f7f;
  }
}

/** Reads all bytes, by memchr. */
function readAll(bytes: Buffer): void {
  if (bytes.includes(0x80)) throw new Error('there is no such byte');
}

/** Compares the two methods over a batch: how many times as fast `'auto'` is. */
async function compareHot(shape: Shape, bytes: number): Promise<Ratio[]> {
  const arena = createArena(bytes);
  const { memory } = arena;
  await using auto = await CopyEngine.create({ memory });
  await using cached = await CopyEngine.create({ memory, method: 'memory.copy' });
  const items = arena.slice(shape, bytes, 0);
  clearHighBits(memory, items);
  const target = Buffer.from(memory.buffer, Math.min(...items.to), bytes);
  const calls = Math.max(1, Math.floor(HOT_TURN_BYTES / bytes));
  const sync = (engine: CopyEngine) => () => engine.copyBatchSync(items);
  const async = (engine: CopyEngine) => () => engine.copyBatch(items);
  const syncAndRead = (engine: CopyEngine) => () => {
    engine.copyBatchSync(items);
    readAll(target);
  };
  await verifyEach(memory, items, { auto: sync(auto), cached: sync(cached), async: async(auto), other: async(cached) });
  const contests = [
    { cached: timedSync(calls, sync(cached)), auto: timedSync(calls, sync(auto)) },
    { cached: timedSync(calls, syncAndRead(cached)), auto: timedSync(calls, syncAndRead(auto)) },
    { cached: timed(calls, async(cached)), auto: timed(calls, async(auto)) },
  ];
  const ratios: Ratio[] = [];
  for (const contest of contests) {
    const times = await inTurns(contest, HOT_ROUNDS);
    ratios.push(ratio(times.cached, times.auto));
  }
  return ratios;
}

/** The same bytes again and again, and read in between. */
async function hot(): Promise<void> {
  const rows: string[][] = [];
  for (const shape of HOT_SHAPES) {
    for (const bytes of HOT_SIZES) {
      const ratios = await compareHot(shape, bytes);
      for (const [i, found] of ratios.entries())
        check(`${shape}, ${formatSize(bytes)}, ${HOT_WAYS[i]}`, found, HOT_TARGET);
      rows.push([shape, formatSize(bytes), ...ratios.map(showRatio)]);
    }
  }
  printTable(
    ['shape', 'bytes', ...HOT_WAYS],
    rows,
    `The speed of method 'auto' over that of 'memory.copy', the same bytes again and again, and with the destination read after each copy: medians (quartiles) of ${HOT_ROUNDS} rounds in turns; target ${HOT_TARGET}.`,
  );
  printMisses();
}

/** What the process beside has seen in a turn, and what a copy took meanwhile; 0 where there was none. */
interface Turn {
  readonly passNs: number;
  readonly copyNs: number;
}

/** A process that reads so many bytes over and over. */
async function startReader(bytes: number) {
  const child = fork(new URL('../support/reader.js', import.meta.url), [String(bytes)]);
  const ask = async (): Promise<number> => {
    child.send('how long?');
    const [ns] = await once(child, 'message');
    return ns;
  };
  await ask();
  return { ask, end: () => child.disconnect() };
}

/** What a copy of 512 MiB by one thread costs the process beside. */
async function neighbours(): Promise<void> {
  const arena = createArena(COPY_BYTES);
  const { memory } = arena;
  const items = arena.slice('one item', COPY_BYTES, 0);
  // Of two cores each has one.
  const options = { memory, threads: 1, caller: 'waits' } as const;
  await using streaming = await CopyEngine.create({ ...options, method: 'streaming' });
  await using cached = await CopyEngine.create({ ...options, method: 'memory.copy' });
  const engines = { 'memory.copy': cached, streaming };
  await verifyEach(memory, items, {
    streaming: () => streaming.copyBatch(items),
    'memory.copy': () => cached.copyBatch(items),
  });
  const reader = await startReader(READ_BYTES);
  const beside = (engine: CopyEngine) => async (): Promise<Turn> => {
    await reader.ask();
    const started = performance.now();
    let copies = 0;
    for (; performance.now() < started + NEIGHBOUR_MS; copies++) await engine.copyBatch(items);
    const copyNs = ((performance.now() - started) * 1e6) / copies;
    return { passNs: await reader.ask(), copyNs };
  };
  const alone = async (): Promise<Turn> => {
    await reader.ask();
    await setTimeout(NEIGHBOUR_MS);
    return { passNs: await reader.ask(), copyNs: 0 };
  };
  const turns = await inTurns<'nothing' | keyof typeof engines, Turn>(
    { nothing: alone, 'memory.copy': beside(cached), streaming: beside(streaming) },
    NEIGHBOUR_ROUNDS,
  );
  reader.end();
  const passes = (name: keyof typeof turns) => turns[name].map(({ passNs }) => passNs);
  /** The share of its passes that the reader doesn't get. */
  const lost = (name: keyof typeof turns) => passes(name).map((ns, round) => 1 - passes('nothing')[round] / ns);
  const percent = (shares: readonly number[]) => showSpread(shares.map((share) => share * 100));
  const rows = (Object.keys(turns) as (keyof typeof turns)[]).map((name) => {
    const speed = showSpeed(READ_BYTES, passes(name));
    if (name === 'nothing') return [name, speed, '', '', ''];
    const copies = turns[name].map(({ copyNs }) => copyNs);
    const lostMs = lost(name).map((share, round) => (share * copies[round]) / 1e6);
    return [name, speed, percent(lost(name)), showSpeed(COPY_BYTES, copies), showSpread(lostMs)];
  });
  printTable(
    ['beside', 'reading, GB/s', 'lost, %', 'copying, GB/s', 'lost a copy, ms'],
    rows,
    `A process that reads ${formatSize(READ_BYTES)} over and over, beside copies of ${formatSize(COPY_BYTES)} by one thread: medians (quartiles) of ${NEIGHBOUR_ROUNDS} rounds of ${NEIGHBOUR_MS} ms in turns. The reader is among the other processes.`,
  );
  const [byStreaming, byCached] = [median(lost('streaming')), median(lost('memory.copy'))];
  const share = (part: number) => `${(part * 100).toFixed(1)} %`;
  const verdict = byStreaming < byCached ? 'met' : 'MISSED';
  console.log(`Lost beside streaming ${share(byStreaming)}, beside memory.copy ${share(byCached)}: ${verdict}.`);
}

/** One way to call an engine with pairs. */
type Copy = (pairs: readonly Pair[]) => unknown;

/** Calls in a row over one batch after the other, so that none finds its bytes in the caches; or over the first alone. */
function overSlices(copy: Copy, slices: readonly (readonly Pair[])[]): () => unknown {
  let next = 0;
  return () => copy(slices[next++ % slices.length]);
}

/** SharedArrayBuffers of one's own against the engine's memory, and against a loop of `set`. */
async function plain(): Promise<void> {
  const arena = createArena(PLAIN_BYTES);
  const { memory } = arena;
  await using engine = await CopyEngine.create({ memory });
  const pairsOf = {
    own: (items: CopyItems) => memoryPairs(memory, items),
    plain: plainPairs(arena.slice('one item', PLAIN_BYTES, 0), PLAIN_BYTES),
  };
  const ways = {
    blocking: { timer: timedSync, copy: (pairs: readonly Pair[]) => engine.copyBatchSync(pairs) },
    'not blocking': { timer: timed, copy: (pairs: readonly Pair[]) => engine.copyBatch(pairs) },
  } as const;
  const rows: string[][] = [];
  const compare = async (what: string, shape: Shape, bytes: number, isHot: boolean): Promise<void> => {
    const count = isHot ? 1 : arena.slices(bytes);
    const batches = Array.from({ length: count }, (_, i) => arena.slice(shape, bytes, i));
    const own = batches.map(pairsOf.own);
    const others = batches.map(pairsOf.plain);
    const calls = Math.max(1, Math.min(128, Math.floor((64 * MiB) / bytes)));
    await verifyPairs(own[0], [() => engine.copyBatchSync(own[0]), () => engine.copyBatch(own[0])]);
    await verifyPairs(others[0], [() => engine.copyBatchSync(others[0]), () => engine.copyBatch(others[0])]);
    const ratios: string[] = [];
    for (const [way, { timer, copy }] of Object.entries(ways)) {
      const times = await inTurns(
        {
          own: timer(calls, overSlices(copy, own) as () => Promise<unknown>),
          plain: timer(calls, overSlices(copy, others) as () => Promise<unknown>),
          set: timedSync(calls, overSlices(setEach, others)),
        },
        PLAIN_ROUNDS,
      );
      const [toOwn, toSet] = [ratio(times.own, times.plain), ratio(times.set, times.plain)];
      check(`${what}, ${way}`, toOwn, PLAIN_TARGET);
      if (shape === 'shuffled pages') check(`${what} against set, ${way}`, toSet, SET_TARGET);
      ratios.push(showRatio(toOwn), showRatio(toSet));
    }
    rows.push([what, ...ratios]);
  };
  for (const bytes of RANGES) await compare(`${formatSize(bytes)}, cold`, 'one item', bytes, false);
  for (const bytes of HOT_RANGES) await compare(`${formatSize(bytes)}, hot`, 'one item', bytes, true);
  for (const shape of ['pages', 'shuffled pages'] as const) {
    await compare(`${PIECES} ${shape}`, shape, PIECES * PAGE_SIZE, true);
  }
  printTable(
    ['bytes', 'blocking: / own', '/ set', 'not blocking: / own', '/ set'],
    rows,
    `The speed of copies between plain SharedArrayBuffers over that in the engine's own memory, huge pages asked for by neither, and over that of a loop of set: medians (quartiles) of ${PLAIN_ROUNDS} rounds in turns; targets ${PLAIN_TARGET}, and ${SET_TARGET} for shuffled pages.`,
  );
  printMisses();
}

await runAsked('section', { hot, neighbours, plain });
