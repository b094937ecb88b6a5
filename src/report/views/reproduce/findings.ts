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
/** What a finding may stand beside: a figure that was published, or an order of magnitude that is claimed. */
const REFERENCES = [
  { name: 'published', colour: 6, of: (one: JudgedFinding) => ('published' in one ? one.published : undefined) },
  { name: 'claimed', colour: 7, of: (one: JudgedFinding) => ('claimed' in one ? one.claimed : undefined) },
] as const;
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
    const references = REFERENCES.flatMap(({ name, colour, of }): Series[] => {
      const figures = labels.map((what) => {
        const finding = find(all, what);
        return finding && of(finding);
      });
      if (figures.every((figure) => figure === undefined)) return [];
      return [{ name, colour, isPublished: true, points: figures.map((figure) => point(figure)) }];
    });
    const said = [...references.map((one) => one.name), 'measured'];
    const { title, values, caption } = KINDS[kind];
    return [
      {
        kind: 'dots',
        title: `${headOf(said)} ${title}: ${name}`,
        caption: `${caption} ${INTERVAL}`,
        categories: { name: 'finding', labels },
        values,
        series: [...measured, ...references],
      },
    ];
  });
}

/** `Published, claimed and measured`. */
function headOf(said: readonly string[]): string {
  const text = `${said.slice(0, -1).join(', ')} and ${said.at(-1)}`;
  return text[0].toUpperCase() + text.slice(1);
}
