import { describe, expect, it, vi } from 'vitest';
import { seededRandom } from '#src/random.js';
import { MIN_ROUNDS } from '../../../src/experiments/shared/in-turns.js';
import { choose } from '../../../src/experiments/tune/choose.js';
import { type Place, type Race, type Runner, race } from '../../../src/experiments/tune/race.js';

/** So many nanoseconds, and up to `spread` of them more or less each time, by chance. */
const about = (ns: number, spread: number, seed: number) => {
  const random = seededRandom(seed);
  return async () => ns * (1 + spread * (2 * random() - 1));
};
const runners = (times: readonly number[], spread = 0.01) =>
  times.map((ns, i) => ({ name: String(i), settings: { cost: i }, run: about(ns, spread, i + 1) }));
/** The same runners in every heat. */
const everywhere =
  <Settings>(all: readonly Runner<Settings>[]): Place<Settings> =>
  (settings, measure) =>
    measure(all.filter((one) => settings.includes(one.settings)));
const settingsOf = <Settings>(all: readonly Runner<Settings>[]) => all.map(({ settings }) => settings);
const costOf = ({ cost }: { cost: number }) => [cost];
const roundsOf = async (length: Omit<Race, 'warmUps'>, ...args: Parameters<typeof runners>) => {
  const all = runners(...args);
  const measured = await race(settingsOf(all), everywhere(all), costOf, { ...length, warmUps: 1 }, {});
  return measured.map(({ samplesNs: [samples] }) => samples.length);
};

describe('a race', () => {
  it('ends with whoever is left, once the others are surely slower', async () => {
    expect(await roundsOf({ seconds: 5, bound: 0 }, [200, 100, 300])).toEqual([MIN_ROUNDS, MIN_ROUNDS, MIN_ROUNDS]);
  });

  it('goes on with those that may be chosen: the fastest, and what costs least and may be as fast', async () => {
    const rounds = await roundsOf({ seconds: 5, bound: 0.05 }, new Array(9).fill(100), 0.2);
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
    const all = runners([100, 100]);
    const measured = await race(
      settingsOf(all),
      everywhere(all),
      costOf,
      { seconds: 5, bound: 0, warmUps: 1 },
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
    await race(settingsOf(counting), everywhere(counting), costOf, { seconds: 5, bound: 0, warmUps: 3 }, {});
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
    const all = noisyRunners(speeds, i + 1);
    const length = { seconds: 5, bound: 0.015, warmUps: 0 };
    const measured = await race(settingsOf(all), everywhere(all), costOf, length, {});
    const speed = choose(measured, costOf)?.chosen.speed ?? 0;
    if (speed >= 0.97 * Math.max(...speeds)) good++;
  }
  expect(good).toBeGreaterThanOrEqual(0.95 * RACES);
});

/** Numbers around 0, two thirds of them within 1 of it. */
function bellOf(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Settings that are faster or slower in one memory than in another, each by itself: by so much two times of three. Runs in one
 * memory are all alike, but for a hundredth.
 */
function lucky(speeds: readonly number[], luck: number, seed: number): { all: Tuned[]; place: Place<Tuned> } {
  const bell = bellOf(seededRandom(seed));
  const place: Place<Tuned> = (settings, measure) =>
    measure(
      settings.map((one) => {
        const here = (100 / one.speed) * Math.exp(luck * bell());
        return { name: String(one.cost), settings: one, run: async () => here * Math.exp(0.01 * bell()) };
      }),
    );
  return { all: speeds.map((speed, cost) => ({ cost, speed })), place };
}
interface Tuned {
  readonly cost: number;
  readonly speed: number;
}

describe('where the speed depends on the memory', () => {
  /** Goes by heats, as if each took a second. */
  const raceFor = async ({ all, place }: ReturnType<typeof lucky>, heats: number) => {
    let now = 0;
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
    const timed: Place<Tuned> = (settings, measure) => {
      now += 1000;
      return place(settings, measure);
    };
    try {
      return await race(all, timed, costOf, { seconds: heats, bound: 0.01, warmUps: 0 }, {});
    } finally {
      clock.mockRestore();
    }
  };

  it('each heat is in another one, with those alone who are left', async () => {
    const asked: number[] = [];
    const { all, place } = lucky([1, 1.01, 0.99, 0.3, 0.31, 0.32], 0.02, 5);
    const counting: Place<Tuned> = (settings, measure) => {
      asked.push(settings.length);
      return place(settings, measure);
    };
    const measured = await raceFor({ all, place: counting }, 4);
    expect(asked.length).toBe(4);
    expect(asked.slice(0, 2)).toEqual([6, 3]);
    const rounds = measured.map(({ samplesNs: [samples] }) => samples.length / MIN_ROUNDS);
    expect(rounds.slice(3)).toEqual([1, 1, 1]);
    expect(Math.max(...rounds)).toBe(4);
  });

  it('one that is slower in the first memory, but not by much, is seen in others', async () => {
    // The first is slower where both begin, by less than other memory may make up for, and faster anywhere else.
    let heat = 0;
    const place: Place<Tuned> = (settings, measure) => {
      const first = heat++ === 0;
      return measure(
        settings.map((one) => {
          const ns = one.cost === 0 ? (first ? 104 : 95) : 100;
          return { name: String(one.cost), settings: one, run: about(ns, 0.001, one.cost + 1) };
        }),
      );
    };
    const all = [0, 1].map((cost) => ({ cost, speed: 1 }));
    const measured = await raceFor({ all, place }, 5);
    expect(choose(measured, costOf)).toMatchObject({ chosen: { cost: 0 }, fastest: { cost: 0 } });
  });

  it('no race ends after fewer than three memories because all is narrow in those', async () => {
    let heats = 0;
    const { all, place } = lucky([1, 1.001], 0, 3);
    const counting: Place<Tuned> = (settings, measure) => {
      heats++;
      return place(settings, measure);
    };
    const measured = await race(all, counting, costOf, { seconds: 5, bound: 0.5, warmUps: 0 }, {});
    expect([heats, measured[0].samplesNs[0].length]).toEqual([3, 3 * MIN_ROUNDS]);
  });

  it('what is chosen has 0.97 of the best nine times in ten, as rounds in one memory alone do not', async () => {
    const random = seededRandom(23);
    const RACES = 60;
    const good = { many: 0, one: 0 };
    for (let i = 0; i < RACES; i++) {
      const speeds = Array.from({ length: 12 }, (_, cost) => 1 + 0.02 * cost * random() + 0.05 * random());
      const best = Math.max(...speeds);
      const here = lucky(speeds, 0.03, i + 1);
      const many = choose(await raceFor(here, 6), costOf)?.chosen.speed ?? 0;
      if (many >= 0.97 * best) good.many++;
      // As long, in the memory of the first heat.
      const kept = await here.place(here.all, async (runners) => runners);
      const one = choose(await raceFor({ ...here, place: everywhere(kept) }, 6), costOf)?.chosen.speed ?? 0;
      if (one >= 0.97 * best) good.one++;
    }
    console.log(`of ${RACES}: ${good.many} in six memories, ${good.one} in one`);
    expect(good.many).toBeGreaterThanOrEqual(0.9 * RACES);
    expect(good.one).toBeLessThan(good.many);
  });
});
