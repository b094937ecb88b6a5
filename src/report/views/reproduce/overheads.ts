import type { Overheads, OverheadsRow } from 'mtcopy/experiments';
import type { Point, Series, SeriesChart } from '../../model/chart.js';
import { distinct, estimatePoint, point } from '../charts.js';
import type { ChartsOf } from './tables.js';

const nameOf = ({ folioSize, folios }: OverheadsRow) => `${folios} × ${folioSize}`;

/** What Amdahl's law predicts beside what was measured: a chart for each file. */
export const overheadsCharts: ChartsOf<Overheads> = (tables) =>
  tables.flatMap(({ file, table }): SeriesChart[] => {
    const { rows } = table.measured;
    if (rows.length === 0) return [];
    const series = (name: string, colour: number, of: (row: OverheadsRow) => Point | undefined): Series => ({
      name,
      colour,
      points: rows.map(of),
    });
    return [
      {
        kind: 'dots',
        title: `${file}Predicted and measured speed-up of move_pages()`,
        caption:
          'Whole speed-up by mtcopy on a logarithmic scale; the line is at 1. Predicted: 1 / ((1 - F) + F / S), of the share F that is ' +
          'copying and the speed-up S of the copies. Allowed: 1 / (1 - F), however fast the copies. Strokes are intervals of 95 %.',
        categories: { name: 'moved', labels: distinct(rows.map(nameOf)) },
        values: { name: 'speed-up', isLog: true, border: 1 },
        series: [
          series('measured', 0, ({ measured }) => estimatePoint(measured)),
          series('predicted', 1, ({ predicted }) => point(predicted)),
          series('allowed', 6, ({ maxSpeedup }) => point(maxSpeedup)),
        ],
      },
    ];
  });
