import { mean, sampleStandardDeviation } from 'simple-statistics';

/** A mean, and the standard deviation of the runs: what the published tables have. */
export interface Spread {
  /** The mean. */
  readonly mean: number;
  /** The sample's standard deviation; 0 of a single number. */
  readonly deviation: number;
}

/**
 * The mean of some numbers, and how they spread.
 *
 * @param numbers one at least; a single one deviates by 0
 */
export function spreadOf(numbers: readonly number[]): Spread {
  const list = [...numbers];
  return { mean: mean(list), deviation: list.length > 1 ? sampleStandardDeviation(list) : 0 };
}

/** As published: `[mean, standard deviation]`, of which the second isn't always said. */
export type PublishedSpread = readonly (number | null)[];

/** A published mean against another, and whether that says anything. */
export interface PublishedRatio {
  /** How many times as much the one is. */
  readonly ratio: number;
  /** Whether they lie further apart than they spread. */
  readonly isClaim: boolean;
}

/** What was published of one thing against another. */
export function publishedRatio([mean, deviation]: PublishedSpread, [base, spread]: PublishedSpread): PublishedRatio {
  const apart = Math.abs((mean ?? 0) - (base ?? 0));
  return { ratio: (mean ?? 0) / (base ?? 1), isClaim: apart > Math.hypot(deviation ?? 0, spread ?? 0) };
}
