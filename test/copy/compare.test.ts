import fc from 'fast-check';
import { type CopyAbortError, CopyEngine, KiB, MiB, PAGE_SIZE } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { beforePublished } from '../support/before-published.js';
import { fillRandom, isSame, snapshot } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { inTheMiddle } from '../support/in-the-middle.js';
import { MANNERS } from '../support/manners.js';
import { METHODS } from '../support/native.js';

const ARENA = 4 * MiB;
const RUNS = 40;

const sides = fc.record({
  aShift: fc.nat(63),
  bShift: fc.nat(63),
  bytes: fc.oneof(fc.nat(130), fc.nat(4 * KiB), fc.nat(4 * KiB), fc.nat(1900 * KiB)),
  // As parts of the length; several are as good as one, if the first is found.
  differences: fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 3 }),
  isSync: fc.boolean(),
});

const combinations = MANNERS.flatMap((manner) => METHODS.map((method) => ({ ...manner, method })));

describe.each(METHODS)('compares by %s', (method) => {
  // AMD's caches take a line for that which lies so far from it; the loop in C reads one side after the other there.
  const APART = 256 * MiB;
  const beside = fc.record({
    shift: fc.integer({ min: -400, max: 400 }),
    at: fc.nat(130),
    bytes: fc.oneof(fc.nat(5 * KiB), fc.integer({ min: 250 * KiB, max: 270 * KiB })),
    difference: fc.double({ min: 0, max: 1, noNaN: true }),
  });

  it('what lies a multiple of 256 MiB apart, or some lines more or less', async () => {
    await using engine = await CopyEngine.create({ memory: '260M', threads: 1, method });
    const arena = engine.allocate(APART + 2 * MiB);
    const [low, high] = [arena.subarray(MiB / 2), arena.subarray(APART + MiB / 2)];
    fillRandom(low.subarray(0, MiB), 1);
    fc.assert(
      fc.property(beside, ({ shift, at, bytes, difference }) => {
        const [a, b] = [low.subarray(at, at + bytes), arena.subarray(high.byteOffset - arena.byteOffset + at + shift)];
        b.set(a);
        // At the end there is none.
        const found = Math.floor(difference * bytes);
        b[found] ^= 0x80;
        const expected = found < bytes ? found : -1;
        // With options: small ones go a shorter way without.
        expect(engine.compareSync(a, b.subarray(0, bytes), {})).toBe(expected);
        expect(engine.compareSync(b.subarray(0, bytes), a, {})).toBe(expected);
      }),
      { numRuns: 200 },
    );
  });
});

describe.each(combinations)('compares: $schedule, $caller, $method,', (options) => {
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...options, threads: 2, memory: '16M', minParallelBytes: 0 });
  });
  afterAll(() => engine.close());
  const own = () => engine.allocate(ARENA / 2);
  const foreign = () => new Uint8Array(new SharedArrayBuffer(ARENA / 2));
  const arenas: [string, () => Uint8Array, () => Uint8Array][] = [['its own memory', own, own]];
  // WebAssembly reaches nothing else.
  if (options.method !== 'memory.copy') {
    arenas.push(['its own with other memory', own, foreign], ['other memory', foreign, foreign]);
  }

  it.each(arenas)('%s: finds the first difference, and changes nothing', async (_, openA, openB) => {
    const [a, b] = [openA(), openB()];
    fillRandom(a, 1);
    const expected = [snapshot(a), snapshot(b)];
    const around = new Uint8Array(64);
    fillRandom(around, 2);
    await fc.assert(
      fc.asyncProperty(sides, async ({ aShift, bShift, bytes, differences, isSync }) => {
        const [one, other] = [a.subarray(aShift, aShift + bytes), b.subarray(bShift, bShift + bytes)];
        // What is around them differs.
        b.set(around);
        b.set(around, bShift + bytes);
        other.set(one);
        const places = differences.map((part) => Math.floor(part * bytes)).sort((x, y) => x - y);
        for (const place of places) other[place] ^= 0x80;
        expected[1].set(b.subarray(0, bShift + bytes + around.length));
        const found = isSync ? engine.compareSync(one, other) : await engine.compare(one, other);
        // Two at one place are none.
        expect(found).toBe(places.find((place) => one[place] !== other[place]) ?? -1);
        expect([isSame(a, expected[0]), isSame(b, expected[1])]).toEqual([true, true]);
      }),
      { numRuns: RUNS },
    );
  });

  it('finds the first of very many differences, whoever finds which first', async () => {
    const [a, b] = [engine.allocate(3 * MiB + 5), engine.allocate(3 * MiB + 5)];
    for (let at = 100 * KiB; at < b.length; at += 5000) b[at] = 1;
    for (let first = 100 * KiB; first < b.length; first += 300_000) {
      expect([await engine.compare(a, b), engine.compareSync(a, b)]).toEqual([first, first]);
      b.fill(0, first, first + 300_000);
    }
    engine.free(a);
    engine.free(b);
  });
});

describe('a compare', () => {
  let engine: CopyEngine;
  let area: Uint8Array<SharedArrayBuffer>;
  beforeAll(async () => {
    engine = await CopyEngine.create({ threads: 2, memory: '64M' });
    area = engine.allocate(MiB);
    fillRandom(area, 2);
  });
  afterAll(() => engine.close());

  type Row = [name: string, code: string, says: string[], a: () => unknown, b: () => unknown];
  const reserved = () => new Uint8Array(engine.memory.buffer, 8192, 9);
  const rows: Row[] = [
    ['a number', 'EINVAL', ['a:', 'got 5'], () => 5, () => area],
    ['nothing', 'EINVAL', ['b:', 'got undefined'], () => area, () => undefined],
    [
      'memory that is not shared',
      'EINVAL',
      ['b:', 'engine.allocate'],
      () => area.subarray(0, 9),
      () => new Uint8Array(9),
    ],
    ['reserved memory', 'EFAULT', ['a:', '8192'], reserved, () => area.subarray(0, 9)],
    ['reserved memory on the other side', 'EFAULT', ['b:', '8192'], () => area.subarray(0, 9), reserved],
    [
      'lengths that differ',
      'EINVAL',
      ['a:', 'b', '9 and 10 bytes'],
      () => area.subarray(0, 9),
      () => area.subarray(0, 10),
    ],
  ];

  it.each(rows)('refuses %s', async (_, code, says, a, b) => {
    const given = [a(), b()] as [Uint8Array, Uint8Array];
    for (const run of [() => engine.compare(...given), () => engine.compareSync(...given)]) {
      const error = await errorOf(run);
      expect(error).toMatchObject({ name: 'ErrnoError', code });
      for (const text of says) expect(error.message).toContain(text);
    }
  });

  it('refuses options that there are not: it stores nothing', async () => {
    const wrong = { stores: 'cached' } as object;
    for (const run of [() => engine.compare(area, area, wrong), () => engine.compareSync(area, area, wrong)]) {
      expect(await errorOf(run)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining("got 'stores'") });
    }
  });

  it('of nothing finds nothing, and of what overlaps or is the same what there is', async () => {
    const empty = new Uint8Array(new SharedArrayBuffer(0));
    const same = new Uint8Array(new SharedArrayBuffer(1000)).fill(1);
    same[700] = 2;
    for (const compare of [engine.compare.bind(engine), engine.compareSync.bind(engine)]) {
      expect(await compare(empty, area.subarray(7, 7))).toBe(-1);
      expect(await compare(area, area)).toBe(-1);
      expect(await compare(area.subarray(0, 5000), area.subarray(0, 5000))).toBe(-1);
      expect(await compare(same.subarray(0, 999), same.subarray(1))).toBe(699);
    }
  });

  it.each([0, Number.POSITIVE_INFINITY])(
    'of a poisoned frame says so, on either side (%d)',
    async (minParallelBytes) => {
      for (const method of METHODS) {
        await using other = await CopyEngine.create({ memory: engine.memory, threads: 2, minParallelBytes, method });
        const [a, b] = [other.allocate(MiB), other.allocate(MiB)];
        // Wherever they differ: what the frame holds can't be known.
        b[0] = 1;
        for (const [name, view] of [
          ['a', a],
          ['b', b],
        ] as const) {
          const pfn = (view.byteOffset + view.length) / PAGE_SIZE - 1;
          engine.memory.poison(pfn);
          for (const run of [() => other.compare(a, b), () => other.compareSync(a, b)]) {
            const error = await errorOf(run);
            expect(error).toMatchObject({
              code: 'EHWPOISON',
              message: expect.stringContaining(`${name}: frame ${pfn}`),
            });
          }
          expect(await other.compare(a.subarray(1, MiB - PAGE_SIZE), b.subarray(1, MiB - PAGE_SIZE))).toBe(-1);
          engine.memory.unpoison(pfn);
          expect(await other.compare(a, b)).toBe(0);
        }
        b[0] = 0;
      }
    },
  );

  it('with an engine that is closed is refused', async () => {
    const closed = await CopyEngine.create({ threads: 1, memory: '16M' });
    const view = closed.allocate(100);
    await closed.close();
    for (const run of [() => closed.compare(view, view), () => closed.compareSync(view, view)]) {
      expect(await errorOf(run)).toMatchObject({ code: 'ESHUTDOWN' });
    }
  });
});

describe.each(MANNERS)('a frame that is poisoned in mid-compare: $schedule, $caller', (manner) => {
  it.each(METHODS)('ends it with EHWPOISON: %s', async (method) => {
    const options = { ...manner, method, threads: 2, memory: '16M', minParallelBytes: 0 } as const;
    await using engine = await CopyEngine.create(options);
    const views = [engine.allocate(MiB), engine.allocate(MiB)];
    for (const side of [0, 1]) {
      const pfn = views[side].byteOffset / PAGE_SIZE + 100;
      const error = await errorOf(() =>
        beforePublished(
          () => engine.compare(views[0], views[1]),
          () => engine.memory.poison(pfn),
        ),
      );
      expect(error).toMatchObject({ code: 'EHWPOISON', message: expect.stringContaining(`frame ${pfn}`) });
      engine.memory.unpoison(pfn);
    }
  });
});

describe.each(MANNERS)('a compare that is aborted: $schedule, $caller', (manner) => {
  it('before it has begun rejects; at any moment rejects, or has the answer', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 2, memory: '32M', minParallelBytes: 0 });
    const [a, b] = [engine.allocate(8 * MiB), engine.allocate(8 * MiB)];
    const aborted = await errorOf(() => engine.compare(a, b, { signal: AbortSignal.abort('enough') }));
    expect(aborted).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'enough', result: { bytes: 0 } });
    expect(aborted.message).toContain('The compare was aborted');
    for (let round = 0; round < 10; round++) {
      const at = round % 3 === 0 ? -1 : (round * 3_000_001) % b.length;
      b.fill(0);
      if (at >= 0) b[at] = 1;
      const controller = new AbortController();
      const comparing = engine.compare(a, b, { signal: controller.signal });
      if (round % 2) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      const outcome = await comparing.catch((error: unknown) => error as CopyAbortError);
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject({ name: 'AbortError', result: { items: 0 } });
        expect(outcome.result.bytes).toBeLessThan(b.length);
      } else expect(outcome).toBe(at);
    }
  });

  it('while a worker is in the middle of it rejects, and says how much was equal', async () => {
    await inTheMiddle(manner, async (engine, raced, a, b) => {
      const { outcome, isHeld } = await raced((signal) => engine.compare(a, b, { signal }));
      if (!isHeld) return false;
      const { name, result } = outcome as CopyAbortError;
      expect({ name, items: result.items }).toEqual({ name: 'AbortError', items: 0 });
      expect(result.bytes).toBeGreaterThan(0);
      expect(result.bytes).toBeLessThan(b.length);
      return true;
    });
  });
});
