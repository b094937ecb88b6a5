import { availableParallelism } from 'node:os';
import { formatSize, KiB, MiB, parseSize } from 'mtcopy';
import { combine } from '../shared/combine.js';
import { type Control, isCutShort } from '../shared/control.js';
import { MIN_ROUNDS } from '../shared/in-turns.js';
import { BASELINE, type Mover, tunedMover, type WayName } from '../shared/movers.js';
import { shareTime } from '../shared/share-time.js';
import type { Part } from '../shared/sheet.js';
import { type PublishedRatio, type PublishedSpread, publishedRatio } from '../shared/spread.js';
import { measureThroughput, type ThroughputRow, usualWarmUps } from '../shared/throughput.js';
import { tunedMachine } from '../shared/tuned.js';
import type { Experiment, Scale } from './experiment.js';
import type { Figure } from './figure.js';
import { type Amounts, bytesThatFit, LEAST_PART, lessText, withLeftOut } from './fit.js';
import { throughputV3, throughputV4 } from './published.js';
import {
  beside,
  THROUGHPUT_NOTES,
  type ThroughputFinding,
  throughputFigures,
  throughputFinding,
  throughputSheet,
  throughputVerdict,
} from './throughput-text.js';
import { timeMovers } from './time-movers.js';

/** Throughput by the size of folios, and by threads or channels. */
export interface FolioSizeThroughput extends Amounts {
  /** Threads that this machine runs at once. */
  readonly cores: number;
  /** A row for each mover and folio size, the baseline first; fewer if it was cut short. */
  readonly rows: readonly ThroughputRow[];
}

const SIZES = throughputV3.byFolioSize.folioSizes.map((name) => parseSize(name));
const QUICK_SIZES = [4 * KiB, 2 * MiB];
const COUNTS = [1, 2, 4, 8, 12, 16];
/** Channels that were published with the copy before the moves. */
const PRE_COPY_COUNTS = [1, 2, 4];

/** {@link Experiment}: throughput by the size of folios and the number of threads or channels. */
export const folioSizeExperiment: Experiment<FolioSizeThroughput> = {
  question: 'What do threads and DMA channels gain, by the size of folios?',
  published: { v3: throughputV3, v4: throughputV4 },
  measure,
  findings,
  verdict: (measured) => throughputVerdict(findings(measured), measured.cores),
  takesProfile: true,
  takesStores: true,
  figures,
  parts,
};

async function measure(scale: Scale, control: Control): Promise<FolioSizeThroughput> {
  const { seconds, bound, warmUps, stores } = scale;
  const started = performance.now();
  const { bytes, isFew } = await plan(scale, control);
  const sizes = sizesOf(isFew, scale.bytes);
  const nextSeconds = shareTime(seconds - (performance.now() - started) / 1000, sizes.length);
  const rows: ThroughputRow[] = [];
  for (const folioBytes of sizes) {
    if (isCutShort(control)) break;
    const own = { bytes, folioBytes, seconds: nextSeconds(), bound, warmUps, stores };
    rows.push(...(await measureThroughput(groupsOf(isFew, scale, folioBytes), own, control)));
  }
  return { cores: availableParallelism(), bytes, usualBytes: scale.bytes, rows };
}

/** How much is moved, and whether by as few as with `--quick`. */
interface Plan {
  readonly bytes: number;
  readonly isFew: boolean;
}

/**
 * {@link bytesThatFit}, by runs of the least bytes in the folios that take longest and in those that take least; with few sizes and
 * movers where not even six rounds of the least bytes fit.
 */
async function plan(scale: Scale, control: Control): Promise<Plan> {
  const { quick, bytes, seconds, warmUps, stores } = scale;
  const all = { bytes, isFew: quick };
  if (quick) return all;
  const share = seconds / sizesOf(false, bytes).length;
  const least = bytes / LEAST_PART;
  const warmUpsOf = (amount: number) => warmUps ?? usualWarmUps(amount);
  const isSlow = (leastSeconds: number) => leastSeconds * (MIN_ROUNDS + warmUpsOf(least)) > share;
  let sum = 0;
  for (const folioBytes of QUICK_SIZES) {
    if (isCutShort(control)) return all;
    const groups = groupsOf(false, scale, folioBytes).map((group) => [BASELINE, ...group]);
    sum += await timeMovers(groups, least, folioBytes, stores, control);
    // Also if the other took no time at all.
    if (isSlow(sum / QUICK_SIZES.length)) return { bytes: least, isFew: true };
  }
  const leastSeconds = sum / QUICK_SIZES.length;
  return { bytes: bytesThatFit({ bytes, seconds: share, leastSeconds, warmUpsOf }), isFew: false };
}

function sizesOf(isFew: boolean, bytes: number): number[] {
  return (isFew ? QUICK_SIZES : SIZES).filter((size) => size <= bytes);
}

function groupsOf(isFew: boolean, scale: Scale, folioBytes: number): Mover[][] {
  return [...moverGroups(isFew), ...tunedGroup(scale, folioBytes)];
}

/** The two of mtcopy have other schedules, so they are in groups of their own. */
function moverGroups(isFew: boolean): Mover[][] {
  const movers = (ways: readonly WayName[], each: readonly number[]) =>
    combine(ways, each).map(([way, count]): Mover => ({ way, count }));
  if (isFew) return [movers(['mtcopy', 'dcbm'], [1, 2]), movers(['mtcopy-defaults', 'dcbm-pre-copy'], [2])];
  return [
    movers(['mtcopy', 'dcbm'], COUNTS),
    [...movers(['mtcopy-defaults'], COUNTS), ...movers(['dcbm-pre-copy'], PRE_COPY_COUNTS)],
  ];
}

/** What a profile says for folios of that size, in a group of its own: its schedule may be another. */
function tunedGroup({ profile }: Scale, folioBytes: number): Mover[][] {
  return profile ? [[tunedMover(tunedMachine(profile, folioBytes))]] : [];
}

/** What was published of a row against the baseline of its own series; nothing of some. */
export function publishedOfSize({
  way,
  count,
  folioBytes,
}: Pick<ThroughputRow, 'way' | 'count' | 'folioBytes'>): PublishedRatio | undefined {
  if (way === 'tuned') return undefined;
  const size = formatSize(folioBytes);
  const { byFolioSize } = throughputV3;
  if (way === 'dcbm-pre-copy') return against(throughputV4.folioSizes, throughputV4.baseline, size, dcbmV4(count));
  const table = way === 'dcbm' ? byFolioSize.dcbmByChannels : byFolioSize.mtcopyByThreads;
  const own = (table as Readonly<Record<string, PublishedSpread[]>>)[count];
  return against(byFolioSize.folioSizes, byFolioSize.baseline, size, own);
}

function dcbmV4(channels: number): readonly PublishedSpread[] | undefined {
  return (throughputV4.dcbmByChannels as Readonly<Record<string, PublishedSpread[]>>)[channels];
}

function against(
  sizes: readonly string[],
  baseline: readonly PublishedSpread[],
  size: string,
  own: readonly PublishedSpread[] | undefined,
): PublishedRatio | undefined {
  const at = sizes.indexOf(size);
  return own && at >= 0 ? publishedRatio(own[at], baseline[at]) : undefined;
}

function findings({ rows }: FolioSizeThroughput): ThroughputFinding[] {
  return beside(rows, publishedOfSize).flatMap((pair) => throughputFinding(pair, formatSize(pair.row.folioBytes)));
}

function figures({ bytes, rows }: FolioSizeThroughput): Figure[] {
  return beside(rows, publishedOfSize).flatMap((pair) =>
    throughputFigures(pair, `${formatSize(pair.row.folioBytes)} of ${formatSize(bytes)}`),
  );
}

function parts({ cores, bytes, usualBytes, rows }: FolioSizeThroughput): Part[] {
  return [
    throughputSheet(['folios'], beside(rows, publishedOfSize), ({ folioBytes }) => [formatSize(folioBytes)]),
    [
      `${formatSize(bytes)} moved by move_pages(); 1G was published.`,
      ...lessText({ bytes, usualBytes }).map(withLeftOut),
      ...THROUGHPUT_NOTES,
      'mtcopy: as published. mtcopy defaults: what this project has at first. dcbm: V3; pre-copy: V4.',
      ...(rows.some(({ way }) => way === 'tuned')
        ? ['Tuned: what the profile says for folios of that size, but how a batch is cut.']
        : []),
      'What was published keeps stores in the caches, as memcpy does; with the defaults they are auto.',
      `Threads and channels are threads of this machine, which runs ${cores} at once.`,
    ].join('\n'),
  ];
}
