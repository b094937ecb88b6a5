import { describe, expect, it } from 'vitest';
import { seededRandom } from '#src/random.js';
import { MIN_ROUNDS } from '../../../src/experiments/shared/in-turns.js';
import { choose } from '../../../src/experiments/tune/choose.js';
import { type Race, race } from '../../../src/experiments/tune/race.js';

/** So many nanoseconds, and up to `spread` of them more or less each time, by chance. */
const about = (ns: number, spread: number, seed: number) => {
  const random = seededRandom(seed);
  return async () => ns * (1 + spread * (2 * random() - 1));
};
const runners = (times: readonly number[], spread = 0.01) =>
  times.map((ns, i) => ({ name: String(i), settings: { cost: i }, run: about(ns, spread, i + 1) }));
const costOf = ({ cost }: { cost: number }) => [cost];
const roundsOf = async (length: Omit<Race, 'warmUps'>, ...args: Parameters<typeof runners>) =>
  (await race(runners(...args), costOf, { ...length, warmUps: 1 }, {})).map(
    ({ samplesNs: [samples] }) => samples.length,
  );

describe('a race', () => {
  it('ends with whoever is left, once the others are surely slower', async () => {
    expect(await roundsOf({ seconds: 60, bound: 0 }, [200, 100, 300])).toEqual([MIN_ROUNDS, MIN_ROUNDS, MIN_ROUNDS]);
  });

  it('goes on with those that may be chosen: the fastest, and what costs least and may be as fast', async () => {
    const rounds = await roundsOf({ seconds: 60, bound: 0.05 }, new Array(9).fill(100), 0.2);
    const most = Math.max(...rounds);
    expect(most).toBeGreaterThan(MIN_ROUNDS);
    expect(rounds[0]).toBe(most);
    // Nobody is surely slower, but of the slowest whoever costs more than one that was faster gains nothing.
    const left = rounds.filter((count) => count === MIN_ROUNDS).length;
    expect(left).toBeGreaterThanOrEqual(1);
    expect(left).toBeLessThanOrEqual(3);
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
      { seconds: 60, bound: 0, warmUps: 1 },
      {
        signal: controller.signal,
        onProgress,
      },
    );
    expect(measured.map(({ samplesNs: [samples] }) => samples.length)).toEqual([2, 2]);
  });

  it('warms up as often as it is told', async () => {
    let runs = 0;
    const counting = runners([100, 200]).map((runner) => ({
      ...runner,
      run: () => {
        runs++;
        return runner.run();
      },
    }));
    await race(counting, costOf, { seconds: 60, bound: 0, warmUps: 3 }, {});
    expect(runs).toBe(2 * (3 + MIN_ROUNDS));
  });
});

/** Runs that are now and then disturbed, at a speed of their own, all alike slower or faster from one round to the next. */
function noisyRunners(speeds: readonly number[], seed: number) {
  const random = seededRandom(seed);
  const bell = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return speeds.map((speed, cost) => ({
    name: String(cost),
    settings: { cost, speed },
    run: async () => (100 / speed) * Math.exp(0.05 * bell() + (random() < 0.08 ? Math.abs(0.3 * bell()) : 0)),
  }));
}

it('what a race chooses has 0.97 of the best nineteen times in twenty', async () => {
  const random = seededRandom(11);
  let good = 0;
  const RACES = 40;
  for (let i = 0; i < RACES; i++) {
    // Alike as settings are: the more threads, the faster by a little.
    const speeds = Array.from({ length: 12 }, (_, cost) => 1 + 0.02 * cost * random() + 0.05 * random());
    const measured = await race(noisyRunners(speeds, i + 1), costOf, { seconds: 60, bound: 0.015, warmUps: 0 }, {});
    const speed = choose(measured, costOf)?.chosen.speed ?? 0;
    if (speed >= 0.97 * Math.max(...speeds)) good++;
  }
  expect(good).toBeGreaterThanOrEqual(0.95 * RACES);
});
