import {
  type AddressSpace,
  anything,
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
  errnoName,
  FLOWS,
  type Flow,
  FRAMES,
  type Frames,
  fractionCopy,
  listOf,
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
  type Order,
  oneOf,
  orderOf,
  PAGE_SIZE,
  type Phases,
  PhysicalMemory,
  type Vmstat,
  wholeNumber,
} from 'mtcopy';
import { median } from 'simple-statistics';
import { ageNodes } from '../shared/age-node.js';
import { SWEEP_CALLERS, type SweepCaller } from '../shared/callers.js';
import { checkTotal, count, folioSizes } from '../shared/checks.js';
import { collectGarbage } from '../shared/collect-garbage.js';
import { combine } from '../shared/combine.js';
import { fillWithPattern, inputSize } from '../shared/fill.js';
import { ignoreProgress, type OnProgress } from '../shared/progress.js';
import { growth, type Speeds, speedsOf, sumCounts } from '../shared/statistics.js';
import {
  applySettings,
  checkSet,
  checkUndecided,
  decide,
  ignoreCopiers,
  type OnCopiers,
  type SysfsSetting,
} from '../shared/sysfs.js';
import { hashFolios } from '../shared/verify.js';

/** What to measure: every combination of the lists, which are needed but where `set` says what they would. */
export interface MigrateSweep {
  /** Sizes of a folio, in bytes: powers of two from 4 KiB to 4 MiB. */
  readonly folioBytes: readonly number[];
  /** Folios of anonymous memory. */
  readonly count: number;
  /** Bytes of anonymous memory, instead of `count`: a multiple of each folio size. */
  readonly total?: number | undefined;
  readonly migrators?: readonly MigratorName[] | undefined;
  /** Worker threads of the migrator `'mtcopy'`; to `'kernel'` they are nothing, so that is measured once. */
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
  readonly flows?: readonly Flow[] | undefined;
  /** How the frames lie that the memory is, and that it goes to. */
  readonly frames: readonly Frames[];
  /** Measured runs of each combination, above 0; one or more before them warm up. */
  readonly runs: number;
  /** A file whose page cache is mapped too, and moves with the anonymous memory. */
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
  runs: count,
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
  readonly registered: MigratorName;
}

/** One combination and what it measured. */
export interface MigrateMeasurement {
  readonly migrator: MigratorName;
  readonly flow: Flow;
  /** Worker threads of `'mtcopy'`; 1 for the others. */
  readonly threads: number;
  /** Whether the calling thread copied beside them; there for `'mtcopy'` alone. */
  readonly caller?: SweepCaller;
  /** Channels, and how batches were set up; there for `'dcbm'` alone. */
  readonly channels?: number;
  readonly dmaSetup?: DmaSetup;
  /** Median CPU nanoseconds that a run took of whom. */
  readonly cpuNs: CpuTime;
  /** Median nanoseconds of the steps of a device's copies in a run; all 0 but for `'dcbm'`. */
  readonly dmaNs: DmaPhases;
  /** What has moved it, in all measured runs together; `'kernel'` is the calling thread, which copies what others leave. */
  readonly movedBy: readonly MovedBy[];
  /** Batches that the migrator answered with an errno, in all measured runs together. */
  readonly declined: number;
  /** Batches under way at once. With more than 1 the phases overlap in time. */
  readonly batchesInFlight: number;
  readonly folioBytes: number;
  /** Folios moved in a run, the file's among them. */
  readonly folios: number;
  readonly frames: Frames;
  /** 10^9 bytes migrated a second. */
  readonly gbps: Speeds;
  /** Median wall time of a run, for each 4 KiB page. */
  readonly nsPerPage: number;
  /** Median nanoseconds of each phase in a run. */
  readonly phasesNs: Phases;
  /** Median fraction F of a run's phases that its copies took. */
  readonly fractionCopy: number;
  /** By how much the machine's counters went up, in all measured runs together. */
  readonly vmstat: Vmstat;
  /** Wall time of each run, in the order they were made. */
  readonly samplesNs: readonly number[];
  /** Every byte was hashed, and every page's node looked up, after each run. */
  readonly verified: true;
}

/** A combination of migrator, threads, batches in flight and flow. */
interface Setting {
  readonly migrator: MigratorName;
  readonly threads: number;
  readonly channels?: number;
  readonly dmaSetup?: DmaSetup;
  readonly batchesInFlight: number;
  readonly flow: Flow;
}

/** What one run measured. */
interface Run {
  readonly ns: number;
  readonly phasesNs: Phases;
  readonly cpuNs: CpuTime;
  readonly dmaNs: DmaPhases;
  readonly movedBy: readonly MovedBy[];
  readonly declined: number;
  readonly vmstat: Vmstat;
}

/** Memory in folios of one size, whose frames lie in one way, that moves back and forth between two nodes. */
interface Layout {
  readonly machine: Machine;
  readonly mm: AddressSpace;
  readonly order: Order;
  readonly folioBytes: number;
  /** Virtual address of each folio. */
  readonly addresses: Float64Array;
  /** SHA-256 of all bytes, as they were filled. */
  readonly hash: string;
  /** The node that it is on. */
  node: 0 | 1;
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
 */
export async function sweepMigrations(
  asked: MigrateSweep,
  onProgress: OnProgress = ignoreProgress,
  onCopiers: OnCopiers = ignoreCopiers,
): Promise<MigrateMeasurement[]> {
  const sweep = await complete(asked);
  onCopiers(sweep);
  const layouts = combine(sweep.folioBytes, sweep.frames);
  const sizes = sweep.folioBytes.map((folioBytes) => bytesToMove(sweep, folioBytes));
  // Now, and not once the smaller ones are measured.
  PhysicalMemory.create({ nodes: [Math.max(...sizes), Math.max(...sizes)] });
  const settings = combineSettings(sweep);
  const rounds = layouts.map(([folioBytes]) => warmUpRounds(bytesToMove(sweep, folioBytes)) + sweep.runs);
  const runs = rounds.reduce((sum, count) => sum + count * settings.length, 0);
  const results: MigrateMeasurement[] = [];
  let done = 0;
  for (const [folioBytes, frames] of layouts) {
    results.push(...(await measure(sweep, settings, folioBytes, frames, () => onProgress(done++, runs))));
    collectGarbage();
  }
  return results;
}

/** What was asked for, with what `set` decides. */
async function complete(asked: MigrateSweep): Promise<Sweep> {
  const checked = checkOptions(asked, SWEEP);
  const { set, threads, caller, flows, migrators, channels, dmaSetups, dma, dcbm, reason } = checked;
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
  onRun: () => void,
): Promise<MigrateMeasurement[]> {
  const machine = await bootFor(sweep, folioBytes, frames);
  try {
    const layout = layOut(machine, sweep, folioBytes);
    const measured = await sweepLayout(sweep, settings, layout, onRun);
    return settings.map((setting, i) => summarize(setting, sweep.caller, layout, frames, measured[i]));
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

function combineSettings({ flows, migrators, threads, channels, dmaSetups, inFlight }: Sweep): Setting[] {
  const manners: Record<MigratorName, readonly Omit<Setting, 'migrator' | 'flow'>[]> = {
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
  return combine(flows, copiers).map(([flow, copier]) => ({ ...copier, flow }));
}

function warmUpRounds(bytes: number): number {
  return Math.min(MAX_WARM_UP_ROUNDS, Math.ceil(WARM_UP_BYTES / bytes));
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
    if (frames === 'shuffled') ageNodes(machine.memory, orderOf(folioBytes));
    return machine;
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** Maps and fills on node 0 all that is to be moved. */
function layOut(machine: Machine, { count, total, input }: MigrateSweep, folioBytes: number): Layout {
  const mm = machine.createAddressSpace();
  const common = { folioSize: folioBytes, populate: true } as const;
  const anonymous = mm.mmap({ ...common, length: total ?? count * folioBytes });
  const order = orderOf(folioBytes);
  fillWithPattern(machine.memory, locate(mm, anonymous.folios(), order, 0), folioBytes);
  const file = input === undefined ? undefined : mm.mmap({ ...common, file: input, shared: true });
  const addresses = Float64Array.from([...anonymous.folios(), ...(file?.folios() ?? [])]);
  const hash = hashFolios(machine.memory, locate(mm, addresses, order, 0), folioBytes);
  return { machine, mm, order, folioBytes, addresses, hash, node: 0 };
}

/** The frame of each folio, through the page table. @throws ErrnoError EIO unless each is whole and on `node` */
function locate(mm: AddressSpace, addresses: Float64Array, order: Order, node: number): Uint32Array {
  const pfns = new Uint32Array(addresses.length);
  for (let i = 0; i < addresses.length; i++) {
    const folio = mm.folioAt(addresses[i]);
    if (folio?.order !== order || folio.nid !== node) {
      throw new ErrnoError('EIO', `folio ${i} of ${addresses.length} is not, or not whole, on node ${node}`);
    }
    pfns[i] = folio.pfn;
  }
  return pfns;
}

/** The measured runs of each setting. */
async function sweepLayout(
  sweep: MigrateSweep,
  settings: readonly Setting[],
  layout: Layout,
  onRun: () => void,
): Promise<Run[][]> {
  const measured = settings.map((): Run[] => []);
  const warmUps = warmUpRounds(layout.addresses.length * layout.folioBytes);
  for (let round = 0; round < warmUps + sweep.runs; round++) {
    for (let turn = 0; turn < settings.length; turn++) {
      // Every other round goes backwards, or with an even number of settings each would always move in one direction.
      const which = round % 2 === 0 ? turn : settings.length - 1 - turn;
      onRun();
      const run = await runOnce(layout, settings[which], sweep.reason);
      if (round >= warmUps) measured[which]?.push(run);
    }
  }
  return measured;
}

/** Migrates everything to the other node, and verifies it. */
async function runOnce(layout: Layout, setting: Setting, reason?: MigrateReason): Promise<Run> {
  const { machine, mm, addresses, folioBytes } = layout;
  const { threads, channels, dmaSetup, ...settings } = setting;
  machine.threads = threads;
  if (channels !== undefined) machine.dcbm.nrDmaChan = channels;
  if (dmaSetup !== undefined) machine.dcbm.setup = dmaSetup;
  const move = (list: Float64Array, node: number) =>
    reason === undefined
      ? machine.movePages(mm, list, { node, ...settings })
      : machine.migrateFolios(mm, list, { node, reason, ...settings });
  const target = layout.node === 0 ? 1 : 0;
  // Not timed: a batch goes there and back, so that the threads attach, and whoever ran before leaves the caches.
  const batch = addresses.subarray(0, Math.max(1, NR_MAX_BATCHED_MIGRATION / (folioBytes / PAGE_SIZE)));
  for (const node of [target, layout.node]) await move(batch, node);
  const before = machine.vmstat;
  const started = performance.now();
  const { status, notMigrated, stats } = await move(addresses, target);
  const ns = Math.round((performance.now() - started) * 1e6);
  const vmstat = machine.vmstat;
  layout.node = target;
  verify(layout, status, notMigrated);
  const { phasesNs, cpuNs, dmaNs, movedBy, declined } = stats;
  return { ns, phasesNs, cpuNs, dmaNs, movedBy, declined, vmstat: growth(vmstat, before) };
}

/** @throws ErrnoError EIO unless every page is where it was to go, with the bytes that it had */
function verify({ machine, mm, addresses, order, folioBytes, hash, node }: Layout, status: Int32Array, left: number) {
  const wrong = status.findIndex((outcome) => outcome !== node);
  if (wrong >= 0 || left > 0) {
    const outcome = status[wrong] ?? node;
    const why = outcome < 0 ? errnoName(outcome) : `it is on node ${outcome}`;
    throw new ErrnoError('EIO', `${left} of ${status.length} folios were not migrated; folio ${wrong}: ${why}`);
  }
  if (hashFolios(machine.memory, locate(mm, addresses, order, node), folioBytes) !== hash) {
    throw new ErrnoError('EIO', 'memory was changed by its migration');
  }
}

function summarize(
  setting: Setting,
  caller: SweepCaller,
  layout: Layout,
  frames: Frames,
  runs: readonly Run[],
): MigrateMeasurement {
  const { folioBytes, addresses } = layout;
  const bytes = addresses.length * folioBytes;
  const samplesNs = runs.map(({ ns }) => ns);
  return {
    ...setting,
    ...(setting.migrator === 'mtcopy' && { caller }),
    folioBytes,
    folios: addresses.length,
    frames,
    gbps: speedsOf(bytes, samplesNs),
    nsPerPage: median(samplesNs) / (bytes / PAGE_SIZE),
    phasesNs: medians(runs.map(({ phasesNs }) => phasesNs)),
    cpuNs: medians(runs.map(({ cpuNs }) => cpuNs)),
    dmaNs: medians(runs.map(({ dmaNs }) => dmaNs)),
    movedBy: sumMoved(runs),
    declined: runs.reduce((sum, { declined }) => sum + declined, 0),
    fractionCopy: median(runs.map(({ phasesNs }) => fractionCopy(phasesNs))),
    vmstat: sumCounts(runs.map(({ vmstat }) => vmstat)),
    samplesNs,
    verified: true,
  };
}

function sumMoved(runs: readonly Run[]): MovedBy[] {
  const sums = new Map<string, MovedBy>();
  for (const { migrator, folios, bytes } of runs.flatMap(({ movedBy }) => movedBy)) {
    const sum = sums.get(migrator) ?? { migrator, folios: 0, bytes: 0 };
    sums.set(migrator, { migrator, folios: sum.folios + folios, bytes: sum.bytes + bytes });
  }
  return [...sums.values()];
}

/** The median of each of several numbers, by their names. */
function medians<Times extends { readonly [Name in keyof Times]: number }>(runs: readonly Times[]): Times {
  const names = Object.keys(runs[0]) as (keyof Times)[];
  const each = names.map((name) => [name, Math.round(median(runs.map((times) => times[name])))]);
  return Object.fromEntries(each);
}
