import { CopyEngine, type CopyPair, GiB, KiB, MiB } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, expectCopied, fillRandom, isSame, pairsOf, snapshot } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { MANNERS } from '../support/manners.js';
import { HAS_NATIVE, METHODS } from '../support/native.js';

const SIZES = [0, 1, 4096, 100 * KiB + 3, 700 * KiB, 64 * KiB, 17];
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0);

const shared = (bytes: number) => new Uint8Array(new SharedArrayBuffer(bytes));

const CALLS = ['async', 'sync'] as const;
const cases = MANNERS.flatMap((manner) => CALLS.map((call) => ({ ...manner, call })));

/** The methods that copy other memory than the engine's. */
const REACHING = METHODS.filter((method) => method !== 'memory.copy');

/** Copies pairs either way and expects all of them to arrive, and nothing beside them to change. */
async function expectBatch(engine: CopyEngine, call: 'async' | 'sync', pairs: CopyPair[], around: Uint8Array[]) {
  const expected = around.map(snapshot);
  for (const { to, from } of pairs) {
    const i = around.findIndex(({ buffer }) => buffer === to.buffer);
    const view = around[i];
    if (i >= 0) expected[i]?.set(bytesOf(from), to.byteOffset - view.byteOffset);
  }
  const result = call === 'async' ? await engine.copyBatch(pairs) : engine.copyBatchSync(pairs);
  const bytes = pairs.reduce((sum, { to }) => sum + to.byteLength, 0);
  expect(result).toMatchObject({ bytes, items: pairs.length, failed: [] });
  expectCopied(pairs);
  for (const [i, view] of around.entries()) expect(isSame(view, expected[i])).toBe(true);
}

const everyWay = MANNERS.flatMap((one) => REACHING.map((method) => ({ ...one, method })));

describe.each(everyWay)("the user's own memory: $schedule, $caller, $method", (manner) => {
  // One for all tests: to start threads takes longer than any of them.
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...manner, threads: 3, memory: '32M', minParallelBytes: 0 });
  });
  afterAll(() => engine.close());

  it.each(CALLS)('%s: copies between two buffers', async (call) => {
    const [to, from] = [shared(2 * MiB), shared(2 * MiB)];
    fillRandom(from, 1);
    await expectBatch(engine, call, pairsOf(to, from, SIZES, 5), [to, from]);
  });

  it.each(CALLS)('%s: copies within one buffer', async (call) => {
    const all = shared(4 * MiB);
    fillRandom(all, 2);
    await expectBatch(engine, call, pairsOf(all.subarray(3), all.subarray(2 * MiB), SIZES), [all]);
  });

  it.each(CALLS)('%s: copies to and from memory of the engine', async (call) => {
    const [own, foreign] = [engine.allocate(2 * MiB), shared(2 * MiB)];
    fillRandom(foreign, 3);
    await expectBatch(engine, call, pairsOf(own, foreign, SIZES), [foreign]);
    own.fill(0xa5);
    fillRandom(own, 4);
    await expectBatch(engine, call, pairsOf(foreign, own, SIZES), [foreign]);
  });

  it.each(CALLS)('%s: copies between several buffers in one batch', async (call) => {
    const [a, b, c] = [shared(2 * MiB), shared(3 * MiB), shared(2 * MiB)];
    const own = engine.allocate(4 * MiB);
    for (const [i, view] of [a, b, c, own].entries()) fillRandom(view, i);
    const half = TOTAL + 4096;
    const pairs = [
      ...pairsOf(a, b, SIZES),
      ...pairsOf(c, b, SIZES, 1), // reads what the first pairs read
      ...pairsOf(own, b.subarray(half), SIZES),
      ...pairsOf(own.subarray(half), own.subarray(2 * half), SIZES),
      ...pairsOf(b.subarray(2 * half), own.subarray(2 * half), SIZES),
    ];
    await expectBatch(engine, call, pairs, [a, b, c]);
  });

  it.each(CALLS)('%s: copies views of other types', async (call) => {
    const buffer = new SharedArrayBuffer(64 * KiB);
    fillRandom(new Uint8Array(buffer), 5);
    const pairs = [
      { to: Buffer.from(buffer as unknown as ArrayBuffer, 10, 100), from: new DataView(buffer, 5000, 100) },
      { to: new Float64Array(buffer, 8192, 50), from: Buffer.from(buffer as unknown as ArrayBuffer, 12301, 400) },
      { to: new DataView(buffer, 20001, 64), from: new BigInt64Array(buffer, 30000, 8) },
      {
        to: new Uint16Array(engine.memory.buffer, engine.allocate(64).byteOffset, 32),
        from: new Int8Array(buffer, 1, 64),
      },
    ];
    // The last one reads what the first one writes.
    pairs[3] = { ...(pairs[3] as CopyPair), from: new Int8Array(buffer, 40001, 64) } as (typeof pairs)[3];
    await expectBatch(engine, call, pairs, [new Uint8Array(buffer)]);
  });

  it('arrives whole when many calls bring buffers at once', async () => {
    for (let round = 0; round < 10; round++) {
      const pairs = Array.from({ length: 20 }, (_, i) => {
        const pair = { to: shared(10_000 + i), from: i % 4 ? shared(10_000 + i) : engine.allocate(10_000 + i) };
        fillRandom(pair.from, round * 20 + i);
        return pair;
      });
      const results = await Promise.all(pairs.map(({ to, from }) => engine.copy(to, from)));
      expect(results.every(({ failed }) => failed.length === 0)).toBe(true);
      expectCopied(pairs);
    }
  });

  it('takes its turn with memory of the engine', async () => {
    const [own, foreign] = [engine.allocate(4 * MiB), shared(MiB)];
    for (let round = 0; round < 30; round++) {
      fillRandom(foreign.subarray(0, 30_000), round);
      fillRandom(own.subarray(MiB, MiB + 30_000), round + 1);
      const pairs = [
        { to: own.subarray(0, 30_000), from: foreign.subarray(0, 30_000) },
        { to: own.subarray(2 * MiB, 2 * MiB + 30_000), from: own.subarray(MiB, MiB + 30_000) },
      ];
      await Promise.all(pairs.map(({ to, from }) => engine.copy(to, from)));
      expectCopied(pairs);
    }
  });
});

describe("the user's own memory", () => {
  it.each(REACHING)('may be more than 4 GiB, or none: %s', async (method) => {
    await using engine = await CopyEngine.create({ method, threads: 2, memory: '16M', minParallelBytes: 0 });
    // Of which next to nothing is touched.
    const huge = new SharedArrayBuffer(5 * GiB);
    const own = engine.allocate(MiB);
    fillRandom(own, 6);
    const none = new Uint8Array(new SharedArrayBuffer(0));
    for (const at of [4 * GiB - 1000, 4 * GiB + 1, 5 * GiB - 300_000]) {
      const [there, back] = [new Uint8Array(huge, at, 300_000), shared(300_000)];
      const pairs = [
        { to: there, from: own.subarray(0, 300_000) },
        { to: none, from: shared(0) },
      ];
      for (const call of ['async', 'sync'] as const) {
        there.fill(0);
        await expectBatch(engine, call, pairs, []);
        await expectBatch(engine, call, [{ to: back, from: there }], [back]);
      }
      expect(new Uint8Array(huge, at - 64, 64).every((byte) => byte === 0)).toBe(true);
      there.fill(0);
    }
  });

  it('is refused by memory.copy', async () => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '16M', method: 'memory.copy' });
    const own = engine.allocate(100);
    const foreign = shared(100);
    foreign.fill(7);
    const error = await errorOf(() => engine.copy(own, foreign));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('memory.copy') });
    expect(() => engine.copySync(foreign, own)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => engine.copyBatchSync([{ to: own, from: foreign }])).toThrow('engine.allocate');
    expect(own.every((byte) => byte === 0) && foreign.every((byte) => byte === 7)).toBe(true);
  });
});

/** A batch of so many buffers. */
async function copyBuffers(engine: CopyEngine, call: 'async' | 'sync', buffers: number) {
  const pairs = Array.from({ length: buffers }, (_, i) => ({ to: engine.allocate(64), from: shared(64).fill(i) }));
  const result = call === 'async' ? await engine.copyBatch(pairs) : engine.copyBatchSync(pairs);
  expect(result).toMatchObject({ items: buffers, bytes: 64 * buffers, failed: [] });
  expectCopied(pairs);
  for (const { to } of pairs) engine.free(to);
  return result;
}

describe.each(cases)('more buffers than workers are told of: $schedule, $caller, $call', ({ call, ...manner }) => {
  const options = { ...manner, threads: 1, memory: '32M', minParallelBytes: 0 } as const;

  it('are copied by the calling thread', async () => {
    await using engine = await CopyEngine.create({ ...options, method: 'typed-array' });
    const result = await copyBuffers(engine, call, 256);
    if (manner.caller === 'waits' && call === 'async') expect(result.workerNs).toBeGreaterThan(0);
    expect(await copyBuffers(engine, call, 257)).toMatchObject({ threads: 1, workerNs: 0 });
  });

  it.runIf(HAS_NATIVE)('are so with the loop in C from 4,096 on', async () => {
    await using engine = await CopyEngine.create(options);
    const result = await copyBuffers(engine, call, 4095);
    if (manner.caller === 'waits' && call === 'async') expect(result.workerNs).toBeGreaterThan(0);
    expect(await copyBuffers(engine, call, 4096)).toMatchObject({ threads: 1, workerNs: 0 });
  });
});
