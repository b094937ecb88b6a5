import type { Chart } from './chart.js';
import { figureText, pointText } from './figures.js';

/** A table: its first columns name what a row is of, the others have its figures. */
export interface Table {
  /** What each column is. */
  readonly heads: readonly string[];
  /** How many of the columns name the row. */
  readonly names: number;
  /** The text of each cell, row by row. */
  readonly rows: readonly (readonly string[])[];
}

/** All figures of a chart: whoever reads it misses nothing that the chart shows. */
export function tableOf(chart: Chart): Table {
  switch (chart.kind) {
    case 'heat':
      return {
        heads: [chart.rows.name, ...chart.columns.labels.map((label) => `${chart.columns.name} ${label}`)],
        names: 1,
        rows: chart.cells.map((cells, i) => [chart.rows.labels[i], ...cells.map((cell) => textOf(cell, figureText))]),
      };
    case 'stack':
      return {
        heads: [chart.categories.name, ...chart.parts.map(({ name }) => name), 'sum'],
        names: 1,
        rows: chart.categories.labels.map((label, i) => {
          const values = chart.parts.map((part) => part.values[i]);
          return [label, ...[...values, values.reduce((sum, value) => sum + value, 0)].map(figureText)];
        }),
      };
    default:
      return {
        heads: [chart.categories.name, ...chart.series.map(({ name }) => name)],
        names: 1,
        rows: chart.categories.labels.map((label, i) => [
          label,
          ...chart.series.map(({ points }) => textOf(points[i], pointText)),
        ]),
      };
  }
}

function textOf<T>(value: T | undefined, text: (value: T) => string): string {
  return value === undefined ? '' : text(value);
}
