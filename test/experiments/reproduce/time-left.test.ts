import { createTimeLeft } from 'mtcopy/experiments';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

let now = 0;
beforeEach(() => {
  now = 5000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
});
afterEach(() => vi.restoreAllMocks());
const at = (done: number, runs = 10) => ({ done, runs, what: 'run' });

it('is what the table has left, and what those after it have', () => {
  const left = createTimeLeft(100, 2);
  expect(left(at(0))).toBe(300);
  now += 30_000;
  expect(left(at(8))).toBe(270);
});

it('is what the rounds take that are made in any case, where that is longer', () => {
  const left = createTimeLeft(10, 1);
  left(at(0));
  now += 40_000;
  // Forty seconds for four runs: sixty for the six that are left.
  expect(left(at(4))).toBe(60 + 10);
});

it('counts each part by itself, from its own begin', () => {
  const left = createTimeLeft(10, 0);
  left(at(0));
  now += 40_000;
  expect(left(at(0))).toBe(0);
  now += 2000;
  expect(left(at(2))).toBe(8);
});
