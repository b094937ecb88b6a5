import type { StackChart } from '../model/chart.js';
import { isFarApart } from './charts.js';

/** One part of what bars are made of. */
export interface PartOf<Row> {
  readonly name: string;
  readonly colour: number;
  readonly of: (row: Row) => number;
}

/** What stacks of one kind say. */
export interface StackText<Row> {
  readonly title: string;
  /** Behind what the figures are. */
  readonly caption: string;
  /** What a bar is of. */
  readonly category: string;
  readonly labelOf: (row: Row) => string;
  /** Of which whole the parts are, where they are shown as shares. Default: of a page of 4 KiB. */
  readonly whole?: string;
}

/** A bar for each row, of its parts, in nanoseconds a page; in shares of the whole where the wholes are far apart. */
export function timeStack<Row>(
  all: readonly Row[],
  parts: readonly PartOf<Row>[],
  { title, caption, category, labelOf, whole = 'a page of 4 KiB' }: StackText<Row>,
): StackChart {
  // What has a part that isn't known has no bar.
  const rows = all.filter((row) => parts.every(({ of }) => Number.isFinite(of(row))));
  const sums = rows.map((row) => parts.reduce((sum, { of }) => sum + of(row), 0));
  const isShare = isFarApart(sums);
  return {
    kind: 'stack',
    title,
    caption: `${isShare ? `% of the time of ${whole}` : 'Nanoseconds for each page of 4 KiB'}${caption}`,
    categories: { name: category, labels: rows.map(labelOf) },
    values: isShare ? { name: '% of its time', end: 100 } : { name: 'ns a page' },
    parts: parts.map(({ name, colour, of }) => ({
      name,
      colour,
      values: rows.map((row, i) => (isShare ? (100 * of(row)) / (sums[i] || 1) : of(row))),
    })),
  };
}
