import { formatSize } from 'mtcopy';
import { type FolioSizeThroughput, publishedOfSize, type ThroughputRow, type WayName } from 'mtcopy/experiments';
import type { Series, SeriesChart } from '../../model/chart.js';
import { distinct, estimatePoint, point } from '../charts.js';
import type { ChartsOf, Reproduced } from './tables.js';

type Tables = readonly Reproduced<FolioSizeThroughput>[];

/** Threads and channels that were published, as far as they are few enough for an axis. */
const COUNTS = [1, 2, 4, 8, 12, 16];
/** What was published under each way's name; of `mtcopy-defaults` nothing was. */
export const WAY_COLOURS: Readonly<
  Record<Exclude<WayName, 'baseline'>, { readonly colour: number; readonly published: boolean }>
> = {
  mtcopy: { colour: 0, published: true },
  'mtcopy-defaults': { colour: 2, published: false },
  dcbm: { colour: 1, published: true },
  'dcbm-pre-copy': { colour: 3, published: true },
};

/** The published curves as ratios, beside this machine's: a chart for each folio size and file. */
export const folioSizeCharts: ChartsOf<FolioSizeThroughput> = (tables) =>
  sizesOf(tables).flatMap((folioBytes) => tables.flatMap((table) => sizeChart(table, folioBytes)));

function sizesOf(tables: Tables): number[] {
  return distinct(tables.flatMap(({ table }) => table.measured.rows.map(({ folioBytes }) => folioBytes)));
}

function sizeChart({ file, table }: Tables[number], folioBytes: number): SeriesChart[] {
  const rows = table.measured.rows.filter((row) => row.folioBytes === folioBytes && row.way !== 'baseline');
  if (rows.length === 0) return [];
  const ways = distinct(rows.map(({ way }) => way as keyof typeof WAY_COLOURS));
  const counts = distinct([...COUNTS, ...rows.map(({ count }) => count)]).sort((a, b) => a - b);
  return [
    {
      kind: 'lines',
      title: `${file}Speed against the baseline, folios of ${formatSize(folioBytes)}`,
      caption:
        'Ratio of speeds by worker threads (mtcopy) or channels (dcbm), against the kernel without offload; above 1 is faster. ' +
        'Solid: measured here, with intervals of 95 %. Dashed: published, against its own baseline.',
      categories: { name: 'threads or channels', labels: counts.map(String) },
      values: { name: 'times the baseline', isLog: true, border: 1 },
      series: ways.flatMap((way) => curves(way, rows, counts, folioBytes)),
    },
  ];
}

function curves(
  way: keyof typeof WAY_COLOURS,
  rows: readonly ThroughputRow[],
  counts: readonly number[],
  folioBytes: number,
): Series[] {
  const { colour, published } = Object.hasOwn(WAY_COLOURS, way) ? WAY_COLOURS[way] : { colour: 6, published: false };
  const here = counts.map((count) => {
    const row = rows.find((one) => one.way === way && one.count === count);
    return row && estimatePoint(row.againstBaseline);
  });
  const there = published ? counts.map((count) => point(publishedOfSize({ way, count, folioBytes })?.ratio)) : [];
  return [
    { name: way, colour, points: here },
    ...(there.some((one) => one) ? [{ name: `${way}, published`, colour, points: there, isPublished: true }] : []),
  ];
}
