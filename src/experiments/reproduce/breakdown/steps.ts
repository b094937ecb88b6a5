import { KiB, Machine, MiB, type MigratorName, PAGE_SIZE, type Steps } from 'mtcopy';
import { mean, median } from 'simple-statistics';
import { combine } from '../../shared/combine.js';
import { type Control, isCutShort } from '../../shared/control.js';
import { MIN_ROUNDS, runInTurns, type Variant } from '../../shared/in-turns.js';
import { atLeast1Ns } from '../../shared/nanoseconds.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import type { Scale } from '../experiment.js';
import { type Amounts, bytesThatFit, LEAST_PART, timeTrials } from '../fit.js';
import { mapCachedMemory, type SteppedRun } from './cached-memory.js';

/** The calling thread first: the others are measured against it. */
const MIGRATORS = ['kernel', 'mtcopy', 'dcbm'] as const satisfies readonly MigratorName[];
const SETTINGS = {
  quick: { folioBytes: [4 * KiB, 2 * MiB], mappings: [0, 1, 16], bytes: 4 * MiB },
  // Not more, or move_pages cuts the call in two.
  thorough: { folioBytes: [4 * KiB, 64 * KiB, 2 * MiB], mappings: [0, 1, 4, 16], bytes: 32 * MiB },
} as const;
const WARM_UPS = 1;
/** Folios of a run at least. */
const LEAST_FOLIOS = 4;

/** What a page's migration is made of, in nanoseconds. */
export interface PageNs extends Steps {
  /** Looking it up, and taking it off the LRU. */
  readonly isolate: number;
  /** Interrupting the CPUs that may hold old translations. */
  readonly flush: number;
  /** Copying its bytes. */
  readonly copy: number;
  /** What is in none of the others, such as the loops over folios. */
  readonly other: number;
  /** The sum of all. */
  readonly whole: number;
}

/** Page cache in folios of one size, mapped by so many address spaces, moved by one migrator: medians of the runs. */
export interface StepsRow {
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Address spaces that map it. */
  readonly mappings: number;
  /** What copied. */
  readonly migrator: MigratorName;
  /** Runs that counted. */
  readonly runs: number;
  /** Nanoseconds a page of 4 KiB, by step. */
  readonly pageNs: PageNs;
  /** Of all of a migration's time, 0 to 1, as ratios: a step's estimate may be disturbed more than the whole. */
  readonly shares: {
    /** Locking, allocating, and replacing entries by migration entries. */
    readonly unmap: Ratio;
    /** Copying the bytes. */
    readonly copy: Ratio;
    /** Replacing migration entries by entries of the target. */
    readonly removeMigrationPtes: Ratio;
    /** Unmapping and removing migration entries. */
    readonly rmap: Ratio;
  };
  /** CPU nanoseconds a page, of the calling thread and of copy threads; a DMA channel's thread is the device, and no CPU. */
  readonly cpuNs: number;
  /** What the calling thread alone spends beyond that, a page: the median of the pairs. */
  readonly cpuSavedNs: number;
  /** Time by that of the calling thread alone: below 1 is a gain. */
  readonly timeByKernel: Ratio;
  /** CPU time, likewise. */
  readonly cpuByKernel: Ratio;
}

/** What was measured, and of how many bytes. */
export interface MeasuredSteps extends Amounts {
  readonly rows: StepsRow[];
}

/** Page cache: in what folios, and mapped by how many. */
interface Cached {
  readonly folioBytes: number;
  readonly mappings: number;
}

export async function measureSteps(scale: Scale, control: Control): Promise<MeasuredSteps> {
  const settings = scale.quick ? SETTINGS.quick : SETTINGS.thorough;
  const each = combine(settings.folioBytes, settings.mappings).map(
    ([folioBytes, mappings]): Cached => ({ folioBytes, mappings }),
  );
  const started = performance.now();
  const usualBytes = Math.min(scale.bytes, settings.bytes);
  const bytes = scale.quick ? usualBytes : await bytesWithin(usualBytes, each.length, scale, control);
  const nextSeconds = shareTime(scale.seconds - (performance.now() - started) / 1000, each.length);
  const rows: StepsRow[] = [];
  for (const cached of each) {
    if (isCutShort(control)) break;
    rows.push(...(await measureOne(cached, bytes, { ...scale, seconds: nextSeconds() }, control)));
  }
  return { bytes, usualBytes, rows };
}

/** {@link bytesThatFit}, by runs of the least bytes in the folios that take longest, which none maps, and which most do. */
async function bytesWithin(bytes: number, parts: number, scale: Scale, control: Control): Promise<number> {
  const { seconds, warmUps = WARM_UPS } = scale;
  const seen: number[] = [];
  for (const mappings of [0, 16]) {
    if (isCutShort(control)) return bytes;
    const trial = { folioBytes: PAGE_SIZE, mappings };
    const began = performance.now();
    const runs = await withMigrators(trial, bytes / LEAST_PART, scale, (ways) => timeTrials(ways, control));
    // What prepares it takes as long as some of the rounds, and there is a lot of such parts.
    const prepared = (performance.now() - began) / 1000 - runs;
    seen.push(runs + prepared / (MIN_ROUNDS + warmUps));
  }
  return bytesThatFit({ bytes, seconds: seconds / parts, leastSeconds: mean(seen), warmUpsOf: () => warmUps });
}

async function measureOne(cached: Cached, bytes: number, scale: Scale, control: Control): Promise<StepsRow[]> {
  const { seconds, bound, warmUps = WARM_UPS } = scale;
  const own = bytesOf(cached, bytes);
  const started = performance.now();
  const samples = await withMigrators(cached, bytes, scale, (ways) => {
    const left = seconds - (performance.now() - started) / 1000;
    return runInTurns(ways, wholeNs, { warmUps, seconds: left, bound, measure: 'ns of all phases' }, control);
  });
  if (samples[0].length === 0) return [];
  return MIGRATORS.map((migrator, i) => {
    return { ...cached, migrator, ...summarize(migrator, own / PAGE_SIZE, samples[i], samples[0]) };
  });
}

const bytesOf = ({ folioBytes }: Cached, bytes: number) => Math.max(LEAST_FOLIOS * folioBytes, bytes);

async function withMigrators<T>(
  cached: Cached,
  bytes: number,
  { stores }: Scale,
  measure: (ways: readonly Variant<SteppedRun>[]) => Promise<T>,
): Promise<T> {
  const { folioBytes, mappings } = cached;
  const own = bytesOf(cached, bytes);
  const common = { cpus: 0, threads: 'auto', caller: 'waits', ...(stores && { stores }) } as const;
  const machine = await Machine.boot({ nodes: [own, own], ...common, dma: { device: 'dsa', iommu: 'translated' } });
  try {
    const move = await mapCachedMemory(machine, own, folioBytes, mappings);
    const ways = MIGRATORS.map((migrator) => ({
      name: `folios of ${folioBytes / KiB}K mapped by ${mappings}, ${migrator}`,
      run: () => move({ flow: 'pre-copy', migrator, batchUnit: 'folios' }),
    }));
    return await measure(ways);
  } finally {
    await machine.close();
  }
}

/** All phases, which one thread goes through one after the other. */
function wholeNs({ phasesNs }: SteppedRun): number {
  return atLeast1Ns(Object.values(phasesNs).reduce((sum, ns) => sum + ns));
}

/** CPU nanoseconds: those of channels' threads are the device's. */
function cpuNsOf({ cpuNs: { caller, threads, dma } }: SteppedRun, migrator: MigratorName): number {
  return atLeast1Ns(caller + dma + (migrator === 'mtcopy' ? threads : 0));
}

function summarize(
  migrator: MigratorName,
  pages: number,
  runs: readonly SteppedRun[],
  kernel: readonly SteppedRun[],
): Omit<StepsRow, 'folioBytes' | 'mappings' | 'migrator'> {
  // A step that is found to be nothing has taken something.
  const share = (of: (run: SteppedRun) => number) =>
    ratioOf(
      runs.map((run) => atLeast1Ns(of(run))),
      runs.map(wholeNs),
    );
  const cpu = runs.map((run) => cpuNsOf(run, migrator));
  const cpuOfKernel = kernel.map((run) => cpuNsOf(run, 'kernel'));
  return {
    runs: runs.length,
    pageNs: pageNsOf(pages, runs),
    shares: {
      unmap: share(({ phasesNs }) => phasesNs.unmap),
      copy: share(({ phasesNs }) => phasesNs.copy),
      removeMigrationPtes: share(({ stepsNs }) => stepsNs.removeMigrationPtes),
      rmap: share(({ phasesNs, stepsNs }) => phasesNs.unmap + stepsNs.removeMigrationPtes),
    },
    cpuNs: median(cpu) / pages,
    cpuSavedNs: median(cpu.map((ns, i) => (cpuOfKernel[i] - ns) / pages)),
    timeByKernel: ratioOf(runs.map(wholeNs), kernel.map(wholeNs)),
    cpuByKernel: ratioOf(cpu, cpuOfKernel),
  };
}

function pageNsOf(pages: number, runs: readonly SteppedRun[]): PageNs {
  const typical = (of: (run: SteppedRun) => number) => median(runs.map((run) => of(run) / pages));
  const step = (name: keyof Steps) => typical(({ stepsNs }) => stepsNs[name]);
  const known = {
    isolate: typical(({ phasesNs }) => phasesNs.isolate),
    lock: step('lock'),
    allocate: step('allocate'),
    tryToMigrate: step('tryToMigrate'),
    flush: typical(({ phasesNs }) => phasesNs.flush),
    copy: typical(({ phasesNs }) => phasesNs.copy),
    metadata: step('metadata'),
    removeMigrationPtes: step('removeMigrationPtes'),
    free: step('free'),
  };
  const whole = typical(wholeNs);
  return { ...known, other: whole - Object.values(known).reduce((sum, ns) => sum + ns), whole };
}
