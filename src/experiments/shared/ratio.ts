import { ErrnoError } from 'mtcopy';

/** A ratio of two things that were measured in pairs. */
export interface Ratio {
  /** The median of the pairs' ratios, as Hodges and Lehmann estimate it. */
  readonly median: number;
  /** Lowest end of an interval that holds the true ratio with that {@link confidence}. */
  readonly low: number;
  /** Its highest end. */
  readonly high: number;
  /** Probability that the interval holds it: 0.95 or a little more, less with fewer than 6 pairs. */
  readonly confidence: number;
  /** Pairs that were measured. */
  readonly pairs: number;
}

const CONFIDENCE = 0.95;
/** Pairs above which the normal distribution takes the place of the exact one. */
const EXACT_PAIRS = 60;
/** Standard deviations on either side that hold 95 % of a normal distribution. */
const NORMAL_95 = 1.959964;

/**
 * The ratio of `values` to `baselines`, of which those of the same position were measured side by side: the median of all
 * geometric means of two pairs' ratios (Hodges and Lehmann), with the interval of Wilcoxon's signed-rank test. It asks nothing
 * of how the ratios are distributed, and one run that was disturbed hardly moves it.
 *
 * @throws ErrnoError EINVAL unless there are as many of both, one at least, all above 0
 */
export function ratioOf(values: readonly number[], baselines: readonly number[]): Ratio {
  const pairs = values.length;
  if (pairs === 0 || pairs !== baselines.length) {
    throw new ErrnoError('EINVAL', `values: must be as many as baselines, and one at least, got ${pairs}`);
  }
  const logarithms = values.map((value, i) => Math.log(value / baselines[i]));
  if (!logarithms.every(Number.isFinite)) throw new ErrnoError('EINVAL', 'values: must be above 0, as baselines');
  const means = walshAverages(logarithms);
  const { cut, confidence } = tail(pairs);
  return {
    median: Math.exp((means[(means.length - 1) >> 1] + means[means.length >> 1]) / 2),
    low: Math.exp(means[cut]),
    high: Math.exp(means[means.length - 1 - cut]),
    confidence,
    pairs,
  };
}

/** Whether its interval holds the true ratio with 95 %, as none of fewer than 6 pairs does. */
export function isSure({ confidence }: Pick<Ratio, 'confidence'>): boolean {
  return confidence >= CONFIDENCE;
}

/** The mean of every two of some numbers, each with itself too, in ascending order. */
function walshAverages(numbers: readonly number[]): Float64Array {
  const means = new Float64Array((numbers.length * (numbers.length + 1)) / 2);
  let at = 0;
  for (let i = 0; i < numbers.length; i++) {
    for (let j = i; j < numbers.length; j++) means[at++] = (numbers[i] + numbers[j]) / 2;
  }
  return means.sort();
}

/** How many means lie outside of the interval at either end, and what confidence that leaves. */
function tail(pairs: number): { cut: number; confidence: number } {
  if (pairs > EXACT_PAIRS) {
    const deviation = Math.sqrt((pairs * (pairs + 1) * (2 * pairs + 1)) / 24);
    return { cut: Math.floor((pairs * (pairs + 1)) / 4 - NORMAL_95 * deviation) - 1, confidence: CONFIDENCE };
  }
  const chances = signedRankChances(pairs);
  let below = 0;
  let cut = 0;
  while (below + chances[cut] <= (1 - CONFIDENCE) / 2) below += chances[cut++];
  // Of fewer than 6 pairs even the whole range is less sure than that.
  return cut === 0 ? { cut, confidence: 1 - 2 * chances[0] } : { cut: cut - 1, confidence: 1 - 2 * below };
}

/** The chance of each sum of ranks 1 to `pairs` where each is in it or not, like a coin. */
function signedRankChances(pairs: number): Float64Array {
  const chances = new Float64Array((pairs * (pairs + 1)) / 2 + 1);
  chances[0] = 1;
  for (let rank = 1, most = 0; rank <= pairs; rank++) {
    most += rank;
    for (let sum = most; sum >= 0; sum--) {
      chances[sum] = (chances[sum] + (sum >= rank ? chances[sum - rank] : 0)) / 2;
    }
  }
  return chances;
}

/** With two places each, `1.52 [1.40, 1.66]`: narrow enough for several in a line of 100 columns. */
export function ratioText({ median, low, high }: Pick<Ratio, 'median' | 'low' | 'high'>): string {
  return `${median.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
}
