import { formatSize, MiB } from 'mtcopy';
import { type Control, isCutShort } from '../shared/control.js';
import type { Mover } from '../shared/movers.js';
import { shareTime } from '../shared/share-time.js';
import type { Part } from '../shared/sheet.js';
import { type PublishedRatio, publishedRatio } from '../shared/spread.js';
import { measureThroughput, type ThroughputRow } from '../shared/throughput.js';
import type { Experiment, Scale } from './experiment.js';
import type { Figure } from './figure.js';
import type { Finding } from './finding.js';
import { throughputV3 } from './published.js';
import {
  type Beside,
  beside,
  THROUGHPUT_NOTES,
  throughputFigures,
  throughputFinding,
  throughputSheet,
} from './throughput-text.js';

/** Throughput by the number of folios that are moved at once. */
export interface FolioCountThroughput {
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
  measure,
  findings,
  figures: ({ rows }) => beside(rows, publishedOfCount).flatMap(foliosFigures),
  parts,
};

async function measure({ bytes, seconds, bound, warmUps }: Scale, control: Control): Promise<FolioCountThroughput> {
  const counts = byFolioCount.folioCounts.filter((folios) => folios * FOLIO_BYTES <= bytes);
  const nextSeconds = shareTime(seconds, counts.length);
  const rows: ThroughputRow[] = [];
  for (const folios of counts) {
    if (isCutShort(control)) break;
    const scale = {
      bytes: folios * FOLIO_BYTES,
      folioBytes: FOLIO_BYTES,
      seconds: nextSeconds(),
      bound,
      warmUps,
    };
    rows.push(...(await measureThroughput([MOVERS], scale, control)));
  }
  return { rows };
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

function parts({ rows }: FolioCountThroughput): Part[] {
  const measured = new Set(rows.map(({ folios }) => folios));
  const left = byFolioCount.folioCounts.filter((folios) => !measured.has(folios));
  return [
    throughputSheet(['folios'], beside(rows, publishedOfCount), ({ folios }) => [String(folios)]),
    [
      `Folios of ${formatSize(FOLIO_BYTES)}; mtcopy as published, dcbm as in V3.`,
      ...THROUGHPUT_NOTES,
      ...(left.length > 0 ? [`Published too, and not measured here: ${left.join(', ')} folios.`] : []),
    ].join('\n'),
  ];
}
