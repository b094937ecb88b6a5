import { moverText } from '../shared/movers.js';
import type { Sheet } from '../shared/sheet.js';
import type { PublishedRatio } from '../shared/spread.js';
import type { ThroughputRow } from '../shared/throughput.js';
import { type Figure, figuresOf } from './figure.js';
import { differText, digits, estimateText, type Finding, findingHolds, judge, type Verdict } from './finding.js';

/** A row, and what was published of it. */
export interface Beside {
  readonly row: ThroughputRow;
  readonly published: PublishedRatio | undefined;
}

/** A finding about threads or channels, of which there are so many. */
export interface ThroughputFinding extends Finding {
  readonly count: number;
}

/** Rows that a verdict names: those that differ most. */
const NAMED = 3;

export function beside(
  rows: readonly ThroughputRow[],
  publishedOf: (row: ThroughputRow) => PublishedRatio | undefined,
): Beside[] {
  return rows.map((row) => ({ row, published: row.way === 'baseline' ? undefined : publishedOf(row) }));
}

/** @param what the folios */
export function throughputFinding({ row, published }: Beside, what: string): ThroughputFinding[] {
  if (!published?.isClaim) return [];
  return [
    {
      what: `${what} ${moverText(row)} against the baseline`,
      kind: 'ratio',
      published: published.ratio,
      measured: row.againstBaseline,
      count: row.count,
    },
  ];
}

/** @param what the folios */
export function throughputFigures({ row, published }: Beside, what: string): Figure[] {
  return figuresOf(what, moverText(row), {
    throughput: { unit: 'GB/s', is: row.gbps },
    ...(row.way !== 'baseline' && {
      'speed against the baseline': { unit: 'ratio', is: row.againstBaseline, published: published?.ratio },
    }),
    runs: { unit: 'count', is: row.runs },
  });
}

/** @param heads of the columns that say what the folios are */
export function throughputSheet(
  heads: readonly string[],
  pairs: readonly Beside[],
  labels: (row: ThroughputRow) => string[],
): Sheet {
  return {
    texts: [...heads, 'moved by'],
    numbers: ['runs', 'GB/s', 'against the\nbaseline', 'against the baseline\npublished'],
    rows: pairs.map(({ row, published }) => [
      ...labels(row),
      moverText(row),
      String(row.runs),
      `${row.gbps.mean.toFixed(2)} ± ${row.gbps.deviation.toFixed(2)}`,
      row.way === 'baseline' ? '' : estimateText(row.againstBaseline),
      published ? `${published.isClaim ? '' : '= '}${digits(published.ratio)}` : '',
    ]),
  };
}

/** What the columns are. */
export const THROUGHPUT_NOTES = [
  'GB/s: mean and standard deviation. Against the baseline: median of paired runs with its interval of',
  '95 %; above 1 is faster. =: published as equal within its standard deviations, so no finding.',
];

/** As {@link judge}, and apart what asks for more threads or channels than a machine can run at once. */
export function throughputVerdict(findings: readonly ThroughputFinding[], cores: number): Verdict {
  const beyond = findings.filter(({ count }) => count > cores);
  if (beyond.length === 0) return judge(findings);
  const within = findings.filter(({ count }) => count <= cores);
  const held = findings.filter(findingHolds).length;
  const says = [
    `${held} of ${findings.length} findings hold.`,
    ...groupText(`With at most ${cores} threads or channels, as many as this machine has cores`, within),
    ...groupText('With more, which can gain nothing beyond the cores here', beyond),
  ];
  return { holds: held === findings.length, says: says.join('\n') };
}

/** How many hold, and the few that are furthest from what was published. */
function groupText(head: string, findings: readonly Finding[]): string[] {
  const different = findings.filter((finding) => !findingHolds(finding));
  const distance = ({ published, measured }: Finding) => Math.abs(Math.log(measured.median / published));
  const furthest = [...different].sort((a, b) => distance(b) - distance(a)).slice(0, NAMED);
  const left = different.length - furthest.length;
  return [
    `${head}: ${findings.length - different.length} of ${findings.length}.`,
    ...differText(furthest),
    ...(left > 0 ? [`And ${left} more, nearer to what was published.`] : []),
  ];
}
