import { createHistogram } from 'node:perf_hooks';
import {
  above0,
  type Checks,
  checkOptions,
  ErrnoError,
  FLOWS,
  type Flow,
  formatSize,
  fractionCopy,
  type Latencies,
  listOf,
  MAX_CPUS,
  Machine,
  MIGRATOR_NAMES,
  MiB,
  type MigrationWaits,
  type MigratorName,
  numberFrom,
  oneOf,
  PAGE_SIZE,
  type Phases,
  threadCount,
  type Vmstat,
  wholeNumber,
} from 'mtcopy';
import { SWEEP_CALLERS, type SweepCaller } from '../shared/callers.js';
import { count, folioBytes } from '../shared/checks.js';
import { countRuns } from '../shared/control.js';
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
import { PATTERNS, type Pattern } from './access-pattern.js';
import { type PmbenchLoad, type PmbenchRun, runPmbench } from './run.js';

/** What to measure: one load, with each flow. What `set` says is left out. */
export interface PmbenchComparison extends PmbenchLoad {
  /** CPUs that access the area, 1 to 64. */
  readonly cpus: number;
  readonly flows?: readonly Flow[] | undefined;
  readonly migrator?: MigratorName | undefined;
  /** Worker threads of the migrator `'mtcopy'`, 1 to 64. */
  readonly threads?: number | 'auto' | undefined;
  /** Whether the calling thread copies beside them. Default: `'waits'`. */
  readonly caller?: SweepCaller | undefined;
  /** Seconds that each flow is measured for, above 0. */
  readonly seconds: number;
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
  flows: listOf(oneOf(FLOWS)),
  migrator: oneOf(MIGRATOR_NAMES),
  threads: threadCount,
  caller: oneOf(SWEEP_CALLERS),
  seconds: above0,
  set: checkSet,
};
const REQUIRED = (Object.keys(COMPARISON) as (keyof PmbenchComparison)[]).filter((name) => name !== 'set');

/** One flow and what it measured. */
export interface PmbenchMeasurement {
  readonly flow: Flow;
  readonly migrator: MigratorName;
  /** Worker threads of `'mtcopy'`; 1 for the others. */
  readonly threads: number;
  /** Whether the calling thread copied beside them; there for `'mtcopy'` alone. */
  readonly caller?: SweepCaller;
  /** Channels of `'dcbm'`; there for it alone. */
  readonly channels?: number;
  readonly cpus: number;
  readonly pages: number;
  readonly folioBytes: number;
  readonly pattern: Pattern;
  readonly writeRatio: number;
  /** Measured. */
  readonly seconds: number;
  /** TLB-flush interrupts that the CPUs received. */
  readonly ipis: number;
  readonly ipisPerPage: number;
  /** A flush, from the first interrupt to the last answer. */
  readonly tlbFlushNs: Latencies;
  readonly pagesMigrated: number;
  readonly pagesMigratedPerSecond: number;
  /** Of all CPUs. */
  readonly accesses: number;
  readonly accessesPerSecond: number;
  /** From the end of an access to the end of the CPU's next. */
  readonly accessNs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly p999: number;
    readonly max: number;
    readonly mean: number;
  };
  readonly stores: number;
  /** Stores made, less those found in memory: anything but 0 is an error of migration. */
  readonly lostUpdates: number;
  readonly migrationWaits: MigrationWaits;
  readonly phasesNs: Phases;
  readonly fractionCopy: number;
  readonly vmstat: Vmstat;
}

/** What `vanilla` does against `serial`, as fractions: -0.99 is 99% less. */
export interface FlowChange {
  readonly ipisPerPage: number;
  readonly pagesMigratedPerSecond: number;
}

/** What was measured, and what the published work reports. */
export interface FlowComparison {
  readonly measured: FlowChange;
  readonly published: FlowChange;
}

/**
 * The change that was published for batched TLB flushing, on a server with two sockets, measured with pmbench while its pages
 * were moved between two nodes: "[PATCH 0/8] migrate_pages(): batch TLB flushing", 2022-12-26.
 */
const PUBLISHED_CHANGE: FlowChange = { ipisPerPage: -0.991, pagesMigratedPerSecond: 2.917 };

/** Runs that a flow's seconds are cut into, for the speed of the machine drifts. */
const TURNS = 4;
/** What a node has beyond the area. */
const SPARE_BYTES = 8 * MiB;

/**
 * Runs pmbench with each flow on a machine of its own, in turns.
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
  const { cpus, flows, migrator, threads, caller, pages, seconds, set } = comparison;
  const nodeBytes = pages * PAGE_SIZE + SPARE_BYTES;
  const settings = { nodes: [nodeBytes, nodeBytes], cpus, migrator, threads, caller };
  const machines: Machine[] = [];
  try {
    for (const _ of flows) machines.push(await Machine.boot(settings));
    for (const machine of machines) await applySettings(machine, set);
    const runs: PmbenchRun[][] = flows.map(() => []);
    const begins = countRuns(TURNS * flows.length, control);
    turns: for (let turn = 0; turn < TURNS; turn++) {
      for (const [i, flow] of flows.entries()) {
        if (!begins(flow)) break turns;
        runs[i]?.push(await runPmbench(machines[i], comparison, flow, seconds / TURNS));
      }
    }
    const measured = flows.filter((_, i) => runs[i].length > 0);
    return measured.map((flow) => {
      const i = flows.indexOf(flow);
      return summarize(comparison, flow, machines[i], runs[i]);
    });
  } finally {
    await Promise.all(machines.map((machine) => machine.close()));
  }
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
  { cpus, pages, folioBytes, pattern, writeRatio, caller }: Comparison,
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
  const { seconds, accesses, stores, lostUpdates, latencies, stats, vmstat } = addRuns(runs);
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
    seconds,
    ipis,
    ipisPerPage: ipis / pagesMigrated,
    tlbFlushNs,
    pagesMigrated,
    pagesMigratedPerSecond: pagesMigrated / seconds,
    accesses,
    accessesPerSecond: accesses / seconds,
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

function addRuns(runs: readonly PmbenchRun[]): PmbenchRun {
  const latencies = createHistogram();
  for (const run of runs) latencies.add(run.latencies);
  return { ...sumCounts(runs.map(({ latencies, ...counts }) => counts)), latencies };
}
