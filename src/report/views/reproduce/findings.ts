import type { JudgedFinding } from 'mtcopy/experiments';
import type { Series, SeriesChart } from '../../model/chart.js';
import { distinct, estimatePoint, point } from '../charts.js';
import type { Reproduced } from './tables.js';

const KINDS = {
  ratio: {
    title: 'ratios',
    values: { name: 'ratio', isLog: true, border: 1 },
    caption:
      'Ratios on a logarithmic scale; the line is at 1. A finding holds if all of its interval lies on the published side.',
  },
  share: {
    title: 'shares',
    values: { name: 'share of the whole', end: 1, border: 0.5 },
    caption:
      'Shares of a whole, from 0 to 1; the line is at one half. A finding holds if all of its interval lies on the published side.',
  },
} as const;
const INTERVAL = 'Strokes are intervals of 95 %; without one there were too few runs.';

/** What was published beside what each file measured: a row for each finding. */
export function findingCharts(name: string, tables: readonly Reproduced[]): SeriesChart[] {
  return (Object.keys(KINDS) as (keyof typeof KINDS)[]).flatMap((kind) => {
    const lists = tables.map(({ file, table }) => ({
      file,
      findings: table.findings.filter((one) => one.kind === kind),
    }));
    const labels = distinct(lists.flatMap(({ findings }) => findings.map(({ what }) => what)));
    if (labels.length === 0) return [];
    const find = (findings: readonly JudgedFinding[], what: string) => findings.find((one) => one.what === what);
    const measured = lists.map(
      ({ file, findings }, i): Series => ({
        name: file === '' ? 'measured' : `${file}measured`,
        colour: i,
        points: labels.map((what) => {
          const finding = find(findings, what);
          return finding && estimatePoint(finding.measured);
        }),
      }),
    );
    const all = lists.flatMap(({ findings }) => findings);
    const isClaimed = all.every((one) => 'claimed' in one);
    const published: Series = {
      name: isClaimed ? 'claimed' : 'published',
      colour: 6,
      isPublished: true,
      points: labels.map((what) => point(referenceOf(find(all, what)))),
    };
    const { title, values, caption } = KINDS[kind];
    return [
      {
        kind: 'dots',
        title: `${isClaimed ? 'Claimed' : 'Published'} and measured ${title}: ${name}`,
        caption: `${caption} ${INTERVAL}`,
        categories: { name: 'finding', labels },
        values,
        series: [...measured, published],
      },
    ];
  });
}

function referenceOf(finding: JudgedFinding | undefined): number | undefined {
  return finding && ('claimed' in finding ? finding.claimed : finding.published);
}
