import {
  anything,
  type Checks,
  COPY_METHODS,
  CopyEngine,
  type CopyMethod,
  checkOptions,
  DISTRIBUTIONS,
  type Distribution,
  ErrnoError,
  FRAMES,
  type Frames,
  formatSize,
  listOf,
  MAX_THREADS,
  oneOf,
  PhysicalMemory,
  SCHEDULES,
  type Schedule,
  wholeNumber,
} from 'mtcopy';
import { SWEEP_CALLERS, type SweepCaller } from '../shared/callers.js';
import { checkRoom, checkTotal, count, folioSizes, seed, warmUps } from '../shared/checks.js';
import { combine } from '../shared/combine.js';
import { type Control, countRuns } from '../shared/control.js';
import { fileSteps, inputSize, patternSteps, scrub } from '../shared/fill.js';
import { allocFolioBatch, type FolioBatch } from '../shared/folios.js';
import { scheduleText, threadsText } from '../shared/labels.js';
import { type Speeds, speedsOf } from '../shared/statistics.js';
import { finishInTurns } from '../shared/steps.js';
import { findDifference, hashFolios, hashSteps } from '../shared/verify.js';

/** Rounds that don't count, unless told otherwise. */
const WARM_UPS = 1;

/** What to measure: every combination of the lists. */
export interface CopySweep {
  /** Sizes of a folio, in bytes: powers of two from 4 KiB to 4 MiB. */
  readonly folioBytes: readonly number[];
  /** Bytes copied in a run: a multiple of each folio size. */
  readonly total: number;
  /** Worker threads, 1 to 64; a caller that helps is one more. */
  readonly threads: readonly number[];
  /** How the frames of folios lie. */
  readonly frames: readonly Frames[];
  /** How threads share a batch. */
  readonly schedules: readonly Schedule[];
  /** Whether the calling thread copies too. */
  readonly callers: readonly SweepCaller[];
  /** Which loop copies the bytes. */
  readonly methods: readonly CopyMethod[];
  /** Of the static schedule: how its lists are made. Default: `'auto'` alone. */
  readonly distributions?: readonly Distribution[] | undefined;
  /** Bytes of a unit of the dynamic schedule. Default: `'auto'` alone. */
  readonly unitBytes?: readonly (number | 'auto')[] | undefined;
  /** Measured runs of each combination, above 0. */
  readonly runs: number;
  /** Runs of each combination before them, which don't count. Default: 1. */
  readonly warmUps?: number | undefined;
  /** Of the order of shuffled frames, and of the pattern: a whole number. Default: 1. */
  readonly seed?: number | undefined;
  /** A file to fill the source with. Default: none, a pattern. */
  readonly input?: string | undefined;
}

const SWEEP: Checks<CopySweep> = {
  folioBytes: folioSizes,
  total: count,
  threads: listOf(wholeNumber(1, MAX_THREADS)),
  frames: listOf(oneOf(FRAMES)),
  schedules: listOf(oneOf(SCHEDULES)),
  callers: listOf(oneOf(SWEEP_CALLERS)),
  methods: listOf(oneOf(COPY_METHODS)),
  distributions: listOf(oneOf(DISTRIBUTIONS)),
  // Engines check what is in it.
  unitBytes: listOf(anything),
  runs: count,
  warmUps,
  seed,
  input: anything,
};
const REQUIRED = ['folioBytes', 'total', 'threads', 'frames', 'schedules', 'callers', 'methods', 'runs'] as const;

/** One combination and what it measured. */
export interface CopyMeasurement {
  /** Worker threads; a caller that helped is one more. */
  readonly threads: number;
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Folios that a run copies. */
  readonly folios: number;
  /** How their frames lie. */
  readonly frames: Frames;
  /** Which loop was asked for. */
  readonly method: CopyMethod;
  /** Which loop copied the bytes. */
  readonly copiedWith: Exclude<CopyMethod, 'auto'>;
  /** Why that isn't `'streaming'`, where it isn't. */
  readonly noStreaming?: string;
  /** How threads shared the batch. */
  readonly schedule: Schedule;
  /** Of the static schedule, where the sweep has some. */
  readonly distribution?: Distribution;
  /** Bytes of a unit of the dynamic schedule, where the sweep has some. */
  readonly unitBytes?: number | 'auto';
  /** Whether the calling thread copied too. */
  readonly caller: SweepCaller;
  /** 10^9 bytes copied a second. */
  readonly gbps: Speeds;
  /** Wall time of each run, in the order they were made. */
  readonly samplesNs: readonly number[];
  /** Every byte of every run was compared. */
  readonly verified: true;
}

/** A schedule, with how it shares a batch out where that was asked for. */
type Shape = Pick<CopyMeasurement, 'schedule' | 'distribution' | 'unitBytes'>;

/** A combination of shape, caller and method, with its engine. */
interface Setting {
  readonly shape: Shape;
  readonly caller: SweepCaller;
  readonly method: CopyMethod;
  readonly engine: CopyEngine;
}

/** Folios of one size, whose frames lie in one way, on both nodes. */
interface Layout {
  readonly folioBytes: number;
  readonly frames: Frames;
  readonly batch: FolioBatch;
  /** Of the source as it was filled. */
  readonly hash: string;
}

/**
 * Copies folios from node 0 to node 1 in every combination, in turns: each round runs every combination once, for only
 * runs side by side compare. Every run is verified outside its timed section.
 *
 * @throws ErrnoError EINVAL for a setting that is wrong, missing or none, or a total that is no multiple of a folio size;
 * ENOENT for an input that isn't there; ENOMEM for more memory than there is; EIO if a byte came out wrong.
 * @returns a row for each combination that was run; fewer, of fewer runs, if the signal was aborted
 *
 * @example
 * ```js
 * import { copyParts, sweepCopies, textOf } from 'mtcopy/experiments';
 *
 * const total = 2 ** 23;
 * const rows = await sweepCopies({
 *   folioBytes: [4096, 2 ** 21],
 *   total,
 *   threads: [1, 2],
 *   frames: ['shuffled'],
 *   schedules: ['dynamic'],
 *   callers: ['helps'],
 *   methods: ['auto'],
 *   runs: 3,
 * });
 * console.log(rows.length, rows.every(({ verified }) => verified)); // 4 true
 * console.log(textOf(copyParts(rows, total)));
 * ```
 */
export async function sweepCopies(asked: CopySweep, control: Control = {}): Promise<CopyMeasurement[]> {
  const sweep = checkOptions(asked, SWEEP, REQUIRED);
  for (const folioBytes of sweep.folioBytes) checkTotal(sweep.total, folioBytes);
  checkRoom('total', sweep.total);
  if (sweep.input !== undefined) inputSize(sweep.input);
  const memory = PhysicalMemory.create({ nodes: [sweep.total, sweep.total] });
  const settings: Setting[] = [];
  try {
    await createSettings(sweep, memory, settings);
    const layouts = combine(sweep.folioBytes, sweep.frames);
    const runs = layouts.length * settings.length * sweep.threads.length * ((sweep.warmUps ?? WARM_UPS) + sweep.runs);
    const results: CopyMeasurement[] = [];
    const begins = countRuns(runs, control);
    for (const [folioBytes, frames] of layouts) {
      if (control.signal?.aborted) break;
      const layout = await layOut(sweep, memory, folioBytes, frames, control.signal);
      if (!layout) break;
      results.push(...(await sweepLayout(sweep, memory, settings, layout, begins)));
      layout.batch.free();
    }
    return results;
  } finally {
    await Promise.all(settings.map(({ engine }) => engine.close()));
  }
}

/** Adds one for every combination to `settings`, so that what was created is closed if the next cannot be. */
async function createSettings(sweep: CopySweep, memory: PhysicalMemory, settings: Setting[]): Promise<void> {
  for (const [shape, [caller, method]] of combine(shapesOf(sweep), combine(sweep.callers, sweep.methods))) {
    const threads = Math.max(...sweep.threads);
    // However little is copied, the threads that were asked for copy it.
    const engine = await CopyEngine.create({ memory, threads, ...shape, caller, method, minParallelBytes: 0 });
    settings.push({ shape, caller, method, engine });
  }
}

/** Lists are the static schedule's, and units the dynamic one's. */
function shapesOf({ schedules, distributions, unitBytes }: CopySweep): Shape[] {
  return schedules.flatMap((schedule): Shape[] => {
    if (schedule === 'static')
      return distributions?.map((distribution) => ({ schedule, distribution })) ?? [{ schedule }];
    return unitBytes?.map((unit) => ({ schedule, unitBytes: unit })) ?? [{ schedule }];
  });
}

/** Nothing if the signal was aborted before it was filled. */
async function layOut(
  sweep: CopySweep,
  memory: PhysicalMemory,
  folioBytes: number,
  frames: Frames,
  signal: AbortSignal | undefined,
): Promise<Layout | undefined> {
  const batch = allocFolioBatch(memory, sweep.total, folioBytes, frames, sweep.seed);
  const hash = await finishInTurns(fillSteps(sweep, memory, batch.sources, folioBytes), signal);
  return hash === undefined ? undefined : { folioBytes, frames, batch, hash };
}

/** Fills the source; comes to its hash. */
function* fillSteps(
  { input, seed }: CopySweep,
  memory: PhysicalMemory,
  sources: Uint32Array,
  folioBytes: number,
): Generator<void, string> {
  if (input !== undefined) yield* fileSteps(memory, sources, folioBytes, input);
  else yield* patternSteps(memory, sources, folioBytes, seed);
  return yield* hashSteps(memory, sources, folioBytes);
}

/** All measurements over one layout. */
async function sweepLayout(
  sweep: CopySweep,
  memory: PhysicalMemory,
  settings: readonly Setting[],
  layout: Layout,
  begins: (what: string) => boolean,
): Promise<CopyMeasurement[]> {
  const candidates = combine(settings, sweep.threads).map(([setting, threads]) => ({
    setting,
    threads,
    samplesNs: [] as number[],
  }));
  const before = sweep.warmUps ?? WARM_UPS;
  rounds: for (let run = 0; run < before + sweep.runs; run++) {
    for (const { setting, threads, samplesNs } of candidates) {
      if (!begins(whatRuns(setting, threads, layout))) break rounds;
      const ns = await runOnce(memory, setting.engine, threads, layout);
      if (run >= before) samplesNs.push(ns);
    }
  }
  const {
    folioBytes,
    frames,
    batch: { sources },
    hash,
  } = layout;
  if (hashFolios(memory, sources, folioBytes) !== hash)
    throw new ErrnoError('EIO', 'the source was changed by its copy');
  const measured = candidates.filter(({ samplesNs }) => samplesNs.length > 0);
  return measured.map(({ setting: { shape, caller, method, engine }, threads, samplesNs }) => {
    const { method: copiedWith, noStreaming } = engine.methodFor(sweep.total);
    return {
      threads,
      folioBytes,
      folios: sources.length,
      frames,
      method,
      copiedWith,
      ...(noStreaming !== undefined && { noStreaming }),
      ...shape,
      caller,
      gbps: speedsOf(sweep.total, samplesNs),
      samplesNs,
      verified: true,
    };
  });
}

/** A run, for the progress. */
function whatRuns({ shape, caller, method }: Setting, threads: number, { folioBytes, frames }: Layout): string {
  return `${formatSize(folioBytes)} ${frames}, ${method} ${scheduleText(shape)}, threads ${threadsText({ threads, caller })}`;
}

/** Scrubs, copies and compares; returns the copy's nanoseconds. */
async function runOnce(
  memory: PhysicalMemory,
  engine: CopyEngine,
  threads: number,
  { folioBytes, batch }: Layout,
): Promise<number> {
  engine.threads = threads;
  // Not timed: whoever copied before leaves the caches, and all threads are there.
  await engine.copyBatch(batch);
  scrub(memory, batch.targets, folioBytes);
  await engine.ready();
  const { wallNs, failed } = await engine.copyBatch(batch);
  const different = findDifference(memory, batch);
  if (failed.length > 0 || different >= 0) {
    throw new ErrnoError('EIO', `folio ${failed[0]?.index ?? different} was not copied right`);
  }
  return wallNs;
}
