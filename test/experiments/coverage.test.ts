import { ratioOf, runInTurns } from 'mtcopy/experiments';
import { expect, it } from 'vitest';
import { seededRandom } from '#src/random.js';

const TRIALS = 2000;

/** Runs that all take as long, but for lognormal noise of 10 %. */
function noisyRuns(seed: number): () => number {
  const random = seededRandom(seed);
  const bell = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return () => 100 * Math.exp(0.1 * bell());
}

/** The part of the intervals that hold the true ratio, which is 1. */
async function coverage(measure: (run: () => number) => Promise<readonly number[][]>): Promise<number> {
  const run = noisyRuns(5);
  let held = 0;
  for (let i = 0; i < TRIALS; i++) {
    const [baseline, values] = await measure(run);
    const { low, high } = ratioOf(values, baseline);
    if (low <= 1 && high >= 1) held++;
  }
  return held / TRIALS;
}

const untilNarrow = (bound: number) => (run: () => number) => {
  const variants = ['A', 'B'].map((name) => ({ name, run: async () => run() }));
  return runInTurns(variants, (ns) => ns, { warmUps: 0, seconds: 1e9, bound });
};

it.each([
  [0.1, 0.93, 0.945],
  [0.07, 0.925, 0.945],
])(
  'intervals that runs were made for until they were within ±%f hold the true ratio less often',
  async (bound, least, most) => {
    const part = await coverage(untilNarrow(bound));
    expect(part).toBeGreaterThan(least);
    expect(part).toBeLessThan(most);
  },
);

it('those of rounds whose number was fixed before hold it in 95 of 100', async () => {
  const part = await coverage(async (run) => [Array.from({ length: 12 }, run), Array.from({ length: 12 }, run)]);
  // Their confidence is 0.957; three standard deviations of so many trials are 0.014.
  expect(Math.abs(part - 0.957)).toBeLessThan(0.014);
});
