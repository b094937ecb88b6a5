import { availableParallelism } from 'node:os';
import { ErrnoError, type Flow, Machine, MiB, PAGE_SIZE } from 'mtcopy';
import { median } from 'simple-statistics';
import { closeAll } from '../shared/close-all.js';
import { type Control, isCutShort } from '../shared/control.js';
import { MIN_ROUNDS, runInTurns } from '../shared/in-turns.js';
import { type PmbenchLoad, type PmbenchRun, runPmbench } from '../shared/pmbench/run.js';
import { type Ratio, ratioOf } from '../shared/ratio.js';
import { shareTime } from '../shared/share-time.js';
import type { Experiment, Scale } from './experiment.js';
import { type Figure, figuresOf } from './figure.js';
import { estimateText, type Finding } from './finding.js';
import { tlbBatching } from './published.js';

/** Before the series, and with it. */
const FLOWS = ['serial', 'vanilla'] as const satisfies readonly Flow[];
/** Rounds that aren't counted: by then the CPUs' programs are compiled. */
const WARM_UPS = 1;
/** What a node has beyond the area. */
const SPARE_BYTES = 8 * MiB;
/** Part of the usual pages that is moved at least, where there may be no time for all: 512 of 16384. */
const LEAST_PART = 32;
/** Pages of the area at most, and seconds of a run; one call of migrate_pages is made in any case. */
const QUICK = { pages: 512, seconds: 0.2 } as const;
const THOROUGH = { pages: 16384, seconds: 2 } as const;

const { tlbFlushIpiChange, pagesMigratedPerSecondChange } = tlbBatching;
/** `vanilla` by `serial`, as published; that a page is what both changes come to. */
const PUBLISHED = {
  ipisPerSecond: 1 + tlbFlushIpiChange,
  ipisPerPage: (1 + tlbFlushIpiChange) / (1 + pagesMigratedPerSecondChange),
  pagesPerSecond: 1 + pagesMigratedPerSecondChange,
} as const;
type Compared = keyof typeof PUBLISHED;
const NAMES: Readonly<Record<Compared, string>> = {
  ipisPerSecond: 'interrupts in equal time',
  ipisPerPage: 'interrupts a page',
  pagesPerSecond: 'pages a second',
};

/** One flow: medians of its runs. */
export interface TlbRow {
  /** In which order a batch goes through its steps. */
  readonly flow: Flow;
  /** Runs that counted. */
  readonly runs: number;
  /** Pages of 4 KiB that moved a second. */
  readonly pagesPerSecond: number;
  /** Interrupts that all CPUs together received to flush their TLBs. */
  readonly ipisPerSecond: number;
  /** The same for each page that moved. */
  readonly ipisPerPage: number;
  /** Loads and stores of all CPUs together. */
  readonly accessesPerSecond: number;
}

/** What one TLB flush a batch does, where each page had its own. */
export interface TlbBatching {
  /** CPUs that load and store: as many as this machine runs threads at once. */
  readonly cpus: number;
  /** Pages of the area that they access. */
  readonly pages: number;
  /** Pages that were meant to be moved: more than there was time for, if it isn't the same. */
  readonly usualPages: number;
  /** A row for each flow; none if it was cut short. */
  readonly rows: readonly TlbRow[];
  /** `vanilla` by `serial`; `undefined` if it was cut short before both had run. */
  readonly vanillaBySerial: Readonly<Record<Compared, Ratio>> | undefined;
}

/** {@link Experiment}: pmbench while its pages are moved back and forth by migrate_pages(2), one flush a page against one a batch. */
export const tlbExperiment: Experiment<TlbBatching> = {
  question: 'What does one TLB flush a batch save, where each page had its own?',
  published: tlbBatching,
  drawsPages: true,
  measure,
  findings,
  figures,
  parts,
};

async function measure(scale: Scale, control: Control): Promise<TlbBatching> {
  const nextSeconds = shareTime(scale.seconds, 1);
  const usual = scale.quick ? QUICK : THOROUGH;
  const usualPages = Math.min(usual.pages, scale.bytes / PAGE_SIZE);
  const cpus = availableParallelism();
  const nothing = { cpus, pages: usualPages, usualPages, rows: [], vanillaBySerial: undefined };
  if (isCutShort(control)) return nothing;
  const load = { folioBytes: PAGE_SIZE, pattern: 'uniform', writeRatio: 0.5, call: 'migrate_pages' } as const;
  const machines: Machine[] = [];
  const node = usualPages * PAGE_SIZE + SPARE_BYTES;
  const { warmUps = WARM_UPS, bound, seed } = scale;
  const runOf = (flow: (typeof FLOWS)[number], pages: number, seconds: number) =>
    runVerified(machines[FLOWS.indexOf(flow)], { ...load, pages, seed }, flow, seconds);
  try {
    for (const _ of FLOWS) machines.push(await Machine.boot({ nodes: [node, node], cpus }));
    const pages = scale.quick ? usualPages : await pagesWithin(scale, usualPages, (least) => runOf('serial', least, 0));
    const seconds = nextSeconds();
    const variants = FLOWS.map((flow) => ({
      name: flow,
      run: () => runOf(flow, pages, Math.min(usual.seconds, scale.seconds)),
    }));
    const turns = { warmUps, seconds, bound, measure: 'pages a second' };
    const samples = await runInTurns(variants, rateOf.pagesPerSecond, turns, control);
    return { cpus, pages, usualPages, ...summarize(samples) };
  } finally {
    await closeAll(machines);
  }
}

/**
 * {@link pagesThatFit}, by a run of the least pages with a flush for each, for which CPUs may have to be waited that have no core:
 * a single call may take minutes.
 */
async function pagesWithin(
  scale: Scale,
  usualPages: number,
  run: (pages: number) => Promise<PmbenchRun>,
): Promise<number> {
  return pagesThatFit(scale, usualPages, rateOf.pagesPerSecond(await run(usualPages / LEAST_PART)));
}

/**
 * Pages of which there is time for the rounds that are made in any case: what is usual, or half of that, or a half of that, and so
 * on, a 32nd at least.
 */
export function pagesThatFit(
  { seconds, warmUps = WARM_UPS }: Pick<Scale, 'seconds' | 'warmUps'>,
  usualPages: number,
  pagesPerSecond: number,
): number {
  // The other flow has a part of the time too.
  const callSeconds = seconds / (2 * (MIN_ROUNDS + warmUps));
  let pages = usualPages;
  while (pages > usualPages / LEAST_PART && pages > pagesPerSecond * callSeconds) pages /= 2;
  return pages;
}

async function runVerified(machine: Machine, load: PmbenchLoad, flow: Flow, seconds: number): Promise<PmbenchRun> {
  const run = await runPmbench(machine, load, flow, seconds);
  if (run.lostUpdates === 0) return run;
  throw new ErrnoError('EIO', `${run.lostUpdates} of ${run.stores} stores were lost with ${flow}`);
}

/** Interrupts, of which a run on a machine whose CPUs are kept off their cores may have none: then one, for a ratio needs some. */
const ipisOf = ({ vmstat }: PmbenchRun) => Math.max(1, vmstat.nr_tlb_remote_flush_received);
const rateOf: Readonly<Record<Compared, (run: PmbenchRun) => number>> = {
  ipisPerSecond: (run) => ipisOf(run) / run.seconds,
  ipisPerPage: (run) => ipisOf(run) / run.stats.succeeded,
  pagesPerSecond: (run) => run.stats.succeeded / run.seconds,
};

function summarize(samples: readonly PmbenchRun[][]): Pick<TlbBatching, 'rows' | 'vanillaBySerial'> {
  const [serial, vanilla] = samples;
  if (serial.length === 0) return { rows: [], vanillaBySerial: undefined };
  const rows = FLOWS.map((flow, i) => ({
    flow,
    runs: samples[i].length,
    pagesPerSecond: median(samples[i].map(rateOf.pagesPerSecond)),
    ipisPerSecond: median(samples[i].map(rateOf.ipisPerSecond)),
    ipisPerPage: median(samples[i].map(rateOf.ipisPerPage)),
    accessesPerSecond: median(samples[i].map(({ accesses, accessSeconds }) => accesses / accessSeconds)),
  }));
  const compare = (of: Compared) => ratioOf(vanilla.map(rateOf[of]), serial.map(rateOf[of]));
  const vanillaBySerial = {
    ipisPerSecond: compare('ipisPerSecond'),
    ipisPerPage: compare('ipisPerPage'),
    pagesPerSecond: compare('pagesPerSecond'),
  };
  return { rows, vanillaBySerial };
}

function findings({ vanillaBySerial }: TlbBatching): Finding[] {
  if (!vanillaBySerial) return [];
  return (Object.keys(PUBLISHED) as Compared[]).map((of) => ({
    what: `${NAMES[of]}, vanilla by serial`,
    kind: 'ratio',
    published: PUBLISHED[of],
    measured: vanillaBySerial[of],
  }));
}

function figures({ pages, rows, vanillaBySerial }: TlbBatching): Figure[] {
  const row = `${pages} of 4K`;
  if (!vanillaBySerial) return [];
  const compared = (Object.keys(PUBLISHED) as Compared[]).map(
    (of) => [`${NAMES[of]} by serial`, { unit: 'ratio', is: vanillaBySerial[of], published: PUBLISHED[of] }] as const,
  );
  return rows.flatMap((one) =>
    figuresOf(row, one.flow, {
      'pages a second': { unit: '1/s', is: one.pagesPerSecond },
      'interrupts a second': { unit: '1/s', is: one.ipisPerSecond },
      'interrupts a page': { unit: 'count', is: one.ipisPerPage },
      'accesses a second': { unit: '1/s', is: one.accessesPerSecond },
      ...(one.flow === 'vanilla' && Object.fromEntries(compared)),
      runs: { unit: 'count', is: one.runs },
    }),
  );
}

function parts({ cpus, pages, usualPages, rows, vanillaBySerial }: TlbBatching) {
  if (!vanillaBySerial) return [];
  const whole = (value: number) => Math.round(value).toLocaleString('en-US');
  const flows = {
    texts: ['flow'],
    numbers: ['runs', 'pages/s', 'interrupts/s', 'interrupts a page', 'accesses/s'],
    rows: rows.map((row) => [
      row.flow,
      String(row.runs),
      whole(row.pagesPerSecond),
      whole(row.ipisPerSecond),
      row.ipisPerPage.toFixed(4),
      whole(row.accessesPerSecond),
    ]),
  };
  const changes = {
    texts: ['vanilla against serial'],
    numbers: ['ratio', 'change', 'published'],
    rows: (Object.keys(PUBLISHED) as Compared[]).map((of) => [
      NAMES[of],
      estimateText(vanillaBySerial[of]),
      change(vanillaBySerial[of].median),
      change(PUBLISHED[of]),
    ]),
  };
  const load = `${cpus} CPUs, one a core, on ${pages} pages of 4 KiB, uniform, half stores; migrate_pages(2) moves them all.`;
  const quotient = 'Interrupts in equal time are those a page times pages a second.';
  const instead = pages < usualPages ? `\nNot ${usualPages} pages: there was no time for six rounds of so many.` : '';
  return [
    flows,
    changes,
    `${load}${instead}\nMedians of runs. Interrupts are of all CPUs. No store was lost.\n${quotient}`,
  ];
}

/** A ratio as a change in per cent, with what is left of a whole to two digits: `-99.77%`. */
function change(ratio: number): string {
  const percent = (ratio - 1) * 100;
  const places = percent < -99 ? 2 : percent < 1000 ? 1 : 0;
  return `${percent > 0 ? '+' : ''}${percent.toFixed(places)}%`;
}
