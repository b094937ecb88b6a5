import fc from 'fast-check';
import { CopyEngine, type CopyItems, type CopyPair, KiB, MiB } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { MANNERS } from '../support/manners.js';
import { METHODS } from '../support/native.js';

const ARENA = 14 * MiB;
const RUNS = 8;

const item = fc.record({
  bytes: fc.oneof(
    fc.constantFrom(0, 1, 63, 64, 4096),
    fc.nat(300),
    fc.nat(20 * KiB),
    fc.nat(20 * KiB),
    fc.nat(280 * KiB),
  ),
  // Neighbours touch as often as not.
  toGap: fc.oneof(fc.constant(0), fc.nat(100)),
  fromGap: fc.oneof(fc.constant(0), fc.nat(100)),
});

const batch = fc.record({
  items: fc.array(item, { maxLength: 24, size: 'max' }),
  start: fc.nat(200),
  layout: fc.constantFrom('apart', 'interleaved', 'one source'),
  order: fc.constantFrom('ascending', 'descending', 'mixed'),
  form: fc.constantFrom('pairs', 'items'),
  isSync: fc.boolean(),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

/** Offsets in the arena, in the order of the batch. */
function place({ items, start, layout, order }: Batch): { to: number; from: number; bytes: number }[] {
  let to = start;
  let from = layout === 'apart' ? ARENA / 2 + start : start;
  const longest = Math.max(0, ...items.map(({ bytes }) => bytes));
  if (layout === 'one source') to = start + longest;
  const placed = items.map(({ bytes, toGap, fromGap }) => {
    if (layout === 'interleaved') from = to + bytes + fromGap;
    const at = { to, from, bytes };
    if (layout === 'interleaved') to = from + bytes + toGap;
    else to += bytes + toGap;
    if (layout === 'apart') from += bytes + fromGap;
    return at;
  });
  if (order === 'descending') placed.reverse();
  if (order === 'mixed') placed.sort((a, b) => ((a.to * 7919) % 1009) - ((b.to * 7919) % 1009));
  return placed;
}

function asPairs(arena: Uint8Array, placed: ReturnType<typeof place>): CopyPair[] {
  return placed.map(({ to, from, bytes }) => ({
    to: arena.subarray(to, to + bytes),
    from: arena.subarray(from, from + bytes),
  }));
}

function asItems(arena: Uint8Array, placed: ReturnType<typeof place>): CopyItems {
  return {
    to: Uint32Array.from(placed, ({ to }) => arena.byteOffset + to),
    from: Uint32Array.from(placed, ({ from }) => arena.byteOffset + from),
    bytes: Uint32Array.from(placed, ({ bytes }) => bytes),
  };
}

const combinations = MANNERS.flatMap((manner) => METHODS.map((method) => ({ ...manner, method })));

describe.each(combinations)('copies: $schedule, $caller, $method,', (options) => {
  let batches = 0;
  let copied = 0;
  const expected = Buffer.alloc(ARENA);
  // One for all tests: to start threads takes longer than any of them.
  let engine: CopyEngine;
  let arena: Uint8Array;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...options, threads: 1, memory: ARENA, minParallelBytes: 0 });
    arena = engine.allocate(ARENA);
  });
  afterAll(() => {
    console.info(`${batches} batches, ${copied} items compared with a plain copy`);
    return engine.close();
  });

  it.each([1, 2, 4])('%d threads: every byte and no other', async (threads) => {
    engine.threads = threads;
    fillRandom(arena, threads);
    await fc.assert(
      fc.asyncProperty(batch, async (drawn) => {
        const placed = place(drawn);
        expected.set(arena);
        for (const { to, from, bytes } of placed) expected.copyWithin(to, from, from + bytes);
        const items = drawn.form === 'pairs' ? asPairs(arena, placed) : asItems(arena, placed);
        const result = drawn.isSync ? engine.copyBatchSync(items) : await engine.copyBatch(items);
        expect(result).toMatchObject({
          bytes: placed.reduce((sum, { bytes }) => sum + bytes, 0),
          items: placed.length,
          failed: [],
        });
        expect(isSame(arena, expected)).toBe(true);
        batches++;
        copied += placed.length;
      }),
      { numRuns: RUNS },
    );
  });
});

describe('copies', () => {
  it.each(MANNERS)('$schedule, $caller: more items than a job has room for, empty ones at the end', async (manner) => {
    await using engine = await CopyEngine.create({ ...manner, memory: '64M', threads: 3, minParallelBytes: 0 });
    const count = 3 * 16384;
    const to = engine.allocate(count * 128);
    const from = engine.allocate(count * 128);
    fillRandom(from, 1);
    const items = asItems(
      to,
      Array.from({ length: count + 5 }, (_, i) => ({ to: i * 128, from: 0, bytes: i < count ? 64 + (i % 60) : 0 })),
    );
    items.from.set(items.to.map((address) => address - to.byteOffset + from.byteOffset));
    // The end of the memory is the end of the last range, which an empty item may stand at.
    items.to.fill(to.byteOffset, count);
    items.from.fill(from.byteOffset, count);
    for (const run of [() => engine.copyBatch(items), () => engine.copyBatchSync(items)]) {
      to.fill(0);
      const result = await run();
      expect(result).toMatchObject({ items: count + 5, failed: [] });
      let wrong = 0;
      for (let i = 0; i < count; i++) {
        const bytes = 64 + (i % 60);
        const same = isSame(to.subarray(i * 128, i * 128 + bytes), from.subarray(i * 128, i * 128 + bytes));
        if (!same || to[i * 128 + bytes] !== 0) wrong++;
      }
      expect(wrong).toBe(0);
    }
  });

  it('copies a single item of many megabytes', async () => {
    await using engine = await CopyEngine.create({ memory: '80M', threads: 3 });
    const [to, from] = [engine.allocate(33 * MiB + 5), engine.allocate(33 * MiB + 5)];
    fillRandom(from, 3);
    expect(await engine.copy(to, from)).toMatchObject({ bytes: 33 * MiB + 5, items: 1, failed: [] });
    expect(isSame(to, from)).toBe(true);
    to.fill(0);
    expect(engine.copySync(to, from)).toMatchObject({ bytes: 33 * MiB + 5, items: 1, failed: [] });
    expect(isSame(to, from)).toBe(true);
  });
});
