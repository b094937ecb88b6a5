import { type FolioCountThroughput, publishedOfCount } from 'mtcopy/experiments';
import type { SeriesChart } from '../../model/chart.js';
import { distinct } from '../charts.js';
import { BESIDE, besidePublished } from './curve.js';
import type { ChartsOf } from './tables.js';

/** Numbers of folios that were published. */
const COUNTS = [1, 8, 16, 32, 64, 256, 512, 2048, 8192];

/** The published curve by the number of folios, beside this machine's. */
export const folioCountCharts: ChartsOf<FolioCountThroughput> = (tables) =>
  tables.flatMap(({ file, table }): SeriesChart[] => {
    const rows = table.measured.rows.filter(({ way }) => way !== 'baseline');
    if (rows.length === 0) return [];
    const counts = distinct([...COUNTS, ...rows.map(({ folios }) => folios)]).sort((a, b) => a - b);
    const series = distinct(rows.map(({ way }) => way)).flatMap((way) => {
      const here = counts.map((folios) => rows.find((one) => one.way === way && one.folios === folios));
      const there = counts.map((folios) => publishedOfCount({ way, folios }));
      return besidePublished(way, `${way}×1`, here, there);
    });
    return [
      {
        kind: 'lines',
        title: `${file}Speed against the baseline, by folios moved at once`,
        caption:
          'Ratio of speeds with one thread or channel, by the number of 2-MiB folios, against the kernel without offload; above 1 is faster. ' +
          BESIDE,
        categories: { name: 'folios of 2M', labels: counts.map(String) },
        values: { name: 'times the baseline', isLog: true, border: 1 },
        series,
      },
    ];
  });
