import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type CpuTime, ErrnoError, KiB, Machine, MiB, type MovePagesResult, PAGE_SIZE } from 'mtcopy';
import { median, quantile, sum } from 'simple-statistics';
import { type Control, isCutShort } from '../../shared/control.js';
import { MIN_ROUNDS, runInTurns } from '../../shared/in-turns.js';
import { type MovedMemory, mapMovedMemory, scrubLeft, verifyBytes } from '../../shared/moved-memory.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import type { Scale } from '../experiment.js';
import { timeTrials, withWarmUp } from '../fit.js';

/** What each setting is: for which reasons the engine copies, and whether the storm rages. */
export const SETTINGS = {
  all: { mask: 'all', storms: true },
  demotion: { mask: 'demotion', storms: true },
  none: { mask: 'none', storms: true },
  alone: { mask: 'demotion', storms: false },
} as const;
export type Setting = keyof typeof SETTINGS;

/** Calls of one kind, in all runs of a setting. */
export interface CallsFigures {
  /** Calls. */
  readonly calls: number;
  /** 10^9 bytes that all such calls moved in a second: median of the runs. */
  readonly gbps: number;
  /** Median nanoseconds of a call, over the calls of all runs. */
  readonly medianNs: number;
  /** 99 % of them took at most so many nanoseconds. */
  readonly p99Ns: number;
  /** The part of the bytes that the engine copied, 0 to 1. */
  readonly offloaded: number;
  /** CPU nanoseconds of the calling thread a page of 4 KiB, what it copied and what the engine takes to be told among them. */
  readonly callerNsAPage: number;
}

/** Against the setting `all`, in pairs of runs: above 1 is more. */
export interface CallsRatios {
  /** Of the bytes that such calls moved in a second. */
  readonly gbps: Ratio;
  /** Of each run's 99 % quantile. */
  readonly p99: Ratio;
}

/** One setting of the engine's reasons. */
export interface ContentionRow {
  /** For which reasons the engine copies, and whether others call move_pages meanwhile. */
  readonly setting: Setting;
  /** Runs that counted. */
  readonly runs: number;
  /** What demotions came to. */
  readonly demotion: CallsFigures;
  /** The same against the setting `all`. */
  readonly demotionAgainstAll: CallsRatios;
  /** What the callers of move_pages see; left out where there are none. */
  readonly storm?: CallsFigures;
  /** The same against the setting `all`. */
  readonly stormAgainstAll?: CallsRatios;
}

/** A slow engine that demotions and move_pages contend for. */
export interface Contention {
  /** Bytes a second that the engine copies, with its one channel. */
  readonly bandwidth: number;
  /** Callers of move_pages at once. */
  readonly callers: number;
  /** Bytes of a call of either kind. */
  readonly callBytes: number;
  /** How often all of the memory is demoted in a run. */
  readonly laps: number;
  /** How often it was meant to be: more than there was time for, if it isn't the same. */
  readonly usualLaps: number;
  /** A row for each setting; none if it was cut short. */
  readonly rows: readonly ContentionRow[];
}

/** What the calls of one kind came to in a run. */
export interface CallsRun {
  /** Of each call. */
  readonly latenciesNs: number[];
  bytes: number;
  offloadedBytes: number;
  callerNs: number;
}

/** One run. */
export interface ContentionRun {
  /** From the first demotion's begin to the last one's end, but what overwriting left frames took meanwhile. */
  readonly ns: number;
  readonly demotion: CallsRun;
  /** Without calls if nothing storms. */
  readonly storm: CallsRun;
}

/** As the published engine: about half of what a core copies. */
const BANDWIDTH = 2e9;
const CALLERS = 4;
/** What a caller of move_pages does between two calls, in milliseconds. */
const PAUSE_MS = 2;
/** A batch of 512 pages. */
const CALL_BYTES = 2 * MiB;
/** Large enough for a descriptor to cost less than the copy. */
const FOLIO_BYTES = 64 * KiB;
/** Bytes that are demoted there and back, and that each caller moves: together more than the caches hold. */
const DEMOTED_BYTES = 64 * MiB;
const CALLERS_BYTES = 16 * MiB;
/** Demotions of a run at least, where there is time: with fewer its 99 % quantile is the longest. */
const DEMOTIONS = 100;
const WARM_UPS = 1;
/** Of what the storm's memory is filled with; that which is demoted has 1. */
const FIRST_SEED = 2;

/** Demotes memory back and forth while others call move_pages for theirs, on a machine whose one DMA channel has a limited speed. */
export async function measureContention(scale: Scale, control: Control): Promise<Contention> {
  const { quick, bytes, seconds, bound, warmUps = WARM_UPS } = scale;
  const nextSeconds = shareTime(seconds, 1);
  const demoted = Math.min(DEMOTED_BYTES, bytes);
  const stormed = Math.min(CALLERS_BYTES, bytes);
  const node = demoted + CALLERS * stormed;
  const dma = { device: 'ptdma', channels: 1, bandwidth: BANDWIDTH } as const;
  const machine = await Machine.boot({ nodes: [node, node], cpus: 0, flow: 'pre-copy', migrator: 'dcbm', dma });
  try {
    const memory = mapMovedMemory(machine, demoted, FOLIO_BYTES);
    const areas = Array.from({ length: CALLERS }, (_, i) =>
      // Frames go from one to another: each has bytes of its own.
      mapMovedMemory(machine, stormed, FOLIO_BYTES, undefined, FIRST_SEED + i),
    );
    const names = Object.keys(SETTINGS) as Setting[];
    const usualLaps = Math.ceil((DEMOTIONS * CALL_BYTES) / demoted);
    const variantsOf = (laps: number) =>
      names.map((name) => ({ name, run: () => runOnce(machine, memory, areas, name, laps) }));
    const isAsked = !quick && usualLaps > 1 && !isCutShort(control);
    const lapSeconds = isAsked ? await timeTrials(withWarmUp(variantsOf(1)), control) : 0;
    const laps = lapsThatFit(usualLaps, lapSeconds * (MIN_ROUNDS + warmUps), nextSeconds());
    const variants = variantsOf(laps);
    const runs = await runInTurns(variants, ({ ns }) => ns, { warmUps, seconds: nextSeconds(), bound }, control);
    const rows = runs[0].length === 0 ? [] : names.map((name, i) => summarize(name, runs[i], runs[0]));
    return { bandwidth: BANDWIDTH, callers: CALLERS, callBytes: CALL_BYTES, laps, usualLaps, rows };
  } finally {
    await machine.close();
  }
}

/**
 * As many laps as there is time for, what is usual at most, and one at least.
 *
 * @param lapSeconds that all runs take which are made in any case, of one lap each
 */
export function lapsThatFit(usual: number, lapSeconds: number, seconds: number): number {
  if (lapSeconds * usual <= seconds) return usual;
  return Math.max(1, Math.floor(seconds / lapSeconds));
}

async function runOnce(
  machine: Machine,
  memory: MovedMemory,
  stormed: readonly MovedMemory[],
  setting: Setting,
  laps: number,
): Promise<ContentionRun> {
  const { mask, storms } = SETTINGS[setting];
  const { active } = machine.offload;
  if (!active) throw new ErrnoError('EIO', 'the migrator is not registered any more');
  machine.offload.setReasonMask(active, mask);
  const demotion = createCallsRun();
  const storm = createCallsRun();
  const overwriting = { ms: 0 };
  let isOver = false;
  // What the storm does once nothing is demoted any more says nothing of both.
  const counted = () => (isOver ? createCallsRun() : storm);
  const rage = async (area: MovedMemory) => {
    const move: Move = (pages, node) => machine.movePages(area.mm, pages, { node });
    while (!isOver) await moveAll(area, counted, move, () => sleep(PAUSE_MS), overwriting);
  };
  const demote = async () => {
    const move: Move = (pages, node) => machine.migrateFolios(memory.mm, pages, { node, reason: 'demotion' });
    const started = performance.now();
    // As kswapd, which lets others run between two batches.
    for (let lap = 0; lap < laps; lap++) await moveAll(memory, () => demotion, move, setImmediate, overwriting);
    return (performance.now() - started - overwriting.ms) * 1e6;
  };
  const demoting = demote().finally(() => {
    isOver = true;
  });
  // All of them: none may be under way when the memory is looked at.
  const outcomes = await Promise.allSettled([demoting, ...(storms ? stormed : []).map(rage)]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  const ns = await demoting;
  for (const area of [memory, ...stormed]) verifyBytes(area);
  return { ns, demotion, storm };
}

type Move = (pages: Float64Array, node: number) => Promise<MovePagesResult>;

/** What a run has spent on overwriting frames, for all who move in it: one's holds up the others, and is none's. */
interface Overwriting {
  ms: number;
}

/**
 * Moves memory to the other node, a batch a call, with a pause after each. Before that the frames that it left are overwritten,
 * for it comes back to them.
 */
async function moveAll(
  memory: MovedMemory,
  runOf: () => CallsRun,
  move: Move,
  pause: () => Promise<unknown>,
  overwriting: Overwriting,
): Promise<void> {
  const { addresses } = memory;
  memory.node = memory.node === 0 ? 1 : 0;
  const batch = CALL_BYTES / FOLIO_BYTES;
  for (let first = 0; first < addresses.length; first += batch) {
    const end = Math.min(first + batch, addresses.length);
    await call(runOf(), addresses.subarray(first, end), memory.node, move, overwriting);
    const started = performance.now();
    scrubLeft(memory, first, end);
    overwriting.ms += performance.now() - started;
    await pause();
  }
}

function createCallsRun(): CallsRun {
  return { latenciesNs: [], bytes: 0, offloadedBytes: 0, callerNs: 0 };
}

/** Makes a call, and adds it up. @throws ErrnoError EIO if not all of it has moved */
async function call(
  run: CallsRun,
  pages: Float64Array,
  node: number,
  move: Move,
  overwriting: Overwriting,
): Promise<void> {
  const overwritten = overwriting.ms;
  const started = performance.now();
  const { status, stats } = await move(pages, node);
  run.latenciesNs.push((performance.now() - started - (overwriting.ms - overwritten)) * 1e6);
  const wrong = status.findIndex((outcome) => outcome !== node);
  if (wrong >= 0) throw new ErrnoError('EIO', `page ${wrong} was not moved to node ${node}: ${status[wrong]}`);
  run.bytes += pages.length * FOLIO_BYTES;
  run.offloadedBytes += stats.movedBy.find(({ migrator }) => migrator === 'dcbm')?.bytes ?? 0;
  run.callerNs += callerNs(stats.cpuNs);
}

function callerNs({ caller, dma }: CpuTime): number {
  return caller + dma;
}

function summarize(
  setting: Setting,
  runs: readonly ContentionRun[],
  baseline: readonly ContentionRun[],
): ContentionRow {
  const row = {
    setting,
    runs: runs.length,
    demotion: figuresOf(runs, 'demotion'),
    demotionAgainstAll: ratiosOf(runs, baseline, 'demotion'),
  };
  if (!SETTINGS[setting].storms) return row;
  return { ...row, storm: figuresOf(runs, 'storm'), stormAgainstAll: ratiosOf(runs, baseline, 'storm') };
}

type Kind = 'demotion' | 'storm';

/** Adds up the calls of one kind. */
export function figuresOf(runs: readonly ContentionRun[], kind: Kind): CallsFigures {
  const calls = runs.map((run) => run[kind]);
  const latencies = calls.flatMap(({ latenciesNs }) => latenciesNs);
  const total = (name: 'bytes' | 'offloadedBytes' | 'callerNs') => sum(calls.map((one) => one[name]));
  return {
    calls: latencies.length,
    gbps: median(runs.map((run) => run[kind].bytes / run.ns)),
    medianNs: median(latencies),
    p99Ns: quantile(latencies, 0.99),
    offloaded: total('offloadedBytes') / total('bytes'),
    callerNsAPage: total('callerNs') / (total('bytes') / PAGE_SIZE),
  };
}

function ratiosOf(runs: readonly ContentionRun[], baseline: readonly ContentionRun[], kind: Kind): CallsRatios {
  const speeds = (list: readonly ContentionRun[]) => list.map((run) => run[kind].bytes / run.ns);
  const tails = (list: readonly ContentionRun[]) => list.map((run) => quantile(run[kind].latenciesNs, 0.99));
  return { gbps: ratioOf(speeds(runs), speeds(baseline)), p99: ratioOf(tails(runs), tails(baseline)) };
}
