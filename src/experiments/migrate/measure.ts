import {
  anything,
  BATCH_UNITS,
  type BatchUnit,
  type Checks,
  type CpuTime,
  checkOptions,
  type DcbmOptions,
  DMA_DEVICES,
  DMA_SETUPS,
  type DmaHardware,
  type DmaPhases,
  type DmaSetup,
  ErrnoError,
  FLOWS,
  type Flow,
  FRAMES,
  type Frames,
  formatSize,
  fractionCopy,
  listOf,
  MAX_BATCH_LIMIT,
  MAX_DMA_CHANNELS,
  MAX_THREADS,
  Machine,
  MIGRATE_REASONS,
  MIGRATOR_NAMES,
  MiB,
  type MigrateReason,
  type MigratorName,
  type MovedBy,
  NR_MAX_BATCHED_MIGRATION,
  oneOf,
  orderOf,
  PAGE_SIZE,
  type Phases,
  PhysicalMemory,
  STORES,
  type Stores,
  type UsedMethod,
  type Vmstat,
  wholeNumber,
} from 'mtcopy';
import { median } from 'simple-statistics';
import { ageNodes } from '../shared/age-node.js';
import { SWEEP_CALLERS, type SweepCaller } from '../shared/callers.js';
import { checkRoom, checkTotal, count, folioSizes, seed, warmUps } from '../shared/checks.js';
import { collectGarbage } from '../shared/collect-garbage.js';
import { combine } from '../shared/combine.js';
import { countRuns } from '../shared/control.js';
import { inputSize } from '../shared/fill.js';
import { migratorText } from '../shared/labels.js';
import { type MigrationRun, type MovedMemory, mapSteps, moveAcross } from '../shared/moved-memory.js';
import { type Speeds, speedsOf, sumCounts } from '../shared/statistics.js';
import { finishInTurns } from '../shared/steps.js';
import {
  applySettings,
  checkSet,
  checkUndecided,
  decide,
  type SweepControl,
  type SysfsSetting,
} from '../shared/sysfs.js';
import { meanTimes, medianRuns } from './median-run.js';

/** What to measure: every combination of the lists, which are needed but where `set` says what they would. */
export interface MigrateSweep {
  /** Sizes of a folio, in bytes: powers of two from 4 KiB to 4 MiB. */
  readonly folioBytes: readonly number[];
  /** Folios of anonymous memory. */
  readonly count: number;
  /** Bytes of anonymous memory, instead of `count`: a multiple of each folio size. Default: none, `count` says it. */
  readonly total?: number | undefined;
  /** What copies; each call names it. Default: none, `set` says it then. */
  readonly migrators?: readonly MigratorName[] | undefined;
  /**
   * Worker threads of the migrator `'mtcopy'`, 1 to 64; to `'kernel'` they are nothing, so that is measured once. Default: none,
   * `set` says it then.
   */
  readonly threads?: readonly number[] | undefined;
  /** Whether the calling thread copies beside them. Default: `'waits'`. */
  readonly caller?: SweepCaller | undefined;
  /** Channels of `'dcbm'`, 1 to 16. Default: 1. */
  readonly channels?: readonly number[] | undefined;
  /** How `'dcbm'` sets a batch up. Default: `'batch'`. */
  readonly dmaSetups?: readonly DmaSetup[] | undefined;
  /** The device that `'dcbm'` copies with, and its IOMMU. Default: a machine's. */
  readonly dma?: DmaHardware | undefined;
  /** Other settings of `'dcbm'`. Default: its own. */
  readonly dcbm?: Omit<DcbmOptions, 'nrDmaChan' | 'setup'> | undefined;
  /** What the memory is migrated for; the migrator is named, whatever the reason. Default: for move_pages(2). */
  readonly reason?: MigrateReason | undefined;
  /** Batches that are under way at once, 1 to 4; `'kernel'` has 1. */
  readonly inFlight: readonly number[];
  /** In which order batches go through their steps. Default: none, `set` says it then. */
  readonly flows?: readonly Flow[] | undefined;
  /** How the frames lie that the memory is, and that it goes to. */
  readonly frames: readonly Frames[];
  /** Pages or folios of a batch, each flow with each but `'serial'`, which has none. Default: what the machine has, 512. */
  readonly batchLimits?: readonly number[] | undefined;
  /** What the limits count. Default: `'pages'`. */
  readonly batchUnit?: BatchUnit | undefined;
  /** Whether what is copied is kept in the caches. Default: what the machine has for the reason, which a row doesn't name. */
  readonly stores?: readonly Stores[] | undefined;
  /** Measured runs of each combination, above 0. */
  readonly runs: number;
  /** Runs of each combination before them, which don't count. Default: as many as move 128 MiB, 64 at most. */
  readonly warmUps?: number | undefined;
  /** Of the order of shuffled frames, and of what memory is filled with: a whole number. Default: 1. */
  readonly seed?: number | undefined;
  /** A file whose page cache is mapped too, and moves with the anonymous memory. Default: none. */
  readonly input?: string | undefined;
  /** What the machines' sysfs is told before anything is measured. Default: nothing. */
  readonly set?: readonly SysfsSetting[] | undefined;
}

/** What a row says by itself is not set beside it; a machine checks the rest. */
function checkDcbm(name: string, value: unknown): void {
  const { nrDmaChan, setup } = (value ?? {}) as DcbmOptions;
  if (nrDmaChan === undefined && setup === undefined) return;
  throw new ErrnoError('EINVAL', `${name}: must leave nrDmaChan and setup to channels and dmaSetups`);
}

const SWEEP: Checks<MigrateSweep> = {
  folioBytes: folioSizes,
  // 0 beside a total, which stands in its place.
  count: wholeNumber(0, Number.POSITIVE_INFINITY),
  total: count,
  migrators: listOf(oneOf(MIGRATOR_NAMES)),
  threads: listOf(wholeNumber(1, MAX_THREADS)),
  caller: oneOf(SWEEP_CALLERS),
  channels: listOf(wholeNumber(1, MAX_DMA_CHANNELS)),
  dmaSetups: listOf(oneOf(DMA_SETUPS)),
  // A machine checks this.
  dma: anything,
  dcbm: checkDcbm,
  reason: oneOf(MIGRATE_REASONS),
  inFlight: listOf(count),
  flows: listOf(oneOf(FLOWS)),
  frames: listOf(oneOf(FRAMES)),
  batchLimits: listOf(wholeNumber(1, MAX_BATCH_LIMIT)),
  batchUnit: oneOf(BATCH_UNITS),
  stores: listOf(oneOf(STORES)),
  runs: count,
  warmUps,
  seed,
  input: anything,
  set: checkSet,
};
const REQUIRED = ['folioBytes', 'count', 'migrators', 'threads', 'inFlight', 'flows', 'frames', 'runs'] as const;

/** {@link MigrateSweep}, complete. */
interface Sweep extends MigrateSweep {
  readonly migrators: readonly MigratorName[];
  readonly threads: readonly number[];
  readonly channels: readonly number[];
  readonly dmaSetups: readonly DmaSetup[];
  readonly caller: SweepCaller;
  readonly flows: readonly Flow[];
  readonly batchLimits: readonly number[];
  readonly registered: MigratorName;
}

/** One combination and what it measured. */
export interface MigrateMeasurement {
  /** What copied. */
  readonly migrator: MigratorName;
  /** In which order a batch went through its steps. */
  readonly flow: Flow;
  /** Worker threads of `'mtcopy'`; 1 for the others. */
  readonly threads: number;
  /** Whether the calling thread copied beside them; there for `'mtcopy'` alone. */
  readonly caller?: SweepCaller;
  /** Channels; there for `'dcbm'` alone. */
  readonly channels?: number;
  /** How batches were set up; there for `'dcbm'` alone. */
  readonly dmaSetup?: DmaSetup;
  /** CPU nanoseconds that the run of {@link phasesNs} took of whom. */
  readonly cpuNs: CpuTime;
  /** Nanoseconds of the steps of a device's copies in that run; all 0 but for `'dcbm'`. */
  readonly dmaNs: DmaPhases;
  /** What has moved it, in all measured runs together; `'kernel'` is the calling thread, which copies what others leave. */
  readonly movedBy: readonly MovedBy[];
  /** Batches that the migrator answered with an errno, in all measured runs together. */
  readonly declined: number;
  /** Batches under way at once. With more than 1 the phases overlap in time. */
  readonly batchesInFlight: number;
  /** Pages or folios of a batch. */
  readonly batchLimit: number;
  /** What the limit counts. */
  readonly batchUnit: BatchUnit;
  /** What was asked for of the caches; there if anything was. */
  readonly stores?: Stores;
  /** The loop that copied. */
  readonly copiedWith: UsedMethod['method'];
  /** Why that wasn't `'streaming'`; there if it wasn't. */
  readonly noStreaming?: string;
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Folios moved in a run, the file's among them. */
  readonly folios: number;
  /** How frames lay, on both nodes. */
  readonly frames: Frames;
  /** 10^9 bytes migrated a second. */
  readonly gbps: Speeds;
  /** Median wall time of a run, for each 4 KiB page. */
  readonly nsPerPage: number;
  /**
   * Nanoseconds of each phase in the run whose wall time is the median; the mean of the two in the middle, if their number is
   * even. So they add up to no more than {@link nsPerPage}, unless batches overlap.
   */
  readonly phasesNs: Phases;
  /** Fraction F of these phases that copies took. */
  readonly fractionCopy: number;
  /** By how much the machine's counters went up, in all measured runs together. */
  readonly vmstat: Vmstat;
  /** Wall time of each run, in the order they were made. */
  readonly samplesNs: readonly number[];
  /** Every page was compared with what it was filled with, and its node looked up, after each run. */
  readonly verified: true;
}

/** A combination of migrator, threads, batches in flight and flow. */
interface Setting {
  readonly migrator: MigratorName;
  readonly threads: number;
  readonly channels?: number;
  readonly dmaSetup?: DmaSetup;
  readonly batchesInFlight: number;
  readonly batchLimit: number;
  readonly batchUnit: BatchUnit;
  readonly stores?: Stores;
  readonly flow: Flow;
}

/** Bytes that each combination migrates at least before it is measured: by then the code is compiled. */
const WARM_UP_BYTES = 128 * MiB;
/** The rounds that this may take at most, however little a run migrates. */
const MAX_WARM_UP_ROUNDS = 64;

/**
 * Migrates memory with move_pages from node 0 to node 1 and, in the next run, back, in every combination, in turns: each
 * round runs every combination once, for only runs side by side compare. Every run is verified outside its timed section.
 *
 * @throws ErrnoError EINVAL for a setting that is wrong, missing, none, or said twice, a total that is no multiple of a
 * folio size, or an input that isn't a file with something in it; ENOENT if there is none; ENOMEM for more memory than there
 * is; EIO if anything came out wrong. SettingError, with sysfs's code, for what sysfs doesn't take. What
 * `onCopiers` throws
 * @returns a row for each combination that was run; fewer, of fewer runs, if the signal was aborted
 */
export async function sweepMigrations(asked: MigrateSweep, control: SweepControl = {}): Promise<MigrateMeasurement[]> {
  const sweep = await complete(asked);
  control.onCopiers?.(sweep);
  const layouts = combine(sweep.folioBytes, sweep.frames);
  const sizes = sweep.folioBytes.map((folioBytes) => bytesToMove(sweep, folioBytes));
  // Now, and not once the smaller ones are measured.
  checkRoom(sweep.total === undefined ? 'count' : 'total', Math.max(...sizes));
  PhysicalMemory.create({ nodes: [Math.max(...sizes), Math.max(...sizes)] });
  const settings = combineSettings(sweep);
  const rounds = layouts.map(([folioBytes]) => warmUpRounds(sweep, bytesToMove(sweep, folioBytes)) + sweep.runs);
  const runs = rounds.reduce((sum, count) => sum + count * settings.length, 0);
  const results: MigrateMeasurement[] = [];
  const begins = countRuns(runs, control);
  for (const [folioBytes, frames] of layouts) {
    if (control.signal?.aborted) break;
    results.push(...(await measure(sweep, settings, folioBytes, frames, begins, control.signal)));
    collectGarbage();
  }
  return results;
}

/** What was asked for, with what `set` decides. */
async function complete(asked: MigrateSweep): Promise<Sweep> {
  const checked = checkOptions(asked, SWEEP);
  const { set, threads, caller, flows, migrators, channels, dmaSetups, dma, dcbm, reason, batchLimits } = checked;
  checkUndecided(set, {
    threads,
    caller,
    flow: flows,
    migrator: migrators,
    channels,
    dmaSetup: dmaSetups,
    cpuShare: dcbm?.cpuShare,
    dmaWait: dcbm?.wait,
    queueDepth: dma?.queueDepth,
    batchLimit: batchLimits,
  });
  const decided = await decide(set, reason);
  const sweep = {
    ...checked,
    migrators: migrators ?? listIf(decided.migrator),
    threads: threads ?? listIf(decided.threads),
    channels: channels ?? listIf(decided.channels) ?? [1],
    dmaSetups: dmaSetups ?? listIf(decided.dmaSetup) ?? ['batch' as const],
    caller: caller ?? decided.caller ?? 'waits',
    flows: flows ?? listIf(decided.flow),
    batchLimits: batchLimits ?? listIf(decided.batchLimit) ?? [NR_MAX_BATCHED_MIGRATION],
  };
  checkChannels(sweep.channels, sweep.dma);
  const all = checkOptions(sweep, SWEEP, REQUIRED) as Omit<Sweep, 'registered'>;
  return { ...all, registered: decided.registered };
}

/** @throws ErrnoError EINVAL for more channels than the device has: fewer would be measured than the row says */
function checkChannels(channels: readonly number[], dma: DmaHardware | undefined): void {
  const { device = 'ptdma', channels: own } = dma ?? {};
  const has = own ?? DMA_DEVICES[device]?.channels;
  const tooMany = channels.find((count) => count > has);
  if (tooMany === undefined) return;
  throw new ErrnoError('EINVAL', `channels: must be at most ${has}, as many as the ${device} has, got ${tooMany}`);
}

function listIf<T>(value: T | undefined): T[] | undefined {
  return value === undefined ? undefined : [value];
}

/** All measurements of one folio size and one way in which frames lie, on a machine of their own. */
async function measure(
  sweep: Sweep,
  settings: readonly Setting[],
  folioBytes: number,
  frames: Frames,
  begins: (what: string) => boolean,
  signal: AbortSignal | undefined,
): Promise<MigrateMeasurement[]> {
  const machine = await bootFor(sweep, folioBytes, frames);
  try {
    const bytes = sweep.total ?? sweep.count * folioBytes;
    const layout = await finishInTurns(mapSteps(machine, bytes, folioBytes, sweep.input, sweep.seed), signal);
    if (!layout) return [];
    const measured = await sweepLayout(sweep, settings, layout, begins);
    const measuredSettings = settings.filter((_, i) => measured[i].length > 0);
    return measuredSettings.map((setting) => {
      return summarize(setting, sweep, layout, frames, measured[settings.indexOf(setting)]);
    });
  } finally {
    await machine.close();
  }
}

/** Bytes of a run: the anonymous memory's, and the file's in whole folios. */
function bytesToMove({ count, total, input }: MigrateSweep, folioBytes: number): number {
  const anonymous = total ?? count * folioBytes;
  checkTotal(anonymous, folioBytes);
  return anonymous + (input === undefined ? 0 : Math.ceil(inputSize(input) / folioBytes) * folioBytes);
}

function combineSettings(sweep: Sweep): Setting[] {
  const { flows, migrators, threads, channels, dmaSetups, inFlight, batchLimits, batchUnit = 'pages' } = sweep;
  const { stores = [undefined] } = sweep;
  const manners: Record<
    MigratorName,
    readonly Pick<Setting, 'threads' | 'channels' | 'dmaSetup' | 'batchesInFlight'>[]
  > = {
    kernel: [{ threads: 1, batchesInFlight: 1 }],
    mtcopy: combine(threads, inFlight).map(([threads, batchesInFlight]) => ({ threads, batchesInFlight })),
    dcbm: combine(combine(channels, dmaSetups), inFlight).map(([[channels, dmaSetup], batchesInFlight]) => ({
      threads: 1,
      channels,
      dmaSetup,
      batchesInFlight,
    })),
  };
  const copiers = migrators.flatMap((migrator) => manners[migrator].map((manner) => ({ migrator, ...manner })));
  return flows.flatMap((flow) => {
    // Folio by folio: a limit changes nothing, so that is measured once.
    const limits = flow === 'serial' ? batchLimits.slice(0, 1) : batchLimits;
    return combine(combine(limits, stores), copiers).map(([[batchLimit, kept], copier]) => ({
      ...copier,
      batchLimit,
      batchUnit,
      ...(kept !== undefined && { stores: kept }),
      flow,
    }));
  });
}

function warmUpRounds({ warmUps }: Sweep, bytes: number): number {
  return warmUps ?? Math.min(MAX_WARM_UP_ROUNDS, Math.ceil(WARM_UP_BYTES / bytes));
}

/** Boots a machine whose nodes have just the room that is needed. */
async function bootFor(sweep: Sweep, folioBytes: number, frames: Frames): Promise<Machine> {
  const bytes = bytesToMove(sweep, folioBytes);
  // Freed folios are handed out again in the order in which they were freed: ascending or shuffled in every run.
  const nodes = [bytes, bytes];
  const { caller, dma, dcbm } = sweep;
  const machine = await Machine.boot({ nodes, cpus: 0, caller, dma, dcbm, pcpHigh: Number.POSITIVE_INFINITY });
  try {
    await applySettings(machine, sweep.set);
    if (frames === 'shuffled') ageNodes(machine.memory, orderOf(folioBytes), sweep.seed);
    return machine;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** The measured runs of each setting. */
async function sweepLayout(
  sweep: Sweep,
  settings: readonly Setting[],
  layout: MovedMemory,
  begins: (what: string) => boolean,
): Promise<MigrationRun[][]> {
  const measured = settings.map((): MigrationRun[] => []);
  const warmUps = warmUpRounds(sweep, layout.addresses.length * layout.folioBytes);
  for (let round = 0; round < warmUps + sweep.runs; round++) {
    for (let turn = 0; turn < settings.length; turn++) {
      // Every other round goes backwards, or with an even number of settings each would always move in one direction.
      const which = round % 2 === 0 ? turn : settings.length - 1 - turn;
      if (!begins(whatRuns(settings[which], layout))) return measured;
      const run = await moveAcross(layout, { ...settings[which], reason: sweep.reason });
      if (round >= warmUps) measured[which]?.push(run);
    }
  }
  return measured;
}

/** A run, for the progress. */
function whatRuns({ flow, ...setting }: Setting, { folioBytes }: MovedMemory): string {
  return `${formatSize(folioBytes)}, ${flow}, ${migratorText(setting)}`;
}

function summarize(
  setting: Setting,
  { caller, reason }: Sweep,
  layout: MovedMemory,
  frames: Frames,
  runs: readonly MigrationRun[],
): MigrateMeasurement {
  const { machine, folioBytes, addresses } = layout;
  const bytes = addresses.length * folioBytes;
  const { migrator, flow, stores } = setting;
  const asked = { migrator, flow, stores, reason, folioBytes };
  const { method: copiedWith, noStreaming } = machine.methodFor(bytes, asked);
  const samplesNs = runs.map(({ ns }) => ns);
  const middle = medianRuns(runs);
  const phasesNs = meanTimes(middle.map((run) => run.phasesNs));
  return {
    ...setting,
    ...(migrator === 'mtcopy' && { caller }),
    copiedWith,
    ...(noStreaming !== undefined && { noStreaming }),
    folioBytes,
    folios: addresses.length,
    frames,
    gbps: speedsOf(bytes, samplesNs),
    nsPerPage: median(samplesNs) / (bytes / PAGE_SIZE),
    phasesNs,
    cpuNs: meanTimes(middle.map((run) => run.cpuNs)),
    dmaNs: meanTimes(middle.map((run) => run.dmaNs)),
    movedBy: sumMoved(runs),
    declined: runs.reduce((sum, { declined }) => sum + declined, 0),
    fractionCopy: fractionCopy(phasesNs),
    vmstat: sumCounts(runs.map(({ vmstat }) => vmstat)),
    samplesNs,
    verified: true,
  };
}

function sumMoved(runs: readonly MigrationRun[]): MovedBy[] {
  const sums = new Map<string, MovedBy>();
  for (const { migrator, folios, bytes } of runs.flatMap(({ movedBy }) => movedBy)) {
    const sum = sums.get(migrator) ?? { migrator, folios: 0, bytes: 0 };
    sums.set(migrator, { migrator, folios: sum.folios + folios, bytes: sum.bytes + bytes });
  }
  return [...sums.values()];
}
