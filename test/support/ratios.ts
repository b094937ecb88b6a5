import type { Ratio } from 'mtcopy/experiments';

/** A made-up ratio of six pairs, in the middle of its interval. */
export const ratio = (low: number, high: number): Ratio => ({
  median: (low + high) / 2,
  low,
  high,
  confidence: 0.95,
  pairs: 6,
});
