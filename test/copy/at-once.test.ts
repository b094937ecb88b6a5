import fc from 'fast-check';
import { CopyEngine, KiB, PAGE_SIZE } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isSame, snapshot } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { METHODS } from '../support/native.js';

/** Small fills and compares without options, which the calling thread does at once. */
const ARENA = 128 * KiB;
const RUNS = 60;
const ownAndOther = ['its own memory', 'other memory'] as const;
const range = fc.record({
  start: fc.nat(100),
  bytes: fc.oneof(fc.nat(130), fc.nat(5 * KiB), fc.nat(70 * KiB)),
  byte: fc.nat(255),
  isSync: fc.boolean(),
});

describe.each(METHODS)('by the method %s', (method) => {
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ method, threads: 1, memory: '4M' });
  });
  afterAll(() => engine.close());
  const kinds = method === 'memory.copy' ? ownAndOther.slice(0, 1) : ownAndOther;
  const arenaOf = (kind: string) =>
    kind === 'other memory' ? new Uint8Array(new SharedArrayBuffer(ARENA)) : engine.allocate(ARENA);

  it.each(kinds)('a small fill of %s fills every byte and no other', async (kind) => {
    const arena = arenaOf(kind);
    fillRandom(arena, 1);
    const expected = snapshot(arena);
    await fc.assert(
      fc.asyncProperty(range, async ({ start, bytes, byte, isSync }) => {
        const view = arena.subarray(start, start + bytes);
        expected.fill(byte, start, start + bytes);
        const result = isSync ? engine.fillSync(view, byte) : await engine.fill(view, byte);
        expect(result).toMatchObject({ bytes, items: 1, failed: [], threads: 1, workerNs: 0 });
        expect(result.wallNs).toBeGreaterThanOrEqual(0);
        expect(isSame(arena, expected)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  const pairs = kinds.flatMap((a) => kinds.map((b) => [a, b] as const));
  it.each(pairs)('a small compare of %s and %s finds the first difference', async (ofA, ofB) => {
    const [a, b] = [arenaOf(ofA), arenaOf(ofB)];
    fillRandom(a, 2);
    await fc.assert(
      fc.asyncProperty(
        range,
        fc.option(fc.tuple(fc.nat(), fc.nat())),
        async ({ start, bytes, byte, isSync }, differing) => {
          const shift = byte % 9;
          const [one, other] = [a.subarray(start, start + bytes), b.subarray(shift, shift + bytes)];
          other.set(one);
          const places = bytes === 0 ? [] : (differing ?? []).map((place) => place % bytes);
          for (const place of new Set(places)) other[place] = (other[place] ?? 0) ^ 1;
          const before = snapshot(other);
          const found = isSync ? engine.compareSync(one, other) : await engine.compare(one, other);
          expect(found).toBe(places.length === 0 ? -1 : Math.min(...places));
          expect(isSame(other, before)).toBe(true);
        },
      ),
      { numRuns: RUNS },
    );
  });
});

describe('what is small', () => {
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ threads: 1, memory: '4M' });
  });
  afterAll(() => engine.close());

  it('may be any views, of parts of words too', () => {
    const own = engine.allocate(64);
    const other = new SharedArrayBuffer(64);
    for (const buffer of [engine.memory.buffer, other]) {
      const offset = buffer === other ? 3 : own.byteOffset + 3;
      const bytes = new Uint8Array(buffer, offset, 13);
      expect(engine.fillSync(new DataView(buffer, offset, 13), 9).bytes).toBe(13);
      expect(Array.from(bytes)).toEqual(Array(13).fill(9));
      expect(engine.fillSync(new Float64Array(buffer, offset + 5, 1), 0).bytes).toBe(8);
      expect(Array.from(bytes)).toEqual([9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]);
      const same = new DataView(new SharedArrayBuffer(13));
      for (let i = 0; i < 5; i++) same.setUint8(i, 9);
      expect(engine.compareSync(new DataView(buffer, offset, 13), same)).toBe(-1);
      same.setUint8(12, 1);
      expect(engine.compareSync(same, bytes)).toBe(12);
    }
  });

  it.each([-1, 256, 1.5, Number.NaN, '7', undefined, null, 2n, {}])(
    'is filled with no other than bytes: %s',
    async (byte) => {
      const views = [engine.allocate(64), new Uint8Array(new SharedArrayBuffer(64))];
      for (const view of views) {
        view.fill(3);
        expect(await errorOf(() => engine.fillSync(view, byte as number))).toMatchObject({ code: 'EINVAL' });
        expect(await errorOf(() => engine.fill(view, byte as number))).toMatchObject({ code: 'EINVAL' });
        expect(Array.from(view)).toEqual(Array(64).fill(3));
      }
    },
  );

  it('is EHWPOISON to compare with a poisoned frame on either side, equal or not, and is filled with one', async () => {
    const [a, b] = [engine.allocate(PAGE_SIZE), engine.allocate(PAGE_SIZE)];
    const other = new Uint8Array(new SharedArrayBuffer(PAGE_SIZE));
    engine.memory.poison(a.byteOffset / PAGE_SIZE);
    const poisoned = [
      [a, b],
      [b, a],
      [a, other],
      [other, a],
    ] as const;
    for (const [one, two] of poisoned) {
      expect(await errorOf(() => engine.compareSync(one, two))).toMatchObject({ code: 'EHWPOISON' });
      expect(await errorOf(() => engine.compare(one, two))).toMatchObject({ code: 'EHWPOISON' });
    }
    expect(engine.compareSync(a.subarray(0, 0), b.subarray(0, 0))).toBe(-1);
    expect(engine.compareSync(b, other)).toBe(-1);
    expect(engine.fillSync(a, 5).bytes).toBe(PAGE_SIZE);
    engine.memory.unpoison(a.byteOffset / PAGE_SIZE);
    expect(engine.compareSync(a, b)).toBe(0);
  });

  it('is refused outside the nodes, in memory that is not shared, of other lengths, and once the engine is closed', async () => {
    const view = engine.allocate(64);
    const outside = new Uint8Array(engine.memory.buffer, 0, 64);
    const plain = new Uint8Array(64);
    const closed = await CopyEngine.create({ memory: '4M', threads: 1 });
    const own = closed.allocate(64);
    await closed.close();
    const rows: [string, () => unknown][] = [
      ['EFAULT', () => engine.fillSync(outside, 0)],
      ['EFAULT', () => engine.compareSync(outside, view)],
      ['EFAULT', () => engine.compareSync(view, outside)],
      ['EINVAL', () => engine.fillSync(plain, 0)],
      ['EINVAL', () => engine.compareSync(view, plain)],
      ['EINVAL', () => engine.compareSync(view, view.subarray(1))],
      ['ESHUTDOWN', () => closed.fillSync(own, 0)],
      ['ESHUTDOWN', () => closed.compareSync(own, own)],
    ];
    for (const [code, call] of rows) expect(await errorOf(call as () => never)).toMatchObject({ code });
  });
});
