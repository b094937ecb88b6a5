import { describe, expect, it } from 'vitest';
import { seededRandom } from '#src/random.js';
import { MIN_ROUNDS } from '../../../src/experiments/shared/in-turns.js';
import { type Race, race } from '../../../src/experiments/tune/race.js';

/** So many nanoseconds, and up to `spread` of them more or less each time, by chance. */
const about = (ns: number, spread: number, seed: number) => {
  const random = seededRandom(seed);
  return async () => ns * (1 + spread * (2 * random() - 1));
};
const runners = (times: readonly number[], spread = 0.01) =>
  times.map((ns, i) => ({ name: String(i), settings: { cost: i }, run: about(ns, spread, i + 1) }));
const costOf = ({ cost }: { cost: number }) => [cost];
const roundsOf = async (length: Race, ...args: Parameters<typeof runners>) =>
  (await race(runners(...args), costOf, length, {})).map(({ samplesNs: [samples] }) => samples.length);

describe('a race', () => {
  it('ends with whoever is left, once the others are surely slower', async () => {
    expect(await roundsOf({ seconds: 60, bound: 0 }, [200, 100, 300])).toEqual([MIN_ROUNDS, MIN_ROUNDS, MIN_ROUNDS]);
  });

  it('goes on with those that may be chosen: the fastest, and what costs least and may be as fast', async () => {
    const rounds = await roundsOf({ seconds: 60, bound: 0.05 }, new Array(9).fill(100), 0.2);
    const most = Math.max(...rounds);
    expect(most).toBeGreaterThan(MIN_ROUNDS);
    expect(rounds[0]).toBe(most);
    // Nobody is surely slower, but whoever costs more than one that was faster gains nothing.
    expect(rounds.filter((count) => count === MIN_ROUNDS).length).toBeGreaterThanOrEqual(4);
  });

  it('ends when its time is over', async () => {
    expect(await roundsOf({ seconds: 1e-6, bound: 0 }, [100, 100], 0.2)).toEqual([MIN_ROUNDS, MIN_ROUNDS]);
  });

  it('ends with whole rounds when it is aborted', async () => {
    const controller = new AbortController();
    let begun = 0;
    const onProgress = () => {
      // Two runs warm up, then two rounds, and one run of the next.
      if (++begun === 7) controller.abort();
    };
    const measured = await race(
      runners([100, 100]),
      costOf,
      { seconds: 60, bound: 0 },
      {
        signal: controller.signal,
        onProgress,
      },
    );
    expect(measured.map(({ samplesNs: [samples] }) => samples.length)).toEqual([2, 2]);
  });
});
