import type { TlbBatching, TlbRow } from 'mtcopy/experiments';
import type { SeriesChart } from '../../model/chart.js';
import { axisFor, distinct, point } from '../charts.js';
import type { ChartsOf, Reproduced } from './tables.js';

type Tables = readonly Reproduced<TlbBatching>[];

/** Interrupts before the series, with a flush for each page, and with it, with one for each batch. */
export const tlbCharts: ChartsOf<TlbBatching> = (tables) => {
  if (tables.every(({ table }) => table.measured.rows.length === 0)) return [];
  return [
    chartOf(tables, 'Interrupts for each migrated page', 'interrupts a page', ({ ipisPerPage }) => ipisPerPage, 'bars'),
    chartOf(tables, 'Interrupts a second', 'interrupts a second', ({ ipisPerSecond }) => ipisPerSecond, 'bars'),
    chartOf(tables, 'Pages migrated a second', 'pages a second', ({ pagesPerSecond }) => pagesPerSecond, 'dots'),
  ];
};

function chartOf(
  tables: Tables,
  title: string,
  name: string,
  of: (row: TlbRow) => number,
  kind: SeriesChart['kind'],
): SeriesChart {
  const flows = distinct(tables.flatMap(({ table }) => table.measured.rows.map(({ flow }) => flow)));
  const series = tables.map(({ file, table }, colour) => ({
    name: file === '' ? 'measured' : `${file}measured`,
    colour,
    points: flows.map((flow) => {
      const row = table.measured.rows.find((one) => one.flow === flow);
      return row && point(of(row));
    }),
  }));
  return {
    kind,
    title: `${title}, before and after`,
    caption:
      'Before: serial, a TLB flush for each page. After: vanilla, one for each batch. Of all CPUs together; medians of the runs.',
    categories: { name: 'flow', labels: flows.map(labelOf) },
    values: kind === 'dots' ? axisFor(name, series) : { name },
    series,
  };
}

function labelOf(flow: string): string {
  return flow === 'serial' ? 'serial (before)' : `${flow} (after)`;
}
