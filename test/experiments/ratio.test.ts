import fc from 'fast-check';
import { type Ratio, ratioOf } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';
import { errno } from '../support/errors.js';

/** Differences are ratios of powers: what is published of differences holds for the logarithms. */
const powers = (exponents: readonly number[]) => exponents.map(Math.exp);
const logarithms = ({ median, low, high }: Ratio) => [median, low, high].map(Math.log);
const ones = (count: number) => new Array<number>(count).fill(1);
const rising = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe('published examples', () => {
  it('depression scores of nine patients: 0.46, from 0.010 to 0.786, at 96.1 %', () => {
    // Hollander and Wolfe, Nonparametric Statistical Methods, table 3.1 and its examples; the data of R's ?wilcox.test, which
    // with conf.int = TRUE has the same three figures.
    const first = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
    const second = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29];
    const ratio = ratioOf(powers(first), powers(second));
    const [median, low, high] = logarithms(ratio);
    expect(median).toBeCloseTo(0.46, 9);
    expect(low).toBeCloseTo(0.01, 9);
    expect(high).toBeCloseTo(0.786, 9);
    expect(ratio.confidence).toBeCloseTo(0.961, 3);
  });

  it('September temperatures of nine days: 28', () => {
    // Stephenson, Iowa State University, Stat 403, "Walsh averages with ties": the 23rd of 45.
    const temperatures = [31, 32, 20, 36, 23, 24, 27, 28, 30];
    expect(logarithms(ratioOf(powers(temperatures), ones(9)))[0]).toBeCloseTo(28, 9);
  });

  it.each([
    // Wilcoxon and Wilcox, Some Rapid Approximate Statistical Procedures, 1964: the largest sum of ranks that is significant at
    // 5 % on both sides. The interval leaves out as many means at either end.
    [6, 0],
    [7, 2],
    [8, 3],
    [9, 5],
    [10, 8],
    [12, 13],
    [15, 25],
    [20, 52],
    [25, 89],
    [30, 137],
    [50, 434],
  ])('of %i pairs the interval leaves %i means out at either end', (pairs, critical) => {
    const exponents = rising(pairs);
    const [, low, high] = logarithms(ratioOf(powers(exponents.map((x) => x / 100)), ones(pairs)));
    const means = exponents.flatMap((a, i) => exponents.slice(i).map((b) => (a + b) / 200)).sort((a, b) => a - b);
    expect(low).toBeCloseTo(means[critical] as number, 9);
    expect(high).toBeCloseTo(means[means.length - 1 - critical] as number, 9);
  });
});

it.each([
  [1, 0],
  [2, 0.5],
  [5, 1 - 2 / 2 ** 5],
  [6, 1 - 2 / 2 ** 6],
])('%i pairs have the whole range, at a confidence of %f', (pairs, confidence) => {
  const ratio = ratioOf(rising(pairs), ones(pairs));
  expect([ratio.low, ratio.high]).toEqual([expect.closeTo(1, 9), expect.closeTo(pairs, 9)]);
  expect(ratio).toMatchObject({ confidence: expect.closeTo(confidence, 9), pairs });
});

it('from 60 pairs to 61, where the normal distribution takes over, the interval hardly changes', () => {
  const width = (pairs: number) => {
    const exponents = Array.from({ length: pairs }, (_, i) => i / (pairs - 1));
    const [, low, high] = logarithms(ratioOf(powers(exponents), ones(pairs))) as [number, number, number];
    return high - low;
  };
  const narrower = width(61) / width(60);
  // By the root of the pairs alone 0.992.
  expect(narrower).toBeGreaterThan(0.975);
  expect(narrower).toBeLessThan(1.005);
});

const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
const pairsOf = fc.array(fc.tuple(positive, positive), { minLength: 1, maxLength: 70 });

it('turned round it is the other way round', () => {
  fc.assert(
    fc.property(pairsOf, (pairs) => {
      const [a, b] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
      const [there, back] = [ratioOf(a, b), ratioOf(b, a)];
      expect(there.median * back.median).toBeCloseTo(1, 9);
      expect(there.low * back.high).toBeCloseTo(1, 9);
      expect(there.high * back.low).toBeCloseTo(1, 9);
    }),
    { numRuns: 50 },
  );
});

it('grows with the values, and holds its own median', () => {
  fc.assert(
    fc.property(pairsOf, positive, (pairs, factor) => {
      const [a, b] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
      const [once, scaled] = [
        ratioOf(a, b),
        ratioOf(
          a.map((value) => value * factor),
          b,
        ),
      ];
      expect(Math.log(scaled.median) - Math.log(once.median)).toBeCloseTo(Math.log(factor), 9);
      expect(Math.log(scaled.low) - Math.log(once.low)).toBeCloseTo(Math.log(factor), 9);
      expect(once.low).toBeLessThanOrEqual(once.median * (1 + 1e-12));
      expect(once.high).toBeGreaterThanOrEqual(once.median * (1 - 1e-12));
    }),
    { numRuns: 50 },
  );
});

it('one run that was disturbed hardly moves it', () => {
  const values = [1.02, 0.99, 1.01, 0.98, 1, 1.03, 0.97, 1.01, 0.99, 1000];
  const { median, high } = ratioOf(values, ones(10));
  expect(median).toBeLessThan(1.03);
  expect(high).toBeLessThan(35);
});

/** Numbers from 0 to 1, the same every time (a linear congruence, of Numerical Recipes). */
function createDraw(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

it.each([8, 20, 70])('the interval of %i pairs holds the true ratio as often as it says', (pairs) => {
  const draw = createDraw(1);
  const rounds = 600;
  let held = 0;
  let confidence = 0;
  for (let round = 0; round < rounds; round++) {
    // Two exponentials: skewed each, and the ratio's logarithm symmetric around that of 2.
    const values = Array.from({ length: pairs }, () => -2 * Math.log(1 - draw()) + 1e-9);
    const baselines = Array.from({ length: pairs }, () => -Math.log(1 - draw()) + 1e-9);
    const { low, high, confidence: said } = ratioOf(values, baselines);
    if (low <= 2 && 2 <= high) held++;
    confidence = said;
  }
  // Three standard deviations of 600 rounds are 2.7 %.
  expect(Math.abs(held / rounds - confidence)).toBeLessThan(0.027);
});

it.each([
  ['nothing', [], []],
  ['unequal numbers', [1, 2], [1]],
  ['a zero', [1, 0], [1, 1]],
  ['a zero below', [1, 1], [1, 0]],
  ['less than nothing', [1, -1], [1, 1]],
])('of %s there is no ratio', (_what, values, baselines) => {
  expect(() => ratioOf(values, baselines)).toThrow(errno('EINVAL'));
});
