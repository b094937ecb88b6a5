import type { Chart } from './chart.js';
import { figureText, pointText } from './figures.js';

/** What each mark of a chart says when it is pointed at: a list for each series, in the order in which they are drawn. */
export function marksOf(chart: Chart): string[][] {
  switch (chart.kind) {
    case 'heat':
      return [
        chart.cells.flatMap((row, y) =>
          row.flatMap((value, x) =>
            value === undefined
              ? []
              : [`${chart.rows.labels[y]}, ${chart.columns.labels[x]}: ${figureText(value)} ${chart.values.name}`],
          ),
        ),
      ];
    case 'stack':
      return chart.parts.map(({ name, values }) =>
        values.map((value, i) => `${chart.categories.labels[i]}, ${name}: ${figureText(value)} ${chart.values.name}`),
      );
    default:
      return chart.series.map(({ name, points }) => {
        const all = points.map((point, i) =>
          point ? `${name}, ${chart.categories.labels[i]}: ${pointText(point)}` : undefined,
        );
        // Lines and bars number their categories, dots those that are there.
        return (chart.kind === 'dots' ? all.filter((says) => says !== undefined) : all) as string[];
      });
  }
}
