/** What the axis of the figures says. */
export interface ValueAxis {
  /** With its unit, such as `GB/s`. */
  readonly name: string;
  /** Whether equal ratios are equally far apart. Default: equal differences are, from 0 on. */
  readonly isLog?: boolean;
  /** Where the axis ends, so that charts side by side have one scale. Default: where the figures do. */
  readonly end?: number;
  /** A figure that divides two answers, such as the ratio 1: a line is drawn there. */
  readonly border?: number;
}

/** What figures are of. */
export interface Categories {
  /** What they are: `folio size`. */
  readonly name: string;
  /** Each of them: `4K`. */
  readonly labels: readonly string[];
}

/** A figure, and the range that it lies in if that is known. */
export interface Point {
  /** The figure, in the unit of its axis. */
  readonly value: number;
  /** Where the range begins. Default: no range is drawn. */
  readonly low?: number;
  /** Where it ends; there if `low` is. Default: no range is drawn. */
  readonly high?: number;
}

/** Figures under one name. */
export interface Series {
  /** What the legend says. */
  readonly name: string;
  /** One for each category; `undefined` where nothing was measured. */
  readonly points: readonly (Point | undefined)[];
  /** Which colour of the palette: series that belong together have the same. */
  readonly colour: number;
  /** Whether it was published, and not measured here: it is drawn dashed, or hollow. */
  readonly isPublished?: boolean;
}

interface Common {
  /** What it shows, in a few words. */
  readonly title: string;
  /** What is shown, in which unit, and how it was measured. */
  readonly caption: string;
}

/** Figures for each of some categories: as lines, bars that stand, or dots on a line each. */
export interface SeriesChart extends Common {
  /** How the figures are drawn. */
  readonly kind: 'lines' | 'bars' | 'dots';
  /** What each figure is of. */
  readonly categories: Categories;
  /** The axis of the figures. */
  readonly values: ValueAxis;
  /** The figures. */
  readonly series: readonly Series[];
}

/** One part of each bar. */
export interface StackPart {
  /** What the legend says. */
  readonly name: string;
  /** One for each category. */
  readonly values: readonly number[];
  /** Which colour of the palette. */
  readonly colour: number;
}

/** Parts that add up to a whole, a bar for each category. */
export interface StackChart extends Common {
  /** Which chart it is. */
  readonly kind: 'stack';
  /** What each figure is of. */
  readonly categories: Categories;
  /** The axis of the figures. */
  readonly values: ValueAxis;
  /** The parts of every bar, from the axis on. */
  readonly parts: readonly StackPart[];
}

/** A figure for each pair of two settings; `undefined` where nothing was measured. */
export interface HeatChart extends Common {
  /** Which chart it is. */
  readonly kind: 'heat';
  /** One setting. */
  readonly columns: Categories;
  /** The other. */
  readonly rows: Categories;
  /** What the figures are. */
  readonly values: ValueAxis;
  /** A list for each row. */
  readonly cells: readonly (readonly (number | undefined)[])[];
  /** The figures that the lightest and the darkest colour stand for, so that maps have one scale. Default: the least and the most. */
  readonly colours?: readonly [number, number];
}

/** What is drawn: figures alone, so that they can be drawn, told and put into a table. */
export type Chart = SeriesChart | StackChart | HeatChart;

/** Whether there is anything to draw. */
export function hasFigures(chart: Chart): boolean {
  if (chart.kind === 'heat') return chart.cells.flat().some((value) => value !== undefined);
  if (chart.kind === 'stack') return chart.categories.labels.length > 0;
  return chart.series.some(({ points }) => points.some((one) => one !== undefined));
}
