import { type FolioCountThroughput, publishedOfCount } from 'mtcopy/experiments';
import type { Series, SeriesChart } from '../../model/chart.js';
import { distinct, estimatePoint, point } from '../charts.js';
import { WAY_COLOURS } from './folio-size.js';
import type { ChartsOf } from './tables.js';

/** Numbers of folios that were published. */
const COUNTS = [1, 8, 16, 32, 64, 256, 512, 2048, 8192];

/** The published curve by the number of folios, beside this machine's. */
export const folioCountCharts: ChartsOf<FolioCountThroughput> = (tables) =>
  tables.flatMap(({ file, table }): SeriesChart[] => {
    const rows = table.measured.rows.filter(({ way }) => way !== 'baseline');
    if (rows.length === 0) return [];
    const ways = distinct(rows.map(({ way }) => way as keyof typeof WAY_COLOURS));
    const counts = distinct([...COUNTS, ...rows.map(({ folios }) => folios)]).sort((a, b) => a - b);
    const series = ways.flatMap((way): Series[] => {
      const colour = WAY_COLOURS[way]?.colour ?? 6;
      const here = counts.map((folios) => {
        const row = rows.find((one) => one.way === way && one.folios === folios);
        return row && estimatePoint(row.againstBaseline);
      });
      const there = counts.map((folios) => point(publishedOfCount({ way, folios })?.ratio));
      return [
        { name: `${way}×1`, colour, points: here },
        { name: `${way}×1, published`, colour, points: there, isPublished: true },
      ];
    });
    return [
      {
        kind: 'lines',
        title: `${file}Speed against the baseline, by folios moved at once`,
        caption:
          'Ratio of speeds with one thread or channel, by the number of 2-MiB folios, against the kernel without offload; above 1 is faster. ' +
          'Solid: measured here, with intervals of 95 %. Dashed: published, against its own baseline.',
        categories: { name: 'folios of 2M', labels: counts.map(String) },
        values: { name: 'times the baseline', isLog: true, border: 1 },
        series,
      },
    ];
  });
