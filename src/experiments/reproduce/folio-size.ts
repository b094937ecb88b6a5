import { availableParallelism } from 'node:os';
import { formatSize, KiB, MiB, parseSize } from 'mtcopy';
import { mean } from 'simple-statistics';
import { collectGarbage } from '../shared/collect-garbage.js';
import { combine } from '../shared/combine.js';
import { type Control, isCutShort } from '../shared/control.js';
import { MIN_ROUNDS } from '../shared/in-turns.js';
import { bootMoved, type Mover, moveBy, moverText, tunedMover, type WayName } from '../shared/movers.js';
import { shareTime } from '../shared/share-time.js';
import type { Part } from '../shared/sheet.js';
import { type PublishedRatio, type PublishedSpread, publishedRatio } from '../shared/spread.js';
import { measureThroughput, type ThroughputRow, usualWarmUps } from '../shared/throughput.js';
import { tunedMachine } from '../shared/tuned.js';
import type { Experiment, Scale } from './experiment.js';
import type { Figure } from './figure.js';
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

/** Throughput by the size of folios, and by threads or channels. */
export interface FolioSizeThroughput {
  /** Threads that this machine runs at once. */
  readonly cores: number;
  /** Bytes that each run moved. */
  readonly bytes: number;
  /** Bytes that were meant to be moved: more than there was time for, if it isn't the same. */
  readonly usualBytes: number;
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
  figures,
  parts,
};

/** Part of the usual bytes that is moved at least: of 1 GiB 64 MiB, several times what caches hold. */
const LEAST_PART = 16;

async function measure(scale: Scale, control: Control): Promise<FolioSizeThroughput> {
  const { quick, seconds, bound, warmUps } = scale;
  const started = performance.now();
  const sizes = (quick ? QUICK_SIZES : SIZES).filter((size) => size <= scale.bytes);
  const groupsOf = (folioBytes: number) => [...moverGroups(quick), ...tunedGroup(scale, folioBytes)];
  const bytes = quick ? scale.bytes : await bytesWithin(scale, sizes.length, groupsOf, control);
  const nextSeconds = shareTime(seconds - (performance.now() - started) / 1000, sizes.length);
  const rows: ThroughputRow[] = [];
  for (const folioBytes of sizes) {
    if (isCutShort(control)) break;
    const own = { bytes, folioBytes, seconds: nextSeconds(), bound, warmUps };
    rows.push(...(await measureThroughput(groupsOf(folioBytes), own, control)));
  }
  return { cores: availableParallelism(), bytes, usualBytes: scale.bytes, rows };
}

/** {@link bytesThatFit}, by runs of the least bytes in the folios that take longest and in those that take least. */
async function bytesWithin(
  scale: Scale,
  sizes: number,
  groupsOf: (folioBytes: number) => readonly (readonly Mover[])[],
  control: Control,
): Promise<number> {
  const seen: number[] = [];
  for (const folioBytes of QUICK_SIZES) {
    if (isCutShort(control)) return scale.bytes;
    seen.push(await timeEach(groupsOf(folioBytes), scale.bytes / LEAST_PART, folioBytes, control));
  }
  return bytesThatFit(scale, sizes, mean(seen));
}

/**
 * Bytes of which there is time for the rounds that are made in any case, of all sizes: what is usual, or half of that, or a half
 * of that, and so on.
 *
 * @param sizes of folios, one after the other
 * @param leastSeconds that a round of the least bytes takes, a sixteenth of what is usual
 */
export function bytesThatFit(
  { bytes, seconds, warmUps }: Pick<Scale, 'bytes' | 'seconds' | 'warmUps'>,
  sizes: number,
  leastSeconds: number,
): number {
  const least = bytes / LEAST_PART;
  const takes = (amount: number) =>
    leastSeconds * (amount / least) * (MIN_ROUNDS + (warmUps ?? usualWarmUps(amount))) * sizes;
  let fits = bytes;
  while (fits > least && takes(fits) > seconds) fits /= 2;
  return fits;
}

/** Seconds that a run of each mover takes, all together, or those that were made before the signal was aborted. */
async function timeEach(
  groups: readonly (readonly Mover[])[],
  bytes: number,
  folioBytes: number,
  control: Control,
): Promise<number> {
  const memory = await bootMoved(bytes, folioBytes);
  // Twice, for whoever is first touches frames, and starts threads: those of one group, before the next one's.
  const runs = groups.flatMap((group) => {
    const movers: Mover[] = [{ way: 'baseline', count: 0 }, ...group];
    return [false, true].flatMap((counts) => movers.map((mover) => ({ mover, counts })));
  });
  let seconds = 0;
  try {
    for (const [done, { mover, counts }] of runs.entries()) {
      if (isCutShort(control)) break;
      control.onProgress?.({ done, runs: runs.length, what: `how much there is time for, ${moverText(mover)}` });
      const began = performance.now();
      await moveBy(memory, mover);
      if (counts) seconds += (performance.now() - began) / 1000;
    }
    return seconds;
  } finally {
    await memory.machine.close();
    collectGarbage();
  }
}

/** The two of mtcopy have other schedules, so they are in groups of their own. */
function moverGroups(quick: boolean): Mover[][] {
  const movers = (ways: readonly WayName[], each: readonly number[]) =>
    combine(ways, each).map(([way, count]): Mover => ({ way, count }));
  if (quick) return [movers(['mtcopy', 'dcbm'], [1, 2]), movers(['mtcopy-defaults', 'dcbm-pre-copy'], [2])];
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
      ...(bytes < usualBytes ? [`Not ${formatSize(usualBytes)}: there was no time for six rounds of so much.`] : []),
      ...THROUGHPUT_NOTES,
      'mtcopy: as published. mtcopy defaults: what this project has at first. dcbm: V3; pre-copy: V4.',
      ...(rows.some(({ way }) => way === 'tuned')
        ? ['Tuned: what the profile says for folios of that size, but how a batch is cut.']
        : []),
      'Stores are kept in the caches, as memcpy does that the published driver uses; with the defaults they are auto.',
      `Threads and channels are threads of this machine, which runs ${cores} at once.`,
    ].join('\n'),
  ];
}
