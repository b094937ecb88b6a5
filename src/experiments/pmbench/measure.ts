import { createHistogram } from 'node:perf_hooks';
import {
  above0,
  BATCH_UNITS,
  type BatchUnit,
  type Checks,
  checkOptions,
  ErrnoError,
  FLOWS,
  type Flow,
  formatSize,
  fractionCopy,
  type Latencies,
  listOf,
  MAX_BATCH_LIMIT,
  MAX_CPUS,
  Machine,
  MIGRATOR_NAMES,
  MiB,
  type MigrationWaits,
  type MigratorName,
  NR_MAX_BATCHED_MIGRATION,
  numberFrom,
  oneOf,
  PAGE_SIZE,
  type Phases,
  STORES,
  type Stores,
  threadCount,
  type UsedMethod,
  type Vmstat,
  wholeNumber,
} from 'mtcopy';
import { SWEEP_CALLERS, type SweepCaller } from '../shared/callers.js';
import { count, folioBytes } from '../shared/checks.js';
import { type Control, countRuns } from '../shared/control.js';
import { PATTERNS, type Pattern } from '../shared/pmbench/access-pattern.js';
import {
  MAX_SEED,
  PMBENCH_CALLS,
  type PmbenchCall,
  type PmbenchLoad,
  type PmbenchRun,
  runPmbench,
} from '../shared/pmbench/run.js';
import { sumCounts } from '../shared/statistics.js';
import {
  applySettings,
  checkSet,
  checkUndecided,
  decide,
  migratorOf,
  type SweepControl,
  type SysfsSetting,
} from '../shared/sysfs.js';

/** What to measure: one load, with each flow. What `set` says is left out. */
export interface PmbenchComparison extends PmbenchLoad {
  /** CPUs that access the area, 1 to 64. */
  readonly cpus: number;
  /** In which order batches go through their steps. Default: none, `set` says it then. */
  readonly flows?: readonly Flow[] | undefined;
  /** What copies. Default: none, `set` says it then. */
  readonly migrator?: MigratorName | undefined;
  /** Worker threads of the migrator `'mtcopy'`, 1 to 64. Default: none, `set` says it then. */
  readonly threads?: number | 'auto' | undefined;
  /** Whether the calling thread copies beside them. Default: `'waits'`. */
  readonly caller?: SweepCaller | undefined;
  /** Seconds that each flow is measured for, above 0. */
  readonly seconds: number;
  /** Runs that these are cut into, which take turns with the other flows'. Default: 4. */
  readonly runs?: number | undefined;
  /** Seconds that each flow runs before the first that counts. Default: 0, none. */
  readonly warmup?: number | undefined;
  /** What the machines' sysfs is told before anything is measured. Default: nothing. */
  readonly set?: readonly SysfsSetting[] | undefined;
}

/** {@link PmbenchComparison}, complete. */
interface Comparison extends PmbenchComparison {
  readonly flows: readonly Flow[];
  readonly migrator: MigratorName;
  readonly threads: number | 'auto';
  readonly caller: SweepCaller;
  readonly registered: MigratorName;
}

const COMPARISON: Checks<PmbenchComparison> = {
  cpus: wholeNumber(1, MAX_CPUS),
  pages: count,
  folioBytes,
  pattern: oneOf(PATTERNS),
  writeRatio: numberFrom(0, 1),
  call: oneOf(PMBENCH_CALLS),
  batchLimit: wholeNumber(1, MAX_BATCH_LIMIT),
  batchUnit: oneOf(BATCH_UNITS),
  stores: oneOf(STORES),
  seed: wholeNumber(0, MAX_SEED),
  flows: listOf(oneOf(FLOWS)),
  migrator: oneOf(MIGRATOR_NAMES),
  threads: threadCount,
  caller: oneOf(SWEEP_CALLERS),
  seconds: above0,
  runs: count,
  warmup: numberFrom(0, Number.POSITIVE_INFINITY),
  set: checkSet,
};
const REQUIRED: readonly (keyof PmbenchComparison)[] = [
  ...(['cpus', 'pages', 'folioBytes', 'pattern', 'writeRatio'] as const),
  ...(['flows', 'migrator', 'threads', 'caller', 'seconds'] as const),
];

/** One run of a flow. */
export interface PmbenchSample {
  /** Measured. */
  readonly seconds: number;
  /** TLB-flush interrupts that the CPUs received. */
  readonly ipis: number;
  /** Pages of 4 KiB that moved. */
  readonly pagesMigrated: number;
  /** The same a second. */
  readonly pagesMigratedPerSecond: number;
  /** Loads and stores of all CPUs. */
  readonly accesses: number;
  /** The same a second. */
  readonly accessesPerSecond: number;
  /** Stores made, less those found in memory: anything but 0 is an error of migration. */
  readonly lostUpdates: number;
}

/** One flow and what it measured. */
export interface PmbenchMeasurement {
  /** In which order batches went through their steps. */
  readonly flow: Flow;
  /** What copied. */
  readonly migrator: MigratorName;
  /** Worker threads of `'mtcopy'`; 1 for the others. */
  readonly threads: number;
  /** Whether the calling thread copied beside them; there for `'mtcopy'` alone. */
  readonly caller?: SweepCaller;
  /** Channels of `'dcbm'`; there for it alone. */
  readonly channels?: number;
  /** CPUs that accessed the area. */
  readonly cpus: number;
  /** Pages of the area. */
  readonly pages: number;
  /** Bytes of its folios. */
  readonly folioBytes: number;
  /** Which page came next. */
  readonly pattern: Pattern;
  /** Stores as a fraction of the accesses, 0 to 1. */
  readonly writeRatio: number;
  /** What moved the area. */
  readonly call: PmbenchCall;
  /** Pages or folios of a batch. */
  readonly batchLimit: number;
  /** What that counts. */
  readonly batchUnit: BatchUnit;
  /** What was asked for of the stores of copies; there if anything was. */
  readonly copyStores?: Stores;
  /** The loop that copied, or would in a call that moves all of the area at once. */
  readonly copiedWith: UsedMethod['method'];
  /** Why that wasn't `'streaming'`; there if it wasn't. */
  readonly noStreaming?: string;
  /** What the CPUs drew pages by. */
  readonly seed: number;
  /** Every run, in the order in which they were made; the rest of this is of all of them together. */
  readonly samples: readonly PmbenchSample[];
  /** Measured. */
  readonly seconds: number;
  /** TLB-flush interrupts that the CPUs received. */
  readonly ipis: number;
  /** Those for each page that moved. */
  readonly ipisPerPage: number;
  /** A flush, from the first interrupt to the last answer; those of the warm-up too. */
  readonly tlbFlushNs: Latencies;
  /** Pages of 4 KiB that moved. */
  readonly pagesMigrated: number;
  /** The same a second. */
  readonly pagesMigratedPerSecond: number;
  /** Loads and stores of all CPUs. */
  readonly accesses: number;
  /** The same a second. */
  readonly accessesPerSecond: number;
  /** Nanoseconds from the end of an access to the end of the CPU's next. */
  readonly accessNs: {
    /** Half of them took at most that. */
    readonly p50: number;
    /** 90 % of them. */
    readonly p90: number;
    /** 99 % of them. */
    readonly p99: number;
    /** 99.9 % of them. */
    readonly p999: number;
    /** The longest. */
    readonly max: number;
    /** Their mean. */
    readonly mean: number;
  };
  /** Stores among the accesses. */
  readonly stores: number;
  /** Stores made, less those found in memory: anything but 0 is an error of migration. */
  readonly lostUpdates: number;
  /** How long CPUs waited for pages that were on their way; those of the warm-up too. */
  readonly migrationWaits: MigrationWaits;
  /** Nanoseconds of each phase of all migrations. */
  readonly phasesNs: Phases;
  /** Fraction F of the phases that copies took, 0 to 1. */
  readonly fractionCopy: number;
  /** What the counters of /proc/vmstat grew by. */
  readonly vmstat: Vmstat;
}

/** What `vanilla` does against `serial`, as fractions: -0.99 is 99% less. */
export interface FlowChange {
  /** Of interrupts for each page that moved. */
  readonly ipisPerPage: number;
  /** Of pages that moved a second. */
  readonly pagesMigratedPerSecond: number;
}

/** What was measured, and what the published work reports. */
export interface FlowComparison {
  /** Here. */
  readonly measured: FlowChange;
  /** By the series. */
  readonly published: FlowChange;
}

/**
 * The change that was published for batched TLB flushing, on a server with two sockets, measured with pmbench while its pages
 * were moved between two nodes: "[PATCH 0/8] migrate_pages(): batch TLB flushing", 2022-12-26. It has 99.1% fewer interrupts in
 * equal time, in which 291.7% more pages were moved.
 */
const PUBLISHED_CHANGE: FlowChange = {
  ipisPerPage: (1 - 0.991) / (1 + 2.917) - 1,
  pagesMigratedPerSecond: 2.917,
};

/** Runs that a flow's seconds are cut into, unless it is said: for the speed of the machine drifts. */
const TURNS = 4;
/** What a node has beyond the area. */
const SPARE_BYTES = 8 * MiB;

/**
 * Runs pmbench with each flow on a machine of its own, in turns (A B, B A). Once the signal is aborted, the run at hand ends, and
 * what it has measured by then counts.
 *
 * @throws ErrnoError EINVAL for a wrong load, or what is said twice; ENOMEM for more memory than there is; EIO if a migration
 * went wrong in a way that `lostUpdates` doesn't show. SettingError, with sysfs's code, for what sysfs doesn't take. What
 * `onCopiers` throws
 */
export async function comparePmbenchFlows(
  asked: PmbenchComparison,
  control: SweepControl = {},
): Promise<PmbenchMeasurement[]> {
  const comparison = await complete(asked);
  control.onCopiers?.({ migrators: [comparison.migrator], registered: comparison.registered });
  const perFolio = comparison.folioBytes / PAGE_SIZE;
  if (comparison.pages % perFolio !== 0) {
    const problem = `must be whole folios of ${formatSize(comparison.folioBytes)}, a multiple of ${perFolio}`;
    throw new ErrnoError('EINVAL', `pages: ${problem}, got ${comparison.pages}`);
  }
  const { cpus, flows, migrator, threads, caller, pages, set } = comparison;
  const nodeBytes = pages * PAGE_SIZE + SPARE_BYTES;
  const settings = { nodes: [nodeBytes, nodeBytes], cpus, migrator, threads, caller };
  const machines: Machine[] = [];
  try {
    for (const _ of flows) machines.push(await Machine.boot(settings));
    for (const machine of machines) await applySettings(machine, set);
    const runs = await runFlows(machines, comparison, control);
    const measured = flows.filter((_, i) => runs[i].length > 0);
    return measured.map((flow) => {
      const i = flows.indexOf(flow);
      return summarize(comparison, flow, machines[i], runs[i]);
    });
  } finally {
    await Promise.all(machines.map((machine) => machine.close()));
  }
}

/** The runs of each flow, on its machine, in turns. */
async function runFlows(
  machines: readonly Machine[],
  comparison: Comparison,
  control: Control,
): Promise<PmbenchRun[][]> {
  const { flows, seconds, runs: turns = TURNS, warmup = 0 } = comparison;
  const runs: PmbenchRun[][] = flows.map(() => []);
  const warmUps = warmup > 0 ? 1 : 0;
  const inOrder = [...flows.entries()];
  const order = Array.from({ length: warmUps + turns }, (_, at) => at - warmUps).flatMap((turn) =>
    (turn % 2 === 0 ? inOrder : inOrder.toReversed()).map(([i, flow]) => ({ i, flow, counts: turn >= 0 })),
  );
  const begins = countRuns(order.length, control);
  for (const { i, flow, counts } of order) {
    if (!begins(counts ? flow : `${flow}, warming up`)) break;
    const run = await runPmbench(machines[i], comparison, flow, counts ? seconds / turns : warmup, control.signal);
    // Of one that was cut short in its first call only stores that it has lost are known.
    if (counts && (run.seconds > 0 || run.lostUpdates !== 0)) runs[i].push(run);
  }
  return runs;
}

/** What was asked for, with what `set` decides. */
async function complete(asked: PmbenchComparison): Promise<Comparison> {
  const checked = checkOptions(asked, COMPARISON);
  const { set, threads, caller, flows, migrator } = checked;
  checkUndecided(set, { threads, caller, flow: flows, migrator });
  const decided = await decide(set);
  const comparison = {
    ...checked,
    threads: threads ?? decided.threads,
    caller: caller ?? decided.caller ?? 'waits',
    flows: flows ?? (decided.flow && [decided.flow]),
    migrator: migrator ?? decided.migrator,
  };
  const all = checkOptions<PmbenchComparison>(comparison, COMPARISON, REQUIRED) as Omit<Comparison, 'registered'>;
  // A machine that boots with a migrator has it registered.
  return { ...all, registered: migrator ?? decided.registered };
}

/** `vanilla` against `serial`, and what was published of that; `undefined` unless both were run. */
export function compareBatching(results: readonly PmbenchMeasurement[]): FlowComparison | undefined {
  const serial = results.find(({ flow }) => flow === 'serial');
  const vanilla = results.find(({ flow }) => flow === 'vanilla');
  if (!serial || !vanilla) return undefined;
  const change = (of: keyof FlowChange) => vanilla[of] / serial[of] - 1;
  const measured = { ipisPerPage: change('ipisPerPage'), pagesMigratedPerSecond: change('pagesMigratedPerSecond') };
  return { measured, published: PUBLISHED_CHANGE };
}

/** What the runs of one flow on its machine come to together. */
function summarize(
  { cpus, pages, folioBytes, pattern, writeRatio, caller, stores: copyStores, ...asked }: Comparison,
  flow: Flow,
  machine: Machine,
  runs: readonly PmbenchRun[],
): PmbenchMeasurement {
  const {
    tlbFlushNs,
    threads,
    dcbm,
    cpus: { migrationWaits },
  } = machine;
  const migrator = migratorOf(machine);
  const copies = { migrator, flow, stores: copyStores, folioBytes };
  const { method: copiedWith, noStreaming } = machine.methodFor(pages * PAGE_SIZE, copies);
  const { seconds, accessSeconds, accesses, stores, lostUpdates, latencies, stats, vmstat } = addRuns(runs);
  const ipis = vmstat.nr_tlb_remote_flush_received;
  const pagesMigrated = stats.succeeded;
  return {
    flow,
    migrator,
    ...(migrator === 'mtcopy' ? { threads, caller } : { threads: 1 }),
    ...(migrator === 'dcbm' && { channels: dcbm.nrDmaChan }),
    cpus,
    pages,
    folioBytes,
    pattern,
    writeRatio,
    call: asked.call ?? 'move_pages',
    batchLimit: asked.batchLimit ?? NR_MAX_BATCHED_MIGRATION,
    batchUnit: asked.batchUnit ?? 'pages',
    ...(copyStores !== undefined && { copyStores }),
    copiedWith,
    ...(noStreaming !== undefined && { noStreaming }),
    seed: asked.seed ?? 0,
    samples: runs.map(sampleOf),
    seconds,
    ipis,
    ipisPerPage: ipis / pagesMigrated,
    tlbFlushNs,
    pagesMigrated,
    pagesMigratedPerSecond: pagesMigrated / seconds,
    accesses,
    accessesPerSecond: accesses / accessSeconds,
    accessNs: {
      p50: latencies.percentile(50),
      p90: latencies.percentile(90),
      p99: latencies.percentile(99),
      p999: latencies.percentile(99.9),
      max: latencies.max,
      mean: latencies.mean,
    },
    stores,
    lostUpdates,
    migrationWaits,
    phasesNs: stats.phasesNs,
    fractionCopy: fractionCopy(stats.phasesNs),
    vmstat,
  };
}

function sampleOf({ seconds, accessSeconds, stats, vmstat, accesses, lostUpdates }: PmbenchRun): PmbenchSample {
  return {
    seconds,
    ipis: vmstat.nr_tlb_remote_flush_received,
    pagesMigrated: stats.succeeded,
    pagesMigratedPerSecond: stats.succeeded / seconds,
    accesses,
    accessesPerSecond: accesses / accessSeconds,
    lostUpdates,
  };
}

function addRuns(runs: readonly PmbenchRun[]): PmbenchRun {
  const latencies = createHistogram();
  for (const run of runs) latencies.add(run.latencies);
  return { ...sumCounts(runs.map(({ latencies, ...counts }) => counts)), latencies };
}
