import { setTimeout } from 'node:timers/promises';
import { CopyEngine, MiB } from 'mtcopy';
import { median } from 'simple-statistics';
import { createArena } from '../support/arena.js';
import { type Answers, type Load, startServer } from '../support/http-server.js';
import { type Contestant, inTurns, ratio, showRatio } from '../support/in-turns.js';
import { startMemcpy } from '../support/memcpy-limit.js';
import { runAsked } from '../support/run-asked.js';
import { printTable, showSpread } from '../support/table.js';
import { verifyEach } from '../support/verify.js';

/*
 * A program that serves and copies: what large copies do to a small HTTP server in the same process, beside what a C
 * process that copies as much with one thread does to it; and what a copy takes that comes after a long rest.
 */

const BYTES = 256 * MiB;
const ROUNDS = 9;
const PACED: Load = { connections: 16, rate: 500, ms: 2000 };
const SATURATED: Load = { connections: 16, rate: 'all', ms: 1000 };
/** What a program may ask for whose requests matter more than its copies. */
const NICE = 2;
/** At most above idle's, in milliseconds. */
const P99_TARGET = 1.5;
/** At least, of C's. */
const TARGET = 0.95;

const RESTED_BYTES = 40 * MiB;
const REST_MS = 10_000;
const REST_ROUNDS = 5;
/** At most, of what the same bytes take inline. */
const REST_TARGET = 2.5;

/** Begins to copy over and over; what it returns ends that and says how many nanoseconds a copy took, 0 for none. */
type Copier = () => () => Promise<number> | number;

/** What a server's client saw, and how fast was copied meanwhile. */
interface Turn extends Answers {
  readonly copyNs: number;
}

const arena = createArena(BYTES);
const { memory } = arena;
const whole = arena.slice('one item', BYTES, 0);
const view = (address: number, bytes: number) => memory.bytes.subarray(address, address + bytes);

function engineCopier(engine: CopyEngine): Copier {
  return () => {
    let stopped = false;
    const run = async () => {
      const started = performance.now();
      let copies = 0;
      do {
        await engine.copy(view(whole.to[0], BYTES), view(whole.from[0], BYTES));
        copies++;
      } while (!stopped);
      return ((performance.now() - started) * 1e6) / copies;
    };
    const ended = run();
    return () => {
      stopped = true;
      return ended;
    };
  };
}

/** Puts a load on the server, beside each of the copiers in turns. */
async function serve(load: Load): Promise<Record<'idle' | 'default' | 'nice' | 'helps' | 'c', Turn[]>> {
  await using byDefault = await CopyEngine.create({ memory });
  await using nice = await CopyEngine.create({ memory, niceIncrement: NICE });
  await using helps = await CopyEngine.create({ memory, caller: 'helps' });
  for (const [name, engine] of Object.entries({ default: byDefault, nice, helps })) {
    await verifyEach(memory, whole, { [name]: () => engine.copyBatch(whole) });
  }
  const c = startMemcpy(BYTES);
  const server = await startServer();
  const beside = (copier: Copier) => async () => {
    const stop = copier();
    const answers = await server.ask(load);
    return { ...answers, copyNs: await stop() };
  };
  try {
    const contestants = {
      idle: beside(() => () => 0),
      default: beside(engineCopier(byDefault)),
      nice: beside(engineCopier(nice)),
      helps: beside(engineCopier(helps)),
      c: beside(() => c.copyOverAndOver()),
    };
    return await inTurns<keyof typeof contestants, Turn>(contestants, ROUNDS);
  } finally {
    server.end();
    c.end();
  }
}

const COPIERS = [
  ['idle', 'nothing'],
  ['default', 'engine, default options'],
  ['nice', `engine, niceIncrement ${NICE}`],
  ['helps', "engine, caller 'helps'"],
  ['c', 'C memcpy, 1 thread'],
] as const;

const milliseconds = (figures: readonly number[]) => showSpread(figures, 2);
const nanoseconds = (turns: readonly Turn[]) => turns.map(({ copyNs }) => copyNs);

/** Cells of how fast was copied: GB/s, and as a ratio to C. */
function copying(own: readonly Turn[], c: readonly Turn[]): string[] {
  if (own[0].copyNs === 0) return ['', ''];
  const speeds = nanoseconds(own).map((ns) => BYTES / ns);
  return [showSpread(speeds), showRatio(ratio(nanoseconds(c), nanoseconds(own)))];
}

function report(what: string, figure: number, met: boolean): void {
  console.log(`With default options ${what}: ${figure.toFixed(2)}, ${met ? 'met' : 'MISSED'}.`);
}

function reportCopying({ default: own, c }: Record<'default' | 'c', Turn[]>): void {
  const { median: figure } = ratio(nanoseconds(c), nanoseconds(own));
  report(`copying over C's, target ${TARGET}`, figure, figure >= TARGET);
}

/** Latencies of paced requests. */
async function latency(): Promise<void> {
  const turns = await serve(PACED);
  const above = (own: readonly Turn[]) => own.map(({ p99 }, round) => p99 - turns.idle[round].p99);
  printTable(
    ['beside', 'p50, ms', 'p99, ms', "p99 above idle's, ms", 'copying, GB/s', 'copying / C'],
    COPIERS.map(([name, beside]) => [
      beside,
      milliseconds(turns[name].map(({ p50 }) => p50)),
      milliseconds(turns[name].map(({ p99 }) => p99)),
      name === 'idle' ? '' : milliseconds(above(turns[name])),
      ...copying(turns[name], turns.c),
    ]),
    `A server in this process, a client in another that sends ${PACED.rate} requests a second, and 256 MiB copied over and over: medians (quartiles) of ${ROUNDS} rounds of ${PACED.ms / 1000} s in turns. Client and C are among the other processes.`,
  );
  const p99 = median(above(turns.default));
  report(`p99 above idle's, target at most ${P99_TARGET} ms`, p99, p99 <= P99_TARGET);
  reportCopying(turns);
}

/** Requests that a saturated server answers. */
async function saturated(): Promise<void> {
  const turns = await serve(SATURATED);
  const rates = (own: readonly Turn[]) => own.map(({ perSecond }) => perSecond);
  printTable(
    ['beside', 'requests/s', 'requests / beside C', 'p99, ms', 'copying, GB/s', 'copying / C'],
    COPIERS.map(([name, beside]) => [
      beside,
      showSpread(rates(turns[name]), 0),
      showRatio(ratio(rates(turns[name]), rates(turns.c))),
      milliseconds(turns[name].map(({ p99 }) => p99)),
      ...copying(turns[name], turns.c),
    ]),
    `As before, but the client has ${SATURATED.connections} connections and sends the next request on each at once: medians (quartiles) of ${ROUNDS} rounds of ${SATURATED.ms / 1000} s in turns. Client and C are among the other processes.`,
  );
  const { median: figure } = ratio(rates(turns.default), rates(turns.c));
  report(`requests over those beside C, target ${TARGET}`, figure, figure >= TARGET);
}

/** One call after a long rest of the whole process. */
async function rest(): Promise<void> {
  await using inline = await CopyEngine.create({ memory, minParallelBytes: Number.POSITIVE_INFINITY });
  await using one = await CopyEngine.create({ memory, threads: 1 });
  await using two = await CopyEngine.create({ memory, threads: 2 });
  await using four = await CopyEngine.create({ memory, threads: 4 });
  const engines = { inline, '1': one, '2': two, '4': four };
  const items = arena.slice('one item', RESTED_BYTES, 0);
  const [to, from] = [view(items.to[0], RESTED_BYTES), view(items.from[0], RESTED_BYTES)];
  const contestants: Record<string, Contestant> = {};
  for (const [name, engine] of Object.entries(engines)) {
    const calls = { copy: () => engine.copy(to, from), copySync: () => engine.copySync(to, from) };
    await verifyEach(memory, items, calls);
    for (const [call, copy] of Object.entries(calls)) {
      contestants[`${call} ${name}`] = async () => {
        await setTimeout(REST_MS);
        const started = performance.now();
        await copy();
        return performance.now() - started;
      };
    }
  }
  const times = await inTurns(contestants, REST_ROUNDS);
  const rows: string[][] = [];
  const misses: string[] = [];
  for (const call of ['copy', 'copySync']) {
    for (const threads of ['1', '2', '4']) {
      const [own, alone] = [times[`${call} ${threads}`], times[`${call} inline`]];
      const longer = ratio(own, alone);
      if (longer.median > REST_TARGET) misses.push(`${call}, ${threads}`);
      rows.push([call, threads, milliseconds(alone), milliseconds(own), showRatio(longer)]);
    }
  }
  printTable(
    ['call', 'threads', 'inline, ms', 'engine, ms', 'engine / inline'],
    rows,
    `40 MiB after ${REST_MS / 1000} s without a call: medians (quartiles) of ${REST_ROUNDS} rounds in turns; target at most ${REST_TARGET} times inline.`,
  );
  console.log(misses.length === 0 ? 'None is above the target.' : `Above the target: ${misses.join('; ')}.`);
}

await runAsked('section', { latency, saturated, rest });
