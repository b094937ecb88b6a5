import { PAGE_SIZE } from 'mtcopy';
import type { BatchLimit, BatchLimitRow, Contention, ContentionRow, Flows, FlowsRow } from 'mtcopy/experiments';
import type { Point, SeriesChart } from '../../model/chart.js';
import { distinct, estimatePoint, point } from '../charts.js';
import type { ChartsOf } from './tables.js';

/** What a larger batch gains and what it costs. */
export const batchLimitCharts: ChartsOf<BatchLimit> = (tables) =>
  tables.flatMap(({ file, table }): SeriesChart[] => {
    const rows = table.measured.rows.filter(({ folioBytes }) => folioBytes === PAGE_SIZE);
    if (rows.length === 0) return [];
    const limits = distinct(rows.map(({ limit }) => limit)).sort((a, b) => a - b);
    const chart = (
      title: string,
      name: string,
      caption: string,
      border: number | undefined,
      of: (row: BatchLimitRow) => Point | undefined,
    ) => ({
      kind: 'lines' as const,
      title: `${file}${title}`,
      caption,
      categories: { name: 'pages of a batch at most', labels: limits.map(String) },
      values: { name, isLog: true, ...(border !== undefined && { border }) },
      series: distinct(rows.map(({ migrator }) => migrator)).map((migrator, colour) => ({
        name: migrator,
        colour,
        points: limits.map((limit) => {
          const row = rows.find((one) => one.migrator === migrator && one.limit === limit);
          return row && of(row);
        }),
      })),
    });
    return [
      chart(
        'Time of a migration, by batch limit',
        'times the best',
        'Time of a page of 4 KiB by that of the best limit of its migrator; above 1 is slower. Strokes are intervals of 95 %.',
        1,
        ({ againstBest }) => estimatePoint(againstBest),
      ),
      chart(
        'Time until the first folio has moved, by batch limit',
        'µs',
        'Microseconds from the begin of a batch until its first folio is mapped again, on a logarithmic scale; medians of the runs.',
        undefined,
        ({ firstFolioNs }) => point(firstFolioNs / 1e3),
      ),
    ];
  });

/** Demotion and the storm beside it, with each mask. */
export const contentionCharts: ChartsOf<Contention> = (tables) =>
  tables.flatMap(({ file, table }): SeriesChart[] => {
    const { rows } = table.measured;
    if (rows.length === 0) return [];
    const chart = (
      title: string,
      name: string,
      caption: string,
      of: (calls: ContentionRow['demotion']) => number,
    ): SeriesChart => ({
      kind: 'bars',
      title: `${file}${title}`,
      caption: `${caption} By the reasons that the DMA engine copies for; alone: demotion with no storm beside it.`,
      categories: { name: 'reason mask', labels: rows.map(({ setting }) => setting) },
      values: { name },
      series: [
        { name: 'demotion', colour: 0, points: rows.map(({ demotion }) => point(of(demotion))) },
        {
          name: 'storm of move_pages',
          colour: 1,
          points: rows.map(({ storm }) => (storm ? point(of(storm)) : undefined)),
        },
      ],
    });
    return [
      chart(
        'Throughput of demotion and of the storm',
        'GB/s',
        '10^9 bytes a second, medians of the runs.',
        ({ gbps }) => gbps,
      ),
      chart(
        'Latency that 99 % of the calls stay below',
        'ms',
        'Milliseconds of a call, over the calls of all runs.',
        ({ p99Ns }) => p99Ns / 1e6,
      ),
    ];
  });

/** What copying first costs and saves as folios fail. */
export const flowsCharts: ChartsOf<Flows> = (tables) => {
  const rows = tables.flatMap(({ table }) => table.measured.rows.filter(({ flow }) => flow !== 'batch-move'));
  if (rows.length === 0) return [];
  const labels = distinct(rows.map(failureOf));
  return [
    {
      kind: 'dots',
      title: 'Time of pre-copy against batch-move, as folios fail',
      caption:
        'Time for each page that moved, by that of batch-move with the same failures; below 1 is faster. Strokes are intervals of 95 %.',
      categories: { name: 'failing folios', labels },
      values: { name: 'times batch-move', isLog: true, border: 1 },
      series: tables.map(({ file, table }, colour) => ({
        name: `${file}pre-copy`,
        colour,
        points: labels.map((label) => {
          const row = table.measured.rows.find((one) => one.flow !== 'batch-move' && failureOf(one) === label);
          return row && estimatePoint(row.againstBatchMove);
        }),
      })),
    },
  ];
};

function failureOf({ failure, share }: FlowsRow): string {
  return failure === 'none' ? 'none' : `${Number((share * 100).toFixed(1))} % ${failure.replaceAll(/[-_]/g, ' ')}`;
}
