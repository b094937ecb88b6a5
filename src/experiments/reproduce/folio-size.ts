import { availableParallelism } from 'node:os';
import { formatSize, KiB, MiB, parseSize } from 'mtcopy';
import { combine } from '../shared/combine.js';
import type { Control } from '../shared/control.js';
import type { Mover, WayName } from '../shared/movers.js';
import type { Part } from '../shared/sheet.js';
import { type PublishedRatio, type PublishedSpread, publishedRatio } from '../shared/spread.js';
import { measureThroughput, type ThroughputRow } from '../shared/throughput.js';
import type { Experiment, Scale } from './experiment.js';

import { throughputV3, throughputV4 } from './published.js';
import {
  beside,
  THROUGHPUT_NOTES,
  type ThroughputFinding,
  throughputFinding,
  throughputSheet,
  throughputVerdict,
} from './throughput-text.js';

export interface FolioSizeThroughput {
  /** Threads that this machine runs at once. */
  readonly cores: number;
  /** Bytes that each run moved. */
  readonly bytes: number;
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
  parts,
};

async function measure({ quick, bytes, seconds, bound }: Scale, control: Control): Promise<FolioSizeThroughput> {
  const sizes = (quick ? QUICK_SIZES : SIZES).filter((size) => size <= bytes);
  const groups = moverGroups(quick);
  const rows: ThroughputRow[] = [];
  for (const folioBytes of sizes) {
    if (control.signal?.aborted) break;
    const scale = { bytes, folioBytes, seconds: seconds / sizes.length, bound };
    rows.push(...(await measureThroughput(groups, scale, control)));
  }
  return { cores: availableParallelism(), bytes, rows };
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

/** What was published of a row against the baseline of its own series; nothing of some. */
export function publishedOfSize({
  way,
  count,
  folioBytes,
}: Pick<ThroughputRow, 'way' | 'count' | 'folioBytes'>): PublishedRatio | undefined {
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

function parts({ cores, bytes, rows }: FolioSizeThroughput): Part[] {
  return [
    throughputSheet(['folios'], beside(rows, publishedOfSize), ({ folioBytes }) => [formatSize(folioBytes)]),
    [
      `${formatSize(bytes)} moved by move_pages(); 1G was published.`,
      ...THROUGHPUT_NOTES,
      'mtcopy: as published. mtcopy defaults: what this project has at first. dcbm: V3; pre-copy: V4.',
      `Threads and channels are threads of this machine, which runs ${cores} at once.`,
    ].join('\n'),
  ];
}
