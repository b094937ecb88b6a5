import { cpus } from 'node:os';
import { type Flow, fractionCopy, GiB, KiB, Machine, MiB, type MigratorName, PAGE_SIZE } from 'mtcopy';
import { mean, sampleStandardDeviation } from 'simple-statistics';
import type { Control } from '../shared/control.js';
import { runInTurns } from '../shared/in-turns.js';
import { type MigrationRun, type MovedMemory, mapMovedMemory, moveAcross } from '../shared/moved-memory.js';
import { type Ratio, ratioOf } from '../shared/ratio.js';
import type { Experiment, Scale } from './experiment.js';
import { digits, estimateText, type Finding } from './finding.js';
import { cyclesPerPage } from './published.js';

/** The published kernels: how they migrate, and with what. */
const KERNELS: Readonly<Record<string, { readonly flow: Flow; readonly migrator: MigratorName }>> = {
  generic: { flow: 'vanilla', migrator: 'kernel' },
  'batch-cpu': { flow: 'batch-move', migrator: 'kernel' },
  'batch-dma': { flow: 'batch-move', migrator: 'dcbm' },
};
/** Of 4-KiB pages, by their published names. */
const SIZES = { '4KB': 4 * KiB, '2MB': 2 * MiB, '256MB': 256 * MiB, '1GB': GiB } as const;
type Moved = keyof typeof SIZES;

/** The engine's published speed, 768 MB/s of 4 KiB pages, is 5.2 µs a descriptor rather than a limit of its bandwidth. */
const DMA = { device: 'ptdma', descriptorNs: 5200 } as const;
/** Bytes moved before anything counts: by then the code is compiled. */
const WARM_UP_BYTES = 32 * MiB;
const MAX_WARM_UPS = 64;
/** What the text of the series says of 256 MB, where its table has 0.2206. */
const NAMED_SHARE = 0.266;

/** A mean, and the standard deviation of the runs. */
interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** One kernel moving one amount. */
export interface CyclesRow {
  readonly kernel: string;
  readonly moved: string;
  readonly runs: number;
  /** Wall time within migrate_pages(), and of the copies in it, in nanoseconds a page of 4 KiB. */
  readonly migratePagesNs: Spread;
  readonly folioCopyNs: Spread;
  /** The same in cycles of this machine's clock; 0 where its frequency isn't known. */
  readonly migratePagesCycles: Spread;
  readonly folioCopyCycles: Spread;
  /** folio_copy / migrate_pages. */
  readonly F: Spread;
  /** migrate_pages against `generic`: above 1 is slower. */
  readonly againstGeneric: Ratio;
}

export interface CyclesPerPage {
  /** Of the clock, in MHz, as the system says; 0 if it doesn't. */
  readonly mhz: number;
  readonly rows: readonly CyclesRow[];
}

/** {@link Experiment}: cycles a page in migrate_pages() and folio_copy(), by bytes moved, for three kernels. */
export const cyclesPerPageExperiment: Experiment<CyclesPerPage> = {
  question: 'What does migrate_pages() spend on a page of 4 KiB, and what of that is copying?',
  published: cyclesPerPage,
  measure,
  findings,
  parts,
};

async function measure(scale: Scale, control: Control): Promise<CyclesPerPage> {
  const mhz = cpus()[0]?.speed ?? 0;
  const sizes = (Object.keys(SIZES) as Moved[]).filter((moved) => SIZES[moved] <= scale.bytes);
  const rows: CyclesRow[] = [];
  for (const moved of sizes) {
    if (control.signal?.aborted) break;
    rows.push(...(await measureSize(moved, { ...scale, seconds: scale.seconds / sizes.length }, mhz, control)));
  }
  return { mhz, rows };
}

async function measureSize(
  moved: Moved,
  { seconds, bound }: Scale,
  mhz: number,
  control: Control,
): Promise<CyclesRow[]> {
  const bytes = SIZES[moved];
  const machine = await Machine.boot({ nodes: [bytes, bytes], cpus: 0, dma: DMA });
  try {
    const memory = mapMovedMemory(machine, bytes, PAGE_SIZE);
    const kernels = Object.keys(KERNELS);
    const variants = kernels.map((name) => ({
      name: `${moved} ${name}`,
      run: () => moveThere(memory, KERNELS[name]),
    }));
    const warmUps = Math.min(MAX_WARM_UPS, Math.ceil(WARM_UP_BYTES / bytes));
    const samples = await runInTurns(variants, migratePagesNs, { warmUps, seconds, bound }, control);
    if (samples[0].length === 0) return [];
    const pages = bytes / PAGE_SIZE;
    return kernels.map((kernel, i) => summarize(kernel, moved, pages, mhz, samples[i], samples[0]));
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
  return Object.values(phases).reduce((sum, ns) => sum + ns);
}

function summarize(
  kernel: string,
  moved: string,
  pages: number,
  mhz: number,
  runs: readonly MigrationRun[],
  generic: readonly MigrationRun[],
): CyclesRow {
  const whole = runs.map((run) => migratePagesNs(run) / pages);
  const copies = runs.map(({ phasesNs }) => phasesNs.copy / pages);
  const cycles = (list: readonly number[]) => spreadOf(list.map((ns) => (ns * mhz) / 1000));
  return {
    kernel,
    moved,
    runs: runs.length,
    migratePagesNs: spreadOf(whole),
    folioCopyNs: spreadOf(copies),
    migratePagesCycles: cycles(whole),
    folioCopyCycles: cycles(copies),
    F: spreadOf(runs.map(({ phasesNs }) => fractionCopy({ ...phasesNs, isolate: 0 }))),
    againstGeneric: ratioOf(runs.map(migratePagesNs), generic.map(migratePagesNs)),
  };
}

function spreadOf(numbers: readonly number[]): Spread {
  const list = [...numbers];
  return { mean: mean(list), deviation: list.length > 1 ? sampleStandardDeviation(list) : 0 };
}

function publishedRow({ kernel, moved }: CyclesRow) {
  return cyclesPerPage.rows.find((row) => row.kernel === kernel && row.moved === moved);
}

function findings({ rows }: CyclesPerPage): Finding[] {
  const found: Finding[] = [];
  for (const row of rows) {
    const published = publishedRow(row);
    const generic = publishedRow({ ...row, kernel: 'generic' });
    if (!published || !generic) continue;
    const measured = shareOf(row.F, row.runs);
    found.push({ what: `${row.moved} ${row.kernel}, F`, kind: 'share', published: published.F[0], measured });
    if (row.kernel === 'generic' && row.moved === '256MB') {
      found.push({ what: '256MB generic, F as the text has it', kind: 'share', published: NAMED_SHARE, measured });
    }
    if (row.kernel === 'batch-dma') {
      const slower = published.migratePages[0] / generic.migratePages[0];
      const what = `${row.moved} batch-dma against generic, time of migrate_pages`;
      found.push({ what, kind: 'ratio', published: slower, measured: row.againstGeneric });
    }
  }
  return found;
}

/** A mean of runs, with two standard errors on either side. */
function shareOf({ mean, deviation }: Spread, runs: number): Finding['measured'] {
  const error = (2 * deviation) / Math.sqrt(runs);
  return { median: mean, low: mean - error, high: mean + error };
}

function parts({ mhz, rows }: CyclesPerPage) {
  const numbers = [
    'migrate_pages\nns',
    'folio_copy\nns',
    'cycles\na page',
    'F',
    'against\ngeneric',
    'F',
    'against\ngeneric',
  ];
  const sheet = {
    texts: ['moved', 'kernel'],
    numbers: numbers.map((head, i) => (i > 4 ? `${head}\npublished` : head)),
    rows: rows.map((row) => {
      const published = publishedRow(row);
      const generic = publishedRow({ ...row, kernel: 'generic' });
      return [
        row.moved,
        row.kernel,
        spreadText(row.migratePagesNs),
        spreadText(row.folioCopyNs),
        mhz === 0 ? '' : row.migratePagesCycles.mean.toFixed(0),
        row.F.mean.toFixed(3),
        estimateText(row.againstGeneric),
        published ? published.F[0].toFixed(3) : '',
        published && generic ? digits(published.migratePages[0] / generic.migratePages[0]) : '',
      ];
    }),
  };
  const clock = mhz === 0 ? '' : ` Cycles are of ${mhz} MHz.`;
  return [
    sheet,
    `Means and standard deviations. F: folio_copy / migrate_pages. DMA: 5.2 µs a descriptor, as published.${clock}`,
  ];
}

function spreadText({ mean, deviation }: Spread): string {
  return `${mean.toFixed(0)} ± ${deviation.toFixed(0)}`;
}
