import fc from 'fast-check';
import { choose, type Measured } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';

interface Threads {
  readonly threads: number;
}

const costOf = ({ threads }: Threads) => [threads];
/** Rounds of 100 ns, each a little apart from the others: `spread` of 0.1 is up to 10 % more or less. */
const NOISE = [0.9, -0.7, 0.2, -1, 0.5, 0.1, -0.4, 0.8, -0.2, 0.3, -0.9, 0.6];
const rounds = (speed: number, spread: number, shift = 0) =>
  NOISE.map((_, i) => (100 / speed) * (1 + spread * NOISE[(i + shift) % NOISE.length]));
/** What was measured, by threads, in rounds of its own noise. */
const measured = (speeds: Readonly<Record<number, number>>, spread: number): Measured<Threads>[] =>
  Object.entries(speeds).map(([threads, speed], i) => ({
    settings: { threads: Number(threads) },
    samplesNs: [rounds(speed, spread, 5 * i)],
  }));

describe('the setting that is chosen', () => {
  it('is the fastest, if the gain is beyond the noise', () => {
    const choice = choose(measured({ 1: 1, 2: 1.3, 4: 1.6 }, 0.05), costOf);
    expect(choice?.chosen).toEqual({ threads: 4 });
    expect(choice?.fastest).toBe(choice?.chosen);
    expect(choice?.ofFastest).toMatchObject({ median: 1, low: 1, high: 1, pairs: NOISE.length });
  });

  it('has fewer threads, if the gain is within the noise', () => {
    const choice = choose(measured({ 1: 1, 2: 1.5, 4: 1.51 }, 0.05), costOf);
    expect(choice).toMatchObject({ chosen: { threads: 2 }, fastest: { threads: 4 } });
    expect(choice?.ofFastest.high).toBeGreaterThanOrEqual(1);
    expect(choice?.ofFastest.median).toBeLessThan(1);
  });

  it('differs for the same gain, by how much noise there is', () => {
    const gain = { 1: 1, 2: 1.01 };
    expect(choose(measured(gain, 0.001), costOf)?.chosen).toEqual({ threads: 2 });
    expect(choose(measured(gain, 0.1), costOf)?.chosen).toEqual({ threads: 1 });
  });

  it('has the fewest of all that are within the noise, in whichever order they were measured', () => {
    const all = measured({ 1: 0.5, 2: 1.2, 3: 1.21, 4: 1.22, 8: 1.22 }, 0.1);
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (order) => {
        expect(choose(order, costOf)?.chosen).toEqual({ threads: 2 });
      }),
    );
  });

  it('is the fastest if more threads are not faster, and cost counts in order', () => {
    expect(choose(measured({ 1: 1.5, 2: 1 }, 0.01), costOf)?.chosen).toEqual({ threads: 1 });
    const same = [
      { settings: { threads: 2, extra: 0 }, samplesNs: [rounds(1, 0)] },
      { settings: { threads: 1, extra: 9 }, samplesNs: [rounds(1, 0)] },
      { settings: { threads: 1, extra: 1 }, samplesNs: [rounds(1, 0)] },
    ];
    const choice = choose(same, ({ threads, extra }) => [threads, extra]);
    expect(choice?.chosen).toEqual({ threads: 1, extra: 1 });
  });

  it('is nearly as fast by the median too, for where little is known every interval reaches 1', () => {
    const two = (speed: number) => [
      { settings: { threads: 2 }, samplesNs: [rounds(1, 0.3)] },
      { settings: { threads: 1 }, samplesNs: [rounds(speed, 0.3, 5)] },
    ];
    // 0.91 [0.79, 1.01] and 0.99 [0.86, 1.10].
    expect(choose(two(0.9), costOf)?.chosen).toEqual({ threads: 2 });
    expect(choose(two(0.98), costOf)).toMatchObject({ chosen: { threads: 1 }, fastest: { threads: 2 } });
  });

  it('counts rounds that were made side by side alone: who left early is compared in its own', () => {
    // The second half of the rounds was made while the machine was ten times as slow.
    const slow = [...rounds(1, 0.01), ...rounds(0.1, 0.01)];
    const choice = choose(
      [
        { settings: { threads: 2 }, samplesNs: [slow] },
        { settings: { threads: 1 }, samplesNs: [rounds(0.5, 0.01)] },
      ],
      costOf,
    );
    expect(choice?.chosen).toEqual({ threads: 2 });
  });

  it('is chosen over several sizes together', () => {
    const choice = choose(
      [
        { settings: { threads: 1 }, samplesNs: [rounds(1, 0.01), rounds(1, 0.01)] },
        { settings: { threads: 2 }, samplesNs: [rounds(1.5, 0.01), rounds(1.4, 0.01)] },
        { settings: { threads: 3 }, samplesNs: [rounds(1.2, 0.01), []] },
      ],
      costOf,
    );
    expect(choice?.chosen).toEqual({ threads: 2 });
  });

  it('counts every size as much, also where one left early in that in which it is slow', () => {
    const often = (speed: number) => Array.from({ length: 5 }, (_, i) => rounds(speed, 0.01, i)).flat();
    const choice = choose(
      [
        { settings: { threads: 1 }, samplesNs: [often(1), often(1)] },
        { settings: { threads: 2 }, samplesNs: [rounds(0.3, 0.01), often(1.25)] },
      ],
      costOf,
    );
    expect(choice).toMatchObject({ chosen: { threads: 1 }, fastest: { threads: 1 } });
  });

  it('is none where nothing was measured', () => {
    expect(choose([], costOf)).toBeUndefined();
    expect(choose([{ settings: { threads: 1 }, samplesNs: [[]] }], costOf)).toBeUndefined();
  });
});
