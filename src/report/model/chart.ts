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

/** A figure, and the range that it lies in if that is known. */
export interface Point {
  readonly value: number;
  readonly low?: number;
  readonly high?: number;
}

/** Figures under one name. */
export interface Series {
  readonly name: string;
  /** One for each category; `undefined` where nothing was measured. */
  readonly points: readonly (Point | undefined)[];
  /** Which colour of the palette: series that belong together have the same. */
  readonly colour: number;
  /** Whether it was published, and not measured here: it is drawn dashed, or hollow. */
  readonly isPublished?: boolean;
}

interface Common {
  readonly title: string;
  /** What is shown, in which unit, and how it was measured. */
  readonly caption: string;
}

/** Figures for each of some categories: as lines, bars that stand, or dots on a line each. */
export interface SeriesChart extends Common {
  readonly kind: 'lines' | 'bars' | 'dots';
  readonly categories: { readonly name: string; readonly labels: readonly string[] };
  readonly values: ValueAxis;
  readonly series: readonly Series[];
}

/** Parts that add up to a whole, a bar for each category. */
export interface StackChart extends Common {
  readonly kind: 'stack';
  readonly categories: { readonly name: string; readonly labels: readonly string[] };
  readonly values: ValueAxis;
  readonly parts: readonly { readonly name: string; readonly values: readonly number[]; readonly colour: number }[];
}

/** A figure for each pair of two settings; `undefined` where nothing was measured. */
export interface HeatChart extends Common {
  readonly kind: 'heat';
  readonly columns: { readonly name: string; readonly labels: readonly string[] };
  readonly rows: { readonly name: string; readonly labels: readonly string[] };
  readonly values: ValueAxis;
  /** A list for each row. */
  readonly cells: readonly (readonly (number | undefined)[])[];
}

/** What is drawn: figures alone, so that they can be drawn, told and put into a table. */
export type Chart = SeriesChart | StackChart | HeatChart;
