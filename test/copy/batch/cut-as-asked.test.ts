import fc from 'fast-check';
import { CopyEngine, KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createCutter } from '#src/copy/batch/cut-jobs.js';
import type { Ranges } from '#src/copy/batch/items.js';
import { batches, batchOf, byteMap, descriptorsOf, rangesOf } from '../../support/batches.js';
import { expectCopied, fillRandom, pairsOf } from '../../support/bytes.js';
import { errorOf } from '../../support/errors.js';

const room = (count: number) => ({
  descriptors: new Uint32Array(count * 3),
  source: new Uint32Array(count),
  lists: new Int32Array(66),
});
/** Items of so many bytes, none of which touches another. */
const apart = (count: number, bytes: number): Ranges => ({
  to: Float64Array.from({ length: count }, (_, i) => i * 2 * bytes),
  from: Float64Array.from({ length: count }, (_, i) => 2 ** 31 + i * 2 * bytes),
  bytes: new Float64Array(count).fill(bytes),
});
const STATIC = { isStatic: true, unitBytes: 'auto' } as const;

describe('a batch is cut as was asked', () => {
  it.each([
    // Descriptors of 6 items for 3 lists, and for 8.
    ['auto', 6, 48],
    ['folios', 6, 6],
    ['chunks', 18, 48],
  ] as const)('static, %s: %d descriptors for fewer lists than items, %d for more', (distribution, fewer, more) => {
    const cut = (lists: number) =>
      createCutter(batchOf(apart(6, 64 * KiB)), { ...STATIC, distribution }).cut(room(64), 0, lists).count;
    expect([cut(3), cut(8)]).toEqual([fewer, more]);
  });

  it('static, chunks: in as many jobs as have room for a descriptor an item and a list', () => {
    const cutter = createCutter(batchOf(apart(10, 4096)), { ...STATIC, distribution: 'chunks' });
    expect(cutter.cut(room(17), 0, 4)).toMatchObject({ next: 4, count: 16, units: 4 });
    expect(cutter.cut(room(17), 8, 4)).toMatchObject({ next: 10, count: 8 });
  });

  it.each([
    ['auto', 512 * KiB, 32],
    [64 * KiB, 64 * KiB, 256],
    [100 * KiB, 128 * KiB, 128],
    [4 * MiB, 4 * MiB, 4],
  ] as const)('dynamic, units of %s: descriptors of %d bytes, %d of them', (unitBytes, piece, count) => {
    const target = room(1024);
    const batch = batchOf(apart(1, 16 * MiB));
    const plan = createCutter(batch, { isStatic: false, distribution: 'auto', unitBytes }).cut(target, 0, 2);
    expect(plan).toMatchObject({ count, units: count });
    expect(target.descriptors[2]).toBe(piece);
  });

  it('into every byte once, whatever was asked', () => {
    const cutting = fc.record({
      isStatic: fc.boolean(),
      distribution: fc.constantFrom('auto' as const, 'folios' as const, 'chunks' as const),
      unitBytes: fc.constantFrom('auto' as const, 64 * KiB, 192 * KiB),
    });
    fc.assert(
      fc.property(batches, cutting, fc.integer({ min: 1, max: 65 }), (items, how, lists) => {
        const batch = batchOf(items);
        const cutter = createCutter(batch, how);
        const found: (readonly [number, number, number])[] = [];
        for (let first = 0; first < items.to.length; ) {
          const target = room(16_384);
          for (const _ of cutter.prepare(first));
          const { next, count } = cutter.cut(target, first, lists);
          found.push(...descriptorsOf(target.descriptors, 0, count));
          first = next;
        }
        expect(byteMap(found)).toBe(byteMap(rangesOf(items)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('an engine takes', () => {
  it.each([
    { schedule: 'static', distribution: 'chunks' },
    { schedule: 'static', distribution: 'folios' },
    { unitBytes: '128K' },
    { unitBytes: 64 * KiB },
  ] as const)('%o, and copies every byte', async (options) => {
    await using engine = await CopyEngine.create({ memory: '16M', threads: 2, minParallelBytes: 0, ...options });
    const sizes = [MiB, 4096, 300_001, 65];
    const [to, from] = [engine.allocate(2 * MiB), engine.allocate(2 * MiB)];
    fillRandom(from, 7);
    const pairs = pairsOf(to, from, sizes);
    expect((await engine.copyBatch(pairs)).failed).toEqual([]);
    expectCopied(pairs);
  });

  it.each([
    [{ distribution: 'pieces' }, "distribution: must be 'auto' or 'folios' or 'chunks', got 'pieces'"],
    [{ unitBytes: 4096 }, 'unitBytes: must be a whole number from 65536 to 1073741824, got 4096'],
    [{ unitBytes: '2G' }, 'got 2147483648'],
    [{ unitBytes: 'large' }, "got 'large'"],
    [{ unitBytes: null }, 'unitBytes: must be'],
  ])('no %o', async (options, message) => {
    const error = await errorOf(() => CopyEngine.create({ memory: '16M', ...(options as object) }));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(message) });
  });
});
