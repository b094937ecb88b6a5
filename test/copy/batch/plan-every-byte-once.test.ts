import fc from 'fast-check';
import { type CopyItems, planCopy } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { batches, byteMap, descriptorsOf, rangesOf, sourcesAreRight } from '../../support/batches.js';

const threadCounts = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 64 }));
const smallBatches = batches.map(({ to, from, bytes }) => {
  const few = 1 + (to.length % 40);
  return { to: to.slice(0, few), from: from.slice(0, few), bytes: bytes.slice(0, few) };
});
/** Half of the batches have few items, so that both distributions come up. */
const cases = [fc.oneof(batches, smallBatches), threadCounts] as const;
const RUNS = { numRuns: 300 };

function oneItem(to: number, from: number, bytes: number): CopyItems {
  return { to: Uint32Array.of(to), from: Uint32Array.of(from), bytes: Uint32Array.of(bytes) };
}

describe('planCopy', () => {
  it('puts every byte in exactly one descriptor', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(...cases, (items, threads) => {
        const before = byteMap(rangesOf(items));
        const plan = planCopy(items, threads);
        seen.add(plan.distribution);
        expect(byteMap(descriptorsOf(plan.descriptors))).toBe(before);
        expect(Array.from(descriptorsOf(plan.descriptors)).every(([, , bytes]) => bytes > 0)).toBe(true);
        expect(sourcesAreRight(plan.descriptors, plan.source, items)).toBe(true);
      }),
      RUNS,
    );
    expect(seen).toEqual(new Set(['chunks', 'folios']));
  });

  it('makes one list a thread, one after the other', () => {
    fc.assert(
      fc.property(...cases, (items, threads) => {
        const { descriptors, source, lists } = planCopy(items, threads);
        expect(lists).toHaveLength(threads + 1);
        expect(lists[0]).toBe(0);
        expect(lists.every((start, thread) => thread === 0 || start >= lists[thread - 1])).toBe(true);
        expect(lists[threads]).toBe(source.length);
        expect(descriptors).toHaveLength(3 * source.length);
      }),
      RUNS,
    );
  });

  it('cuts few items into a chunk a thread, on cache lines of the destination', () => {
    fc.assert(
      fc.property(smallBatches, fc.integer({ min: 1, max: 64 }), (items, threads) => {
        const count = items.to.length;
        fc.pre(count < threads);
        const { distribution, descriptors, lists } = planCopy(items, threads);
        expect(distribution).toBe('chunks');
        const starts = new Set(items.to);
        const ends = new Set(Array.from(rangesOf(items), ([to, , bytes]) => to + bytes));
        const ranges = Array.from(descriptorsOf(descriptors));
        expect(ranges.every(([to]) => to % 64 === 0 || starts.has(to))).toBe(true);
        expect(ranges.every(([to, , bytes]) => (to + bytes) % 64 === 0 || ends.has(to + bytes))).toBe(true);
        const total = items.bytes.reduce((sum, bytes) => sum + bytes, 0);
        for (let thread = 0; thread < threads; thread++) {
          const bytes = ranges.slice(lists[thread], lists[thread + 1]).reduce((sum, range) => sum + range[2], 0);
          // A border lies less than a cache line below its place, and the last chunk takes what division leaves.
          expect(Math.abs(bytes - total / threads)).toBeLessThan(count * (64 + threads));
        }
      }),
      RUNS,
    );
  });

  it('gives whole items in runs, the first n mod threads threads one more', () => {
    fc.assert(
      fc.property(...cases, (items, threads) => {
        const count = items.to.length;
        fc.pre(count >= threads);
        const { distribution, descriptors, lists } = planCopy(items, threads);
        expect(distribution).toBe('folios');
        let first = 0;
        for (let thread = 0; thread < threads; thread++) {
          const end = first + Math.floor(count / threads) + (thread < count % threads ? 1 : 0);
          const list = descriptorsOf(descriptors, lists[thread], lists[thread + 1]);
          expect(byteMap(list)).toBe(byteMap(rangesOf(items, first, end)));
          first = end;
        }
      }),
      RUNS,
    );
  });

  it('leaves the items as they are', () => {
    fc.assert(
      fc.property(...cases, (items, threads) => {
        const before = structuredClone(items);
        planCopy(items, threads);
        expect(items).toEqual(before);
      }),
      { numRuns: 50 },
    );
  });

  it('loses no byte of a 4 KiB folio to 3 threads', () => {
    const plan = planCopy(oneItem(0x10000, 0x50000, 4096), 3);
    expect(Array.from(descriptorsOf(plan.descriptors))).toEqual([
      [0x10000, 0x50000, 1344],
      [0x10000 + 1344, 0x50000 + 1344, 1344],
      [0x10000 + 2688, 0x50000 + 2688, 1408],
    ]);
    expect(plan.lists).toEqual(Uint32Array.of(0, 1, 2, 3));
  });

  it('makes one descriptor of neighbours in a list that touch on both sides', () => {
    const items = {
      to: Uint32Array.of(0x1000, 0x2000, 0x3000, 0x9000),
      from: Uint32Array.of(0x20000, 0x21000, 0x23000, 0x24000),
      bytes: new Uint32Array(4).fill(4096),
    };
    const { descriptors, source } = planCopy(items, 1);
    expect(Array.from(descriptorsOf(descriptors))).toEqual([
      [0x1000, 0x20000, 8192],
      [0x3000, 0x23000, 4096],
      [0x9000, 0x24000, 4096],
    ]);
    expect(source).toEqual(Uint32Array.of(0, 2, 3));
  });

  it('plans nothing for no items', () => {
    const none = new Uint32Array(0);
    const plan = planCopy({ to: none, from: none, bytes: none }, 2);
    expect(plan.descriptors).toHaveLength(0);
    expect(plan.lists).toEqual(Uint32Array.of(0, 0, 0));
  });

  it('keeps the length of a descriptor within 32 bits', () => {
    const half = Uint32Array.of(0, 2 ** 31);
    const items = { to: half, from: half, bytes: Uint32Array.of(2 ** 31, 2 ** 31) };
    expect(byteMap(descriptorsOf(planCopy(items, 1).descriptors))).toBe(byteMap(rangesOf(items)));
  });

  it.each([0, 66, 1.5, Number.NaN, -1, '2', 'auto'])('refuses %j lists', (lists) => {
    const plan = () => planCopy(oneItem(0, 4096, 4096), lists as number);
    expect(plan).toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('lists') }));
  });

  it('makes a list for each of 64 workers and a caller', () => {
    const items = oneItem(0x10000, 0x50000, 65536);
    const plan = planCopy(items, 65);
    expect(plan.lists).toHaveLength(66);
    expect(byteMap(descriptorsOf(plan.descriptors))).toBe(byteMap(rangesOf(items)));
  });

  it('refuses arrays of different lengths', () => {
    const items = { to: new Uint32Array(2), from: new Uint32Array(2), bytes: new Uint32Array(1) };
    expect(() => planCopy(items, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
