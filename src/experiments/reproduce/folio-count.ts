import { formatSize, MiB } from 'mtcopy';
import { type Control, isCutShort } from '../shared/control.js';
import { BASELINE, type Mover } from '../shared/movers.js';
import { shareTime } from '../shared/share-time.js';
import type { Part } from '../shared/sheet.js';
import { type PublishedRatio, publishedRatio } from '../shared/spread.js';
import { measureThroughput, type ThroughputRow, usualWarmUps } from '../shared/throughput.js';
import type { Experiment, Scale } from './experiment.js';
import type { Figure } from './figure.js';
import type { Finding } from './finding.js';
import { type Amounts, bytesThatFit, LEAST_PART, lessText } from './fit.js';
import { throughputV3 } from './published.js';
import {
  type Beside,
  beside,
  THROUGHPUT_NOTES,
  throughputFigures,
  throughputFinding,
  throughputSheet,
} from './throughput-text.js';
import { timeMovers } from './time-movers.js';

/** Throughput by the number of folios that are moved at once. */
export interface FolioCountThroughput extends Amounts {
  /** A row for each mover and number of folios, the baseline first; fewer if it was cut short. */
  readonly rows: readonly ThroughputRow[];
}

const FOLIO_BYTES = 2 * MiB;
const { byFolioCount } = throughputV3;
const MOVERS: readonly Mover[] = [
  { way: 'mtcopy', count: 1 },
  { way: 'dcbm', count: 1 },
];

/** {@link Experiment}: throughput by the number of folios that are moved at once. */
export const folioCountExperiment: Experiment<FolioCountThroughput> = {
  question: 'What does one thread or channel gain, by the number of 2-MiB folios moved?',
  published: throughputV3,
  takesStores: true,
  measure,
  findings,
  figures: ({ rows }) => beside(rows, publishedOfCount).flatMap(foliosFigures),
  parts,
};

async function measure(scale: Scale, control: Control): Promise<FolioCountThroughput> {
  const { seconds, bound, warmUps, stores } = scale;
  const started = performance.now();
  const bytes = scale.quick ? scale.bytes : await bytesWithin(scale, control);
  const counts = countsWithin(bytes);
  const nextSeconds = shareTime(seconds - (performance.now() - started) / 1000, counts.length);
  const rows: ThroughputRow[] = [];
  for (const folios of counts) {
    if (isCutShort(control)) break;
    const own = {
      bytes: folios * FOLIO_BYTES,
      folioBytes: FOLIO_BYTES,
      seconds: nextSeconds(),
      bound,
      warmUps,
      stores,
    };
    rows.push(...(await measureThroughput([MOVERS], own, control)));
  }
  return { bytes: largestOf(counts), usualBytes: largestOf(countsWithin(scale.bytes)), rows };
}

const countsWithin = (bytes: number) => byFolioCount.folioCounts.filter((folios) => folios * FOLIO_BYTES <= bytes);
const largestOf = (counts: readonly number[]) => Math.max(...counts) * FOLIO_BYTES;

/** {@link bytesThatFit} the share of the largest number of folios. */
async function bytesWithin({ bytes, seconds, warmUps, stores }: Scale, control: Control): Promise<number> {
  if (isCutShort(control)) return bytes;
  const movers = [BASELINE, ...MOVERS];
  const leastSeconds = await timeMovers([movers], bytes / LEAST_PART, FOLIO_BYTES, stores, control);
  const warmUpsOf = (amount: number) => warmUps ?? usualWarmUps(amount);
  return bytesThatFit({ bytes, seconds: seconds / countsWithin(bytes).length, leastSeconds, warmUpsOf });
}

/** What was published of so many folios, against the baseline; nothing of some. */
export function publishedOfCount({ way, folios }: Pick<ThroughputRow, 'way' | 'folios'>): PublishedRatio | undefined {
  const at = byFolioCount.folioCounts.indexOf(folios);
  const table = way === 'dcbm' ? byFolioCount.dcbm : byFolioCount.mtcopy;
  return at < 0 ? undefined : publishedRatio(table[at], byFolioCount.baseline[at]);
}

function findings({ rows }: FolioCountThroughput): Finding[] {
  return beside(rows, publishedOfCount).flatMap((pair) => throughputFinding(pair, `${pair.row.folios} of 2M`));
}

function foliosFigures(pair: Beside): Figure[] {
  return throughputFigures(pair, `${pair.row.folios} of 2M`);
}

function parts({ rows, ...amounts }: FolioCountThroughput): Part[] {
  const measured = new Set(rows.map(({ folios }) => folios));
  const left = byFolioCount.folioCounts.filter((folios) => !measured.has(folios));
  return [
    throughputSheet(['folios'], beside(rows, publishedOfCount), ({ folios }) => [String(folios)]),
    [
      `Folios of ${formatSize(FOLIO_BYTES)}; mtcopy as published, dcbm as in V3.`,
      ...THROUGHPUT_NOTES,
      ...lessText(amounts),
      ...(left.length > 0 ? [`Published too, and not measured here: ${left.join(', ')} folios.`] : []),
    ].join('\n'),
  ];
}
