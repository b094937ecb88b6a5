import {
  type Flow,
  formatSize,
  fractionCopy,
  GiB,
  KiB,
  Machine,
  MiB,
  type MigratorName,
  PAGE_SIZE,
  type Stores,
} from 'mtcopy';
import { max } from 'simple-statistics';
import { clockMhz } from '../../shared/clock.js';
import { collectGarbage } from '../../shared/collect-garbage.js';
import { type Control, isCutShort } from '../../shared/control.js';
import { runInTurns, type Variant } from '../../shared/in-turns.js';
import { type MigrationRun, type MovedMemory, mapMovedMemory, moveAcross } from '../../shared/moved-memory.js';
import { atLeast1Ns } from '../../shared/nanoseconds.js';
import { type Ratio, ratioOf } from '../../shared/ratio.js';
import { shareTime } from '../../shared/share-time.js';
import { type Spread, spreadOf } from '../../shared/spread.js';
import type { Scale } from '../experiment.js';
import { type Amounts, bytesThatFit, LEAST_PART, timeTrials, withWarmUp } from '../fit.js';

/** The published kernels: how they migrate, and with what. */
const KERNELS: Readonly<Record<string, { readonly flow: Flow; readonly migrator: MigratorName }>> = {
  generic: { flow: 'vanilla', migrator: 'kernel' },
  'batch-cpu': { flow: 'batch-move', migrator: 'kernel' },
  'batch-dma': { flow: 'batch-move', migrator: 'dcbm' },
};

/** An amount of 4-KiB pages, and the published one that it stands beside. */
interface Amount {
  readonly moved: string;
  readonly publishedAs: string;
  readonly bytes: number;
}
const PUBLISHED: readonly Amount[] = [
  { moved: '4KB', publishedAs: '4KB', bytes: 4 * KiB },
  { moved: '2MB', publishedAs: '2MB', bytes: 2 * MiB },
  { moved: '256MB', publishedAs: '256MB', bytes: 256 * MiB },
  { moved: '1GB', publishedAs: '1GB', bytes: GiB },
];
/** Stands in for the published 256 MB where less is moved: of the size the published figures hardly depend by then. */
const INSTEAD: Amount = { moved: '64MB', publishedAs: '256MB', bytes: 64 * MiB };

/** The engine's published speed, 768 MB/s of 4 KiB pages, is 5.2 µs a descriptor rather than a limit of its bandwidth. */
const DMA = { device: 'ptdma', descriptorNs: 5200 } as const;
/** Bytes moved before anything counts: by then the code is compiled. */
const WARM_UP_BYTES = 32 * MiB;
const MAX_WARM_UPS = 64;
/** What the text of the series says that copying can take up to, of 256 MB; its table has 0.2206 there. */
export const NAMED_SHARE = 0.266;

/** One kernel moving one amount. */
export interface CyclesRow {
  /** The published kernel: `generic`, `batch-cpu` or `batch-dma`. */
  readonly kernel: string;
  /** What moves, as the tables name it: `256MB`. */
  readonly moved: string;
  /** The published amount that it is compared with: the same but for `64MB`, which stands in for 256 MB. */
  readonly publishedAs: string;
  /** Runs that counted. */
  readonly runs: number;
  /** Wall time within migrate_pages(), in nanoseconds a page of 4 KiB. */
  readonly migratePagesNs: Spread;
  /** Nanoseconds of the copies in it, likewise. */
  readonly folioCopyNs: Spread;
  /** {@link migratePagesNs} in cycles of this machine's clock; 0 where its frequency isn't known. */
  readonly migratePagesCycles: Spread;
  /** Cycles of the copies in it, likewise. */
  readonly folioCopyCycles: Spread;
  /** folio_copy / migrate_pages: mean of the runs' ratios, as published. */
  readonly F: Spread;
  /** The same as a median with its interval, which a run that was disturbed hardly moves. */
  readonly typicalF: Ratio;
  /** The highest of the runs. */
  readonly highestF: number;
  /** Runs in which it was 0.266 or more, which the series' text names. */
  readonly runsFromNamed: number;
  /** Time of migrate_pages against that of `generic`: above 1 is slower. */
  readonly againstGeneric: Ratio;
}

/** What migrate_pages() and the copies in it take a page. */
export interface CyclesPerPage extends Amounts {
  /** Of the clock, in MHz, as the system says; 0 if it doesn't. */
  readonly mhz: number;
  /** A row for each kernel and amount; fewer if it was cut short. */
  readonly rows: readonly CyclesRow[];
}

export async function measureCycles(scale: Scale, control: Control): Promise<CyclesPerPage> {
  const mhz = clockMhz();
  const started = performance.now();
  const amounts = amountsWithin(scale.quick ? scale.bytes : await bytesWithin(scale, control));
  const nextSeconds = shareTime(scale.seconds - (performance.now() - started) / 1000, amounts.length);
  const rows: CyclesRow[] = [];
  for (const amount of amounts) {
    if (isCutShort(control)) break;
    rows.push(...(await measureAmount(amount, { ...scale, seconds: nextSeconds() }, mhz, control)));
    collectGarbage();
  }
  return { mhz, bytes: largestOf(amounts), usualBytes: largestOf(amountsWithin(scale.bytes)), rows };
}

const largestOf = (amounts: readonly Amount[]) => Math.max(...amounts.map(({ bytes }) => bytes));

/** {@link bytesThatFit} the share of the largest amount. */
async function bytesWithin(scale: Scale, control: Control): Promise<number> {
  const { bytes, seconds, warmUps, stores } = scale;
  if (isCutShort(control)) return bytes;
  const least = bytes / LEAST_PART;
  const leastSeconds = await withKernels(least, formatSize(least), stores, (ways) =>
    timeTrials(withWarmUp(ways), control),
  );
  collectGarbage();
  const share = seconds / amountsWithin(bytes).length;
  return bytesThatFit({ bytes, seconds: share, leastSeconds, warmUpsOf: (amount) => warmUps ?? usualWarmUps(amount) });
}

function usualWarmUps(bytes: number): number {
  return Math.min(MAX_WARM_UPS, Math.ceil(WARM_UP_BYTES / bytes));
}

function amountsWithin(bytes: number): Amount[] {
  const amounts = PUBLISHED.filter((amount) => amount.bytes <= bytes);
  const needsInstead =
    bytes >= INSTEAD.bytes && !amounts.some(({ publishedAs }) => publishedAs === INSTEAD.publishedAs);
  return needsInstead ? [...amounts, INSTEAD] : amounts;
}

async function measureAmount(
  amount: Amount,
  { seconds, bound, warmUps: asked, stores }: Scale,
  mhz: number,
  control: Control,
): Promise<CyclesRow[]> {
  const { bytes, moved } = amount;
  const turns = { warmUps: asked ?? usualWarmUps(bytes), seconds, bound, measure: 'ns within migrate_pages()' };
  const samples = await withKernels(bytes, moved, stores, (ways) => runInTurns(ways, migratePagesNs, turns, control));
  if (samples[0].length === 0) return [];
  return Object.keys(KERNELS).map((kernel, i) => summarize(kernel, amount, mhz, samples[i], samples[0]));
}

async function withKernels<T>(
  bytes: number,
  moved: string,
  stores: Stores | undefined,
  measure: (ways: readonly Variant<MigrationRun>[]) => Promise<T>,
): Promise<T> {
  // The published series copies with memcpy, which keeps what it stores in the caches.
  const kept = stores ?? 'cached';
  // Freed frames come back in the order in which they were freed: the memory lies as it did, in every run.
  const common = { cpus: 0, dma: DMA, pcpHigh: Number.POSITIVE_INFINITY } as const;
  const machine = await Machine.boot({ nodes: [bytes, bytes], stores: kept, ...common });
  try {
    const memory = mapMovedMemory(machine, bytes, PAGE_SIZE);
    const ways = Object.keys(KERNELS).map((name) => ({
      name: `${moved} ${name}`,
      run: () => moveThere(memory, KERNELS[name]),
    }));
    return await measure(ways);
  } finally {
    await machine.close();
  }
}

/** As published: from node 1 to node 0. */
async function moveThere(memory: MovedMemory, manner: { flow: Flow; migrator: MigratorName }): Promise<MigrationRun> {
  if (memory.node === 0) await moveAcross(memory, { flow: 'vanilla', migrator: 'kernel' });
  return moveAcross(memory, manner);
}

/** From t1 to t4: without the isolation, which move_pages() does before it calls migrate_pages(). */
function migratePagesNs({ phasesNs: { isolate, ...phases } }: MigrationRun): number {
  return atLeast1Ns(Object.values(phases).reduce((sum, ns) => sum + ns));
}

function summarize(
  kernel: string,
  { bytes, moved, publishedAs }: Amount,
  mhz: number,
  runs: readonly MigrationRun[],
  generic: readonly MigrationRun[],
): CyclesRow {
  const pages = bytes / PAGE_SIZE;
  const whole = runs.map(migratePagesNs);
  const copies = runs.map(({ phasesNs }) => atLeast1Ns(phasesNs.copy));
  const fractions = runs.map(({ phasesNs }) => fractionCopy({ ...phasesNs, isolate: 0 }));
  const nsOf = (list: readonly number[]) => spreadOf(list.map((ns) => ns / pages));
  const cyclesOf = (list: readonly number[]) => spreadOf(list.map((ns) => ((ns / pages) * mhz) / 1000));
  return {
    kernel,
    moved,
    publishedAs,
    runs: runs.length,
    migratePagesNs: nsOf(whole),
    folioCopyNs: nsOf(copies),
    migratePagesCycles: cyclesOf(whole),
    folioCopyCycles: cyclesOf(copies),
    F: spreadOf(fractions),
    typicalF: ratioOf(copies, whole),
    highestF: max(fractions),
    runsFromNamed: fractions.filter((F) => F >= NAMED_SHARE).length,
    againstGeneric: ratioOf(whole, generic.map(migratePagesNs)),
  };
}
