import fc from 'fast-check';
import type { CopyItems } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { planDynamic } from '#src/copy/batch/plan.js';
import { batches, byteMap, descriptorsOf, rangesOf, sourcesAreRight } from '../../support/batches.js';

function room(capacity: number): { descriptors: Uint32Array; source: Uint32Array } {
  return { descriptors: new Uint32Array(capacity * 3), source: new Uint32Array(capacity) };
}

/** Pieces long enough for at most 64 an item, and room for the longest item and a little more. */
function limits({ bytes }: CopyItems, piece: number, extra: number): { pieceBytes: number; capacity: number } {
  const longest = bytes.reduce((max, length) => Math.max(max, length), 1);
  const pieceBytes = Math.max(piece, Math.ceil(longest / 64));
  return { pieceBytes, capacity: Math.ceil(longest / pieceBytes) + extra };
}

describe('planDynamic', () => {
  it('puts every byte in exactly one descriptor, window after window', () => {
    let windows = 0;
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 2 ** 20 }), fc.nat(40), (items, piece, extra) => {
        const { pieceBytes, capacity } = limits(items, piece, extra);
        const end = items.to.length;
        const planned: (readonly [number, number, number])[] = [];
        for (let first = 0; first < end; windows++) {
          const target = room(capacity);
          const { used, next, bytes } = planDynamic(target, items, first, end, pieceBytes);
          expect(next).toBeGreaterThan(first);
          expect(used).toBeLessThanOrEqual(capacity);
          const words = target.descriptors.subarray(0, used * 3);
          const pieces = Array.from(descriptorsOf(words));
          expect(pieces.every(([, , length]) => length > 0 && length <= pieceBytes)).toBe(true);
          expect(pieces.reduce((sum, [, , length]) => sum + length, 0)).toBe(bytes);
          expect(sourcesAreRight(words, target.source.subarray(0, used), items)).toBe(true);
          expect(byteMap(pieces)).toBe(byteMap(rangesOf(items, first, next)));
          planned.push(...pieces);
          first = next;
        }
        expect(byteMap(planned)).toBe(byteMap(rangesOf(items)));
      }),
      { numRuns: 200 },
    );
    expect(windows).toBeGreaterThan(200);
  });

  it('plans the items from first up to end alone', () => {
    fc.assert(
      fc.property(batches, fc.nat(), fc.nat(), (items, a, b) => {
        const count = items.to.length;
        const first = Math.min(a % count, b % count);
        const end = Math.max(a % count, b % count);
        const { pieceBytes } = limits(items, 65536, 0);
        const target = room(64 * count);
        const { used, next } = planDynamic(target, items, first, end, pieceBytes);
        expect(next).toBe(end);
        expect(byteMap(descriptorsOf(target.descriptors, 0, used))).toBe(byteMap(rangesOf(items, first, end)));
      }),
      { numRuns: 50 },
    );
  });

  it('merges touching neighbours up to a piece and no further', () => {
    const pages = Uint32Array.from({ length: 40 }, (_, i) => i * 4096);
    const items = { to: pages.map((at) => at + 2 ** 24), from: pages, bytes: new Uint32Array(40).fill(4096) };
    const target = room(40);
    expect(planDynamic(target, items, 0, 40, 65536)).toEqual({ used: 3, next: 40, bytes: 40 * 4096 });
    expect(Array.from(descriptorsOf(target.descriptors, 0, 3), ([, , bytes]) => bytes)).toEqual([65536, 65536, 32768]);
    expect(target.source.slice(0, 3)).toEqual(Uint32Array.of(0, 16, 32));
  });

  it('cuts an item that ends at the last address', () => {
    const items = { to: Uint32Array.of(2 ** 32 - 8192), from: Uint32Array.of(4096), bytes: Uint32Array.of(8192) };
    const target = room(2);
    expect(planDynamic(target, items, 0, 1, 4096)).toEqual({ used: 2, next: 1, bytes: 8192 });
    expect(Array.from(descriptorsOf(target.descriptors))).toEqual([
      [2 ** 32 - 8192, 4096, 4096],
      [2 ** 32 - 4096, 8192, 4096],
    ]);
  });
});
