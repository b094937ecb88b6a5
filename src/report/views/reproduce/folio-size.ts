import { formatSize } from 'mtcopy';
import { type FolioSizeThroughput, publishedOfSize } from 'mtcopy/experiments';
import type { SeriesChart } from '../../model/chart.js';
import { distinct } from '../charts.js';
import { BESIDE, besidePublished } from './curve.js';
import type { ChartsOf, Reproduced } from './tables.js';

type Tables = readonly Reproduced<FolioSizeThroughput>[];

/** Threads and channels that were published, as far as they are few enough for an axis. */
const COUNTS = [1, 2, 4, 8, 12, 16];
/** The published curves as ratios, beside this machine's: a chart for each folio size and file. */
export const folioSizeCharts: ChartsOf<FolioSizeThroughput> = (tables) =>
  sizesOf(tables).flatMap((folioBytes) => tables.flatMap((table) => sizeChart(table, folioBytes)));

function sizesOf(tables: Tables): number[] {
  return distinct(tables.flatMap(({ table }) => table.measured.rows.map(({ folioBytes }) => folioBytes)));
}

function sizeChart({ file, table }: Tables[number], folioBytes: number): SeriesChart[] {
  const rows = table.measured.rows.filter((row) => row.folioBytes === folioBytes && row.way !== 'baseline');
  if (rows.length === 0) return [];
  const ways = distinct(rows.map(({ way }) => way));
  const counts = distinct([...COUNTS, ...rows.map(({ count }) => count)]).sort((a, b) => a - b);
  return [
    {
      kind: 'lines',
      title: `${file}Speed against the baseline, folios of ${formatSize(folioBytes)}`,
      caption:
        'Ratio of speeds by worker threads (mtcopy) or channels (dcbm), against the kernel without offload; above 1 is faster. ' +
        BESIDE,
      categories: { name: 'threads or channels', labels: counts.map(String) },
      values: { name: 'times the baseline', isLog: true, border: 1 },
      series: ways.flatMap((way) => {
        const here = counts.map((count) => rows.find((one) => one.way === way && one.count === count));
        // Its table compares this project's defaults with the published driver; a curve of that way there is none.
        const published = way === 'mtcopy-defaults' ? [] : counts;
        const there = published.map((count) => publishedOfSize({ way, count, folioBytes }));
        return besidePublished(way, way, here, there);
      }),
    },
  ];
}
