import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IovaAllocator } from '#src/dma/iova.js';

const SPACE = 64;

it('ranges in use never overlap, and what is free is found when it is in one piece', () => {
  const step = fc.record({ pages: fc.integer({ min: 1, max: 20 }), frees: fc.nat({ max: 3 }), which: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const allocator = new IovaAllocator(1, 1 + SPACE);
      const used: { first: number; pages: number }[] = [];
      for (const { pages, frees, which } of steps) {
        const first = allocator.alloc(pages);
        if (first < 0) expect(longestFree(used)).toBeLessThan(pages);
        else {
          expect(first).toBeGreaterThanOrEqual(1);
          expect(first + pages).toBeLessThanOrEqual(1 + SPACE);
          for (const other of used) {
            expect(first >= other.first + other.pages || other.first >= first + pages).toBe(true);
          }
          used.push({ first, pages });
        }
        for (let i = 0; i < frees && used.length > 0; i++) {
          const [gone] = used.splice(which % used.length, 1);
          allocator.free(gone.first, gone.pages);
        }
      }
      for (const { first, pages } of used) allocator.free(first, pages);
      expect(allocator.alloc(SPACE)).toBe(1);
    }),
  );
});

function longestFree(used: readonly { first: number; pages: number }[]): number {
  const isUsed = new Array(SPACE).fill(false);
  for (const { first, pages } of used) isUsed.fill(true, first - 1, first - 1 + pages);
  let longest = 0;
  let run = 0;
  for (const one of isUsed) {
    run = one ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  return longest;
}
