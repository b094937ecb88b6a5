import { isSure } from 'mtcopy/experiments';
import type { Chart, Point, Series, ValueAxis } from '../model/chart.js';
import type { Source } from '../read/source.js';

/** Distinct values, in the order in which they come. */
export function distinct<T>(values: Iterable<T>): T[] {
  return [...new Set(values)];
}

/** A figure; nothing where there is none, for JSON has no infinity. */
export function point(value: number | undefined, low?: number, high?: number): Point | undefined {
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return low !== undefined && high !== undefined && Number.isFinite(low + high) ? { value, low, high } : { value };
}

/** An estimate with its interval of 95 %; without one where there were too few runs for it. */
export function estimatePoint(estimate: {
  median: number;
  low: number;
  high: number;
  confidence: number;
}): Point | undefined {
  const { median, low, high } = estimate;
  return isSure(estimate) ? point(median, low, high) : point(median);
}

/** Names a file in a title or a series, where there are several. */
export function ofSource(source: Source, sources: readonly Source[]): string {
  return sources.length > 1 ? `${source.label}: ` : '';
}

/** Names a file with its host, likewise. */
export function hostOf(source: Source, sources: readonly Source[]): string {
  const { cpu, cores } = source.result.host;
  return sources.length > 1 ? `${source.label}: ${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}` : '';
}

/** The names of what varies among rows, such as `vanilla, shuffled`. */
export function varying<Row>(rows: readonly Row[], settings: readonly ((row: Row) => string)[]): (row: Row) => string {
  const telling = settings.filter((of) => distinct(rows.map(of)).length > 1);
  return (row) => joined(telling.map((of) => of(row)));
}

/** Without what says nothing. */
export function joined(texts: readonly string[], separator = ', '): string {
  return texts.filter((text) => text !== '').join(separator);
}

/** Charts side by side on one scale, as far as it begins at 0, is of one unit, and has no end of its own, as shares have. */
export function onOneScale<C extends Chart>(charts: readonly C[]): C[] {
  const isOne = distinct(charts.map(({ values }) => values.name)).length === 1;
  if (charts.length < 2 || !isOne || charts.some(({ values }) => values.isLog || values.end !== undefined))
    return [...charts];
  const most = Math.max(...charts.map(mostOf));
  if (!(most > 0)) return [...charts];
  const end = niceEnd(most);
  return charts.map((chart) => ({ ...chart, values: { ...chart.values, end } }));
}

function mostOf(chart: Chart): number {
  if (chart.kind === 'heat') return 0;
  if (chart.kind === 'stack') {
    const sums = chart.categories.labels.map((_, i) => chart.parts.reduce((sum, { values }) => sum + values[i], 0));
    return Math.max(...sums);
  }
  const points = chart.series.flatMap((series) => series.points);
  return Math.max(...points.map((one) => (one ? Math.max(one.value, one.high ?? 0) : 0)));
}

/** The next of 1, 1.2, 1.6, 2, 2.4, 3.2 … times a power of ten: each is cut into four by round figures. */
function niceEnd(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  const steps = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 4.8, 6, 8, 10];
  return (steps.find((step) => step * power >= most) ?? 10) * power;
}

/** Whether figures are further apart than a scale from 0 can show. */
export function isFarApart(values: readonly number[]): boolean {
  const known = values.filter((value) => value > 0);
  return known.length > 1 && Math.max(...known) / Math.min(...known) > 25;
}

/** An axis for those figures: logarithmic where they are far apart. */
export function axisFor(name: string, series: readonly Series[]): ValueAxis {
  const values = series.flatMap(({ points }) => points.flatMap((one) => (one ? [one.value] : [])));
  return isFarApart(values) && values.every((value) => value > 0) ? { name, isLog: true } : { name };
}
