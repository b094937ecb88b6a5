import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDraw, createPicker, PATTERNS } from '../../../src/experiments/shared/pmbench/access-pattern.js';

const DRAWS = 20_000;

function pick(pattern: (typeof PATTERNS)[number], pages: number, seed: number): number[] {
  const next = createPicker(pattern, pages, createDraw(seed));
  return Array.from({ length: DRAWS }, next);
}

describe('the pages that pmbench accesses', () => {
  it.each(PATTERNS)('%s: are in the area, whatever its size', (pattern) => {
    const areInside = (pages: number, seed: number) =>
      pick(pattern, pages, seed).every((page) => Number.isInteger(page) && page >= 0 && page < pages);
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 20 }), fc.nat(63), areInside), { numRuns: 50 });
  });

  it('uniform: all alike', () => {
    const counts = new Array<number>(10).fill(0);
    for (const page of pick('uniform', 10, 1)) counts[page]++;
    for (const count of counts) expect(count / DRAWS).toBeCloseTo(0.1, 1);
  });

  it('normal: around the middle, two thirds of them within a sixth of the area', () => {
    const pages = pick('normal', 6000, 1);
    expect(pages.reduce((sum, page) => sum + page, 0) / DRAWS / 6000).toBeCloseTo(0.5, 2);
    expect(pages.filter((page) => page >= 2000 && page < 4000).length / DRAWS).toBeCloseTo(0.68, 1);
  });

  it('linear: one after the other, and round again', () => {
    const pages = pick('linear', 7, 1);
    expect(pages.slice(1).every((page, i) => page === (pages[i] + 1) % 7)).toBe(true);
  });
});
