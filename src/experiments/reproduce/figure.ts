import type { Spread } from '../shared/spread.js';
import type { Estimate } from './finding.js';

/** One figure of a table, by itself: all that a program needs to read it. */
export interface Figure {
  /** What was moved or copied, such as `4K of 64M`; empty where that is the same in all of the table. */
  readonly row: string;
  /** In which way, such as `mtcopy×2`. */
  readonly variant: string;
  /** What was measured, such as `against the baseline`. */
  readonly measure: string;
  /** Of the value, such as `ns`, `GB/s`, `ratio`, `share` or `count`. */
  readonly unit: string;
  /** What it is. */
  readonly value: number;
  /** Where its interval begins, if it is a median of paired runs. */
  readonly low?: number;
  /** Where that ends. */
  readonly high?: number;
  /** The probability that the true median is within it. */
  readonly confidence?: number;
  /** The standard deviation of the runs, of a mean. */
  readonly deviation?: number;
  /** What was published of the same. */
  readonly published?: number;
  /** What is claimed of it, as an order of magnitude. */
  readonly claimed?: number;
}

/** A figure as its table has it. */
interface Known {
  readonly unit: string;
  readonly is: number | Estimate | Spread;
  readonly published?: number | undefined;
  readonly claimed?: number | undefined;
}

/** The figures of one row, by their measures. */
export function figuresOf(row: string, variant: string, known: Readonly<Record<string, Known>>): Figure[] {
  return Object.entries(known).map(([measure, { unit, is, published, claimed }]) => ({
    ...{ row, variant, measure, unit },
    ...fieldsOf(is),
    ...(published !== undefined && { published }),
    ...(claimed !== undefined && { claimed }),
  }));
}

function fieldsOf(is: number | Estimate | Spread): Pick<Figure, 'value' | 'low' | 'high' | 'confidence' | 'deviation'> {
  if (typeof is === 'number') return { value: is };
  if ('mean' in is) return { value: is.mean, deviation: is.deviation };
  const { median, low, high, confidence } = is;
  return { value: median, low, high, confidence };
}
