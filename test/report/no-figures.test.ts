import { type Chart, drawChart, type HeatChart, reportOf, sectionsOf } from 'mtcopy/report';
import { expect, it } from 'vitest';
import { named } from '../support/results.js';

const NONSENSE = /.{0,60}(\bundefined\b|NaN|Infinity).{0,30}/;
const chartsOf = (...results: Parameters<typeof sectionsOf>[0]) => sectionsOf(results).flatMap(({ charts }) => charts);
const dots = (values: Chart['values'], points: readonly number[]): Chart => ({
  ...{ kind: 'dots', title: 'it', caption: 'it', categories: { name: 'of', labels: points.map(String) }, values },
  series: [{ name: 'one', colour: 0, points: points.map((value) => ({ value, low: value / 2, high: 2 * value })) }],
});

it.each([[[0]], [[0, 0]], [[0, 5]], [[-1, 3]], [[-1]], [[1]], [[1e-9, 1e9]]])(
  'a logarithmic axis has the figures above 0 of %j, and no other',
  (figures) => {
    for (const values of [
      { name: 'it', isLog: true },
      { name: 'it', isLog: true, border: 1 },
    ]) {
      const svg = drawChart(dots(values, figures));
      expect(NONSENSE.exec(svg)?.[0]).toBeUndefined();
      expect(svg.match(/class="mark"/g)?.length ?? 0).toBe(figures.filter((value) => value > 0).length);
    }
  },
);

it('charts of figures that are 0 have coordinates', () => {
  const nothing = named('copy.json', ({ results }) => {
    for (const { gbps } of results) for (const name of Object.keys(gbps)) gbps[name] = 0;
  });
  const still = named('pmbench.json', ({ results }) => {
    for (const row of results) Object.assign(row, { pagesMigrated: 0, pagesMigratedPerSecond: 0, ipisPerPage: null });
  });
  const idle = named('migrate.json', ({ results }) => {
    for (const { phasesNs } of results) for (const name of Object.keys(phasesNs)) phasesNs[name] = 0;
  });
  const html = reportOf([nothing, { ...nothing, name: 'other.json' }, still, idle, { ...idle, name: 'other.json' }]);
  expect(NONSENSE.exec(html)?.[0]).toBeUndefined();
});

it('maps of several files have one scale of colours', () => {
  const faster = named('copy.json', ({ results }) => {
    for (const { gbps } of results) for (const name of Object.keys(gbps)) gbps[name] *= 10;
  });
  const maps = chartsOf(named('copy.json'), faster).filter((chart): chart is HeatChart => chart.kind === 'heat');
  const figures = maps.flatMap(({ cells }) => cells.flat()) as number[];
  expect(maps.map(({ colours }) => colours)).toEqual([
    [Math.min(...figures), Math.max(...figures)],
    [Math.min(...figures), Math.max(...figures)],
  ]);
  // The same figure has the same colour whichever map it is in, and others than in a map of its own scale.
  const fillsOf = (svg: string) => Array.from(svg.matchAll(/ fill="([^"]*)"/g), ([, fill]) => fill);
  const [slow, fast] = maps;
  const moved = { ...fast, cells: slow.cells };
  expect(fillsOf(drawChart(moved))).toEqual(fillsOf(drawChart(slow)));
  const { colours, ...alone } = slow;
  expect(fillsOf(drawChart(alone))).not.toEqual(fillsOf(drawChart(slow)));
});

it('shares end at 100, side by side too', () => {
  const apart = named('reproduce-cycles-per-page.json', ({ tables: [{ measured }] }) => {
    measured.rows[0].migratePagesNs.mean *= 1000;
    measured.rows[0].folioCopyNs.mean *= 1000;
  });
  const stacks = chartsOf(apart, { ...apart, name: 'other.json' }).filter(({ kind }) => kind === 'stack');
  expect(stacks.map(({ values }) => values)).toEqual([
    { name: '% of its time', end: 100 },
    { name: '% of its time', end: 100 },
  ]);
});
