import type { Point } from './chart.js';

/** What stands where there is no figure. */
export const NO_FIGURE = '–';

/** A text of a command, of which no figure is none. */
export function withoutNaN(text: string): string {
  return text.replaceAll(/-?\b(NaN|Infinity)\b/g, NO_FIGURE);
}

/** A figure with three digits that count, thousands apart; a whole number as it is. */
export function figureText(value: number): string {
  if (!Number.isFinite(value)) return NO_FIGURE;
  const size = Math.abs(value);
  if (size >= 999.5) return Math.round(value).toLocaleString('en-US');
  return Number.isInteger(value) ? String(value) : plain(value.toPrecision(3));
}

/** A figure of a scale, short: without zeros behind it, and thousands as `k`. */
export function tickText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(4))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(4))}k`;
  return size >= 1000 ? value.toLocaleString('en-US') : String(Number(value.toPrecision(4)));
}

/** Without an exponent. */
function plain(text: string): string {
  return text.includes('e') ? String(Number(text)) : text;
}

/** A figure, with its range if it has one: `1.52 [1.40, 1.66]`. */
export function pointText({ value, low, high }: Point): string {
  if (low === undefined || high === undefined) return figureText(value);
  return `${figureText(value)} [${figureText(low)}, ${figureText(high)}]`;
}

/** Nanoseconds in a unit that leaves at most three digits before the point: `16.4 µs`. */
export function durationText(ns: number): string {
  if (ns < 1e3) return `${figureText(ns)} ns`;
  if (ns < 1e6) return `${figureText(ns / 1e3)} µs`;
  return ns < 1e9 ? `${figureText(ns / 1e6)} ms` : `${figureText(ns / 1e9)} s`;
}
