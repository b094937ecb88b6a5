import type { Chart } from './chart.js';
import { figureText } from './figures.js';

const KINDS = { lines: 'Line chart', bars: 'Bar chart', dots: 'Dot chart', stack: 'Stacked bars', heat: 'Heat map' };

/** What a chart shows, for those who can't see it: its axes, and of each series where it begins, ends, and lies. */
export function alternativeOf(chart: Chart): string {
  const says = chart.kind === 'heat' ? heatText(chart) : rangesOf(chart).join('; ');
  return `${KINDS[chart.kind]}: ${axesText(chart)}. ${says}. All figures are in the table below it.`;
}

function axesText(chart: Chart): string {
  const { name, isLog } = chart.values;
  const values = isLog ? `${name} on a logarithmic scale` : name;
  if (chart.kind === 'heat') return `${values} by ${chart.rows.name} and ${chart.columns.name}`;
  return `${values} by ${chart.categories.name}`;
}

function rangesOf(chart: Exclude<Chart, { kind: 'heat' }>): string[] {
  const { labels } = chart.categories;
  const lists =
    chart.kind === 'stack'
      ? chart.parts.map(({ name, values }) => ({ name, values }))
      : chart.series.map(({ name, points }) => ({ name, values: points.map((point) => point?.value) }));
  return lists.map(({ name, values }) => `${name}: ${rangeText(values, labels)}`);
}

function rangeText(values: readonly (number | undefined)[], labels: readonly string[]): string {
  const known = values.flatMap((value, i) => (value === undefined ? [] : [{ value, label: labels[i] }]));
  if (known.length === 0) return 'nothing';
  const byValue = [...known].sort((a, b) => a.value - b.value);
  const text = ({ value, label }: (typeof known)[number]) => `${figureText(value)} (${label})`;
  return known.length === 1 ? text(known[0]) : `${text(byValue[0])} to ${text(byValue[byValue.length - 1])}`;
}

function heatText({ cells, rows, columns }: Extract<Chart, { kind: 'heat' }>): string {
  const labels = rows.labels.flatMap((row) => columns.labels.map((column) => `${row}, ${column}`));
  return `From ${rangeText(cells.flat(), labels)}`;
}
