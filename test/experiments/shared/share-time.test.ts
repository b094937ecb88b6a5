import { shareTime } from 'mtcopy/experiments';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

let now = 0;
beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());

it('gives parts that take their share as much each', () => {
  const next = shareTime(30, 3);
  for (let part = 0; part < 3; part++) {
    expect(next()).toBe(10);
    now += 10_000;
  }
});

it('gives the next ones what a part has left, and takes from them what it took beyond its share', () => {
  const next = shareTime(30, 3);
  expect(next()).toBe(10);
  now += 2000;
  expect(next()).toBe(14);
  now += 20_000;
  expect(next()).toBe(8);
});

it('has nothing left once it is over', () => {
  const next = shareTime(1, 2);
  now += 5000;
  expect([next(), next(), next()]).toEqual([0, 0, 0]);
});
