import fc from 'fast-check';
import { type CopyAbortError, CopyEngine, type CopyResult, KiB, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, fillRandom, isAll, isSame, snapshot } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { inTheMiddle } from '../support/in-the-middle.js';
import { MANNERS } from '../support/manners.js';
import { METHODS } from '../support/native.js';

const ARENA = 4 * MiB;
const RUNS = 30;

const range = fc.record({
  start: fc.oneof(
    fc.nat(200),
    fc.nat(63).map((shift) => 2 * MiB + shift),
  ),
  bytes: fc.oneof(fc.nat(130), fc.nat(4 * KiB), fc.nat(4 * KiB), fc.nat(1500 * KiB)),
  byte: fc.nat(255),
  stores: fc.constantFrom('cached', 'streaming'),
  isSync: fc.boolean(),
});

const combinations = MANNERS.flatMap((manner) => METHODS.map((method) => ({ ...manner, method })));

describe.each(combinations)('fills: $schedule, $caller, $method,', (options) => {
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...options, threads: 2, memory: '16M', minParallelBytes: 0 });
  });
  afterAll(() => engine.close());
  const arenas: [string, () => Uint8Array][] = [['its own memory', () => engine.allocate(ARENA)]];
  // WebAssembly reaches nothing else.
  if (options.method !== 'memory.copy') {
    arenas.push(['any shared memory', () => new Uint8Array(new SharedArrayBuffer(ARENA))]);
  }

  it.each(arenas)('%s: every byte and no other', async (_, open) => {
    const arena = open();
    fillRandom(arena, 1);
    const expected = snapshot(arena);
    await fc.assert(
      fc.asyncProperty(range, async ({ start, bytes, byte, stores, isSync }) => {
        const view = arena.subarray(start, start + bytes);
        expected.fill(byte, start, start + bytes);
        const result = isSync
          ? engine.fillSync(view, byte, { stores } as { stores: 'cached' })
          : await engine.fill(view, byte, { stores } as { stores: 'cached' });
        expect(result).toMatchObject({ bytes, items: 1, failed: [] });
        expect(isSame(arena, expected)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('a fill', () => {
  let engine: CopyEngine;
  let area: Uint8Array<SharedArrayBuffer>;
  beforeAll(async () => {
    engine = await CopyEngine.create({ threads: 2, memory: '64M' });
    area = engine.allocate(MiB);
    fillRandom(area, 2);
  });
  afterAll(() => engine.close());

  type Row = [name: string, code: string, says: string[], view: () => unknown, byte: unknown];
  const rows: Row[] = [
    ['a number as view', 'EINVAL', ['view:', 'got 5'], () => 5, 0],
    ['a bare buffer', 'EINVAL', ['view:', 'SharedArrayBuffer'], () => area.buffer, 0],
    ['memory that is not shared', 'EINVAL', ['view:', 'engine.allocate'], () => new Uint8Array(9), 0],
    ['reserved memory', 'EFAULT', ['view:', '8192'], () => new Uint8Array(engine.memory.buffer, 8192, 9), 0],
    ['no byte', 'EINVAL', ['byte:', 'got undefined'], () => area, undefined],
    ['a byte above 255', 'EINVAL', ['byte:', 'from 0 to 255', 'got 256'], () => area, 256],
    ['a byte below 0', 'EINVAL', ['byte:', 'got -1'], () => area, -1],
    ['a part of a byte', 'EINVAL', ['byte:', 'got 0.5'], () => area, 0.5],
    ['a string as byte', 'EINVAL', ['byte:', "got '1'"], () => area, '1'],
  ];

  it.each(rows)('refuses %s', async (_, code, says, view, byte) => {
    const before = snapshot(area);
    const lowest = snapshot(new Uint8Array(engine.memory.buffer, 8192, 100));
    const given = [view(), byte] as [Uint8Array, number];
    for (const run of [() => engine.fill(...given), () => engine.fillSync(...given)]) {
      const error = await errorOf(run);
      expect(error).toMatchObject({ name: 'ErrnoError', code });
      for (const text of says) expect(error.message).toContain(text);
    }
    expect(isSame(area, before)).toBe(true);
    expect(isSame(new Uint8Array(engine.memory.buffer, 8192, 100), lowest)).toBe(true);
  });

  it('refuses options that there are not, and other memory where WebAssembly alone may fill', async () => {
    const before = snapshot(area);
    const wrong = { cached: true } as object;
    for (const run of [() => engine.fill(area, 1, wrong), () => engine.fillSync(area, 1, wrong)]) {
      expect(await errorOf(run)).toMatchObject({ code: 'EINVAL' });
    }
    await using other = await CopyEngine.create({ threads: 1, memory: '16M', method: 'memory.copy' });
    const error = await errorOf(() => other.fill(area, 1));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('view: memory.copy reaches') });
    expect(isSame(area, before)).toBe(true);
  });

  it('of a view of 0 bytes changes nothing', async () => {
    const before = snapshot(area);
    for (const view of [area.subarray(5, 5), new Uint8Array(new SharedArrayBuffer(0)), area.subarray(MiB)]) {
      expect(await engine.fill(view, 1)).toMatchObject({ bytes: 0, items: 1, failed: [] });
      expect(engine.fillSync(view, 1)).toMatchObject({ bytes: 0, items: 1, failed: [] });
    }
    expect(isSame(area, before)).toBe(true);
  });

  it('takes any view, and counts in bytes', async () => {
    const view = new Float64Array(new SharedArrayBuffer(800), 80, 10);
    expect(await engine.fill(view, 0x3f)).toMatchObject({ bytes: 80 });
    expect(isAll(bytesOf(view), 0x3f)).toBe(true);
    expect(isAll(new Uint8Array(view.buffer, 0, 80), 0)).toBe(true);
    expect(isAll(new Uint8Array(view.buffer, 160), 0)).toBe(true);
  });

  it('fills a poisoned frame like any other, for it reads nothing', async () => {
    const pfn = area.byteOffset / PAGE_SIZE + 3;
    engine.memory.poison(pfn);
    try {
      for (const minParallelBytes of [0, Number.POSITIVE_INFINITY]) {
        await using parallel = await CopyEngine.create({ memory: engine.memory, threads: 2, minParallelBytes });
        for (const [byte, run] of [
          [7, () => parallel.fill(area, 7)],
          [8, () => parallel.fillSync(area, 8)],
        ] as const) {
          expect(await run()).toMatchObject({ bytes: MiB, items: 1, failed: [] });
          expect(isAll(area, byte)).toBe(true);
        }
      }
    } finally {
      engine.memory.unpoison(pfn);
    }
  });

  it('with an engine that is closed is refused', async () => {
    const closed = await CopyEngine.create({ threads: 1, memory: '16M' });
    const view = closed.allocate(100);
    await closed.close();
    for (const run of [() => closed.fill(view, 1), () => closed.fillSync(view, 1)]) {
      expect(await errorOf(run)).toMatchObject({ code: 'ESHUTDOWN' });
    }
    expect(isAll(view, 0)).toBe(true);
  });
});

describe.each(MANNERS)('a fill that is aborted: $schedule, $caller', (manner) => {
  it('before it has begun fills nothing', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 2, memory: '64M', minParallelBytes: 0 });
    const view = engine.allocate(32 * MiB);
    const signal = AbortSignal.abort('enough');
    const error = await errorOf(() => engine.fill(view, 1, { signal }));
    expect(error).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: 'enough', result: { bytes: 0 } });
    expect(error.message).toContain('The fill was aborted');
    expect(isAll(view, 0)).toBe(true);
  });

  it('at any moment has filled what it says, or all', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 2, memory: '64M', minParallelBytes: 0 });
    const view = engine.allocate(8 * MiB);
    for (let round = 0; round < 8; round++) {
      view.fill(0);
      const controller = new AbortController();
      const filling = engine.fill(view, 1, { signal: controller.signal });
      if (round % 2) await new Promise((resolve) => setImmediate(resolve));
      controller.abort();
      const outcome = await filling.catch((error: unknown) => error as CopyAbortError);
      if (outcome instanceof Error) expectPartlyFilled(view, outcome.result);
      else {
        expect(outcome).toMatchObject({ bytes: view.length });
        expect(isAll(view, 1)).toBe(true);
      }
    }
  });

  it('while a worker is in the middle of it has filled a part, and says which', async () => {
    await inTheMiddle(manner, async (engine, raced, view) => {
      const { outcome, isHeld } = await raced((signal) => engine.fill(view, 1, { signal }));
      if (!isHeld) return false;
      const { result } = outcome as CopyAbortError;
      expectPartlyFilled(view, result);
      expect(result.bytes).toBeGreaterThan(0);
      return true;
    });
  });
});

/** A fill of 1 that has left something has filled as many bytes as it says. */
function expectPartlyFilled(view: Uint8Array, result: CopyResult): void {
  expect(result).toMatchObject({ items: 0, failed: [{ index: 0, code: 'ECANCELED' }] });
  expect(result.bytes).toBeLessThan(view.length);
  let filled = 0;
  for (let i = 0; i < view.length; i++) filled += view[i];
  expect(filled).toBe(result.bytes);
}

it('fills and compares up to the last byte that has an address', async () => {
  const memory = PhysicalMemory.create({ nodes: ['4064M'] });
  const pages = 512;
  const view = memory.bytes.subarray(memory.bytes.length - pages * PAGE_SIZE);
  for (const method of METHODS) {
    await using filling = await CopyEngine.create({ memory, threads: 1, minParallelBytes: 0, method });
    expect(await filling.fill(view, 9, { stores: 'streaming' })).toMatchObject({ bytes: view.length });
    expect(isAll(view, 9)).toBe(true);
    expect(await filling.compare(view, view)).toBe(-1);
    const other = filling.allocate(view.length);
    filling.fillSync(other, 9);
    other[other.length - 1] = 8;
    expect(await filling.compare(view, other)).toBe(view.length - 1);
    view.fill(0);
  }
});
