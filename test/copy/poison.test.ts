import { CopyEngine, type CopyItems, type CopyPair, KiB, MiB, PAGE_SIZE } from 'mtcopy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { beforePublished } from '../support/before-published.js';
import { bytesOf, expectCopied, fillRandom, isSame, pairsOf } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { MANNERS } from '../support/manners.js';
import { METHODS } from '../support/native.js';
import { spin } from '../support/threads.js';

const pfnOf = (view: ArrayBufferView, offset = 0) => Math.floor((view.byteOffset + offset) / PAGE_SIZE);
const failure = (index: number) => ({ index, code: 'EHWPOISON' });
const sum = (pairs: readonly CopyPair[]) => pairs.reduce((bytes, { to }) => bytes + to.byteLength, 0);

function itemsOf(pairs: readonly CopyPair[]): CopyItems {
  return {
    to: Uint32Array.from(pairs, ({ to }) => to.byteOffset),
    from: Uint32Array.from(pairs, ({ from }) => from.byteOffset),
    bytes: Uint32Array.from(pairs, ({ to }) => to.byteLength),
  };
}

const cases = MANNERS.flatMap((manner) =>
  METHODS.filter((method) => method !== 'memory.copy').flatMap((method) =>
    [0, Number.POSITIVE_INFINITY].map((minParallelBytes) => ({ ...manner, method, minParallelBytes })),
  ),
);

describe.each(cases)('$schedule, $caller, $method, parallel from $minParallelBytes bytes', (options) => {
  // One for all tests: to start threads takes longer than any of them. Each leaves no frame poisoned.
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...options, threads: 3, memory: '16M' });
  });
  afterEach(() => expect(engine.memory.poisonedFrames).toBe(0));
  afterAll(() => engine.close());

  it('a poisoned frame fails its item alone', async () => {
    const [to, from] = [engine.allocate(2 * MiB), engine.allocate(2 * MiB)];
    fillRandom(from, 1);
    // Touching neighbours of whole pages, which are merged; 3 of their frames are bad, and one item more shares a frame.
    const pairs = pairsOf(to, from, [...new Array(40).fill(PAGE_SIZE), 300 * KiB, 1000, 1000, 0, 5]);
    const bad = [3, 4, 40];
    const frames = bad.map((index) => pfnOf(pairs[index].from, index === 40 ? 200 * KiB : 0));
    for (const pfn of frames) engine.memory.poison(pfn);
    for (const batch of [pairs, itemsOf(pairs)]) {
      for (const run of [() => engine.copyBatch(batch), () => engine.copyBatchSync(batch)]) {
        to.fill(0xee);
        const result = await run();
        expect(result).toMatchObject({ failed: bad.map(failure), items: pairs.length - 3 });
        expect(result.bytes).toBe(sum(pairs) - 2 * PAGE_SIZE - 300 * KiB);
        expectCopied(pairs, result.failed);
        // Known to be bad from the start, so nothing was read and nothing written.
        for (const index of bad) {
          const to = bytesOf(pairs[index].to);
          expect(to.every((byte) => byte === 0xee)).toBe(true);
        }
      }
    }
    for (const pfn of frames) engine.memory.unpoison(pfn);
  });

  it('a poisoned frame fails an item that is its own batch', async () => {
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    fillRandom(from, 2);
    // A folio that every thread has a chunk of.
    engine.memory.poison(pfnOf(from, MiB - 1));
    const pair = { to, from };
    for (const run of [() => engine.copyBatch([pair]), () => engine.copyBatchSync([pair])]) {
      expect(await run()).toMatchObject({ bytes: 0, items: 0, failed: [failure(0)] });
    }
    // A call of one item fails with it: bytes that are not there are no result.
    for (const run of [() => engine.copy(to, from), () => engine.copySync(to, from)]) {
      const message = expect.stringMatching(`frame ${pfnOf(from, MiB - 1)} has a memory error.* 0 of ${MiB} bytes`);
      expect(await errorOf(run)).toMatchObject({ name: 'ErrnoError', code: 'EHWPOISON', message });
    }
    // The byte before the bad frame.
    const length = MiB - PAGE_SIZE;
    expect(await engine.copy(to.subarray(0, length), from.subarray(0, length))).toMatchObject({
      bytes: length,
      failed: [],
    });
    engine.memory.unpoison(pfnOf(from, MiB - 1));
    expect(await engine.copy(to, from)).toMatchObject({ bytes: MiB, failed: [] });
    expect(engine.copySync(to, from)).toMatchObject({ bytes: MiB, failed: [] });
    expect(isSame(to, from)).toBe(true);
  });

  it('a foreign destination makes no difference, a foreign source cannot be poisoned', async () => {
    const [own, foreign] = [engine.allocate(MiB), new Uint8Array(new SharedArrayBuffer(MiB))];
    fillRandom(own, 3);
    engine.memory.poison(pfnOf(own, 9 * PAGE_SIZE + 1));
    const out = pairsOf(foreign, own, new Array(32).fill(2 * PAGE_SIZE));
    const result = await engine.copyBatch(out);
    expect(result).toMatchObject({ bytes: sum(out) - 2 * PAGE_SIZE, failed: [failure(4)], items: 31 });
    expectCopied(out, result.failed);
    const back = pairsOf(own, foreign, new Array(32).fill(2 * PAGE_SIZE));
    expect((await engine.copyBatch(back)).failed).toEqual([]);
    expectCopied(back);
    engine.memory.unpoison(pfnOf(own, 9 * PAGE_SIZE + 1));
  });
});

describe.each(MANNERS)('poisoned in mid-copy: $schedule, $caller', (manner) => {
  /** Poisons after the batch was checked and before any thread copies. */
  async function copyAndPoison(
    sizes: readonly number[],
    bad: readonly [item: number, offset: number][],
    toUser = false,
  ) {
    await using engine = await CopyEngine.create({ ...manner, threads: 2, memory: '16M', minParallelBytes: 0 });
    const total = sizes.reduce((bytes, size) => bytes + size, 0);
    const from = engine.allocate(total);
    const to = toUser ? new Uint8Array(new SharedArrayBuffer(total)) : engine.allocate(total);
    fillRandom(from, 4);
    const pairs = pairsOf(to, from, sizes);
    const result = await beforePublished(
      () => engine.copyBatch(pairs),
      () => {
        for (const [item, offset] of bad) engine.memory.poison(pfnOf(pairs[item].from, offset));
      },
    );
    expectCopied(pairs, result.failed);
    return { result, pairs };
  }

  it.each([false, true])('merged neighbours are copied all the same (to foreign memory: %j)', async (toUser) => {
    const { result, pairs } = await copyAndPoison(
      new Array(200).fill(PAGE_SIZE),
      [
        [17, 0],
        [18, 0],
        [150, 9],
      ],
      toUser,
    );
    expect(result.failed).toEqual([17, 18, 150].map(failure));
    expect(result.bytes).toBe(sum(pairs) - 3 * PAGE_SIZE);
    expect(result.items).toBe(197);
  });

  it('bytes count once, of an item that was partly in the descriptor of its neighbour', async () => {
    // Cut at 64 KiB, the rest of the first is merged with the second: 28 KiB, of whose frames one is bad.
    const { result } = await copyAndPoison([100 * KiB, 28 * KiB, 64 * KiB], [[1, 8 * KiB]]);
    expect(result.failed).toEqual([failure(1)]);
    expect(result.items).toBe(2);
    // A static chunk of the bad item may have been copied, which counts.
    expect(result.bytes).toBeGreaterThanOrEqual(164 * KiB);
    expect(result.bytes).toBeLessThanOrEqual((manner.schedule === 'static' ? 188 : 164) * KiB);
  });

  it('a folio in chunks fails as a whole', async () => {
    const { result } = await copyAndPoison([2 * MiB], [[0, MiB + 5]]);
    expect(result).toMatchObject({ failed: [failure(0)], items: 0 });
    expect(result.bytes).toBeLessThan(2 * MiB);
  });

  it('at any moment', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '32M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(12 * MiB), engine.allocate(12 * MiB)];
    fillRandom(from, 5);
    const pairs = pairsOf(to, from, [
      ...new Array(1000).fill(PAGE_SIZE),
      MiB,
      2 * MiB,
      ...new Array(400).fill(3 * PAGE_SIZE),
    ]);
    let failures = 0;
    for (let round = 0; round < 25; round++) {
      to.fill(0);
      const copying = engine.copyBatch(pairs);
      // Every fifth at once, before the last item can have been copied.
      if (round % 5) spin(Math.random() * 0.7);
      const bad = round % 5 ? Math.floor(Math.random() * pairs.length) : pairs.length - 1;
      const pfn = pfnOf(pairs[bad].from);
      engine.memory.poison(pfn);
      const result = await copying;
      expect([[], [failure(bad)]]).toContainEqual(result.failed);
      expectCopied(pairs, result.failed);
      if (result.failed.length === 0) expect(result.bytes).toBe(sum(pairs));
      failures += result.failed.length;
      engine.memory.unpoison(pfn);
    }
    console.info(`${manner.schedule}, ${manner.caller}: poisoned 25 times, ${failures} times before it was copied`);
    expect(failures).toBeGreaterThan(0);
  });
});

it('poison is for frames of a node, once', async () => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const view = engine.allocate(PAGE_SIZE);
  engine.memory.poison(pfnOf(view));
  expect(await errorOf(() => engine.memory.poison(pfnOf(view)))).toMatchObject({ code: 'EBUSY' });
  expect(await errorOf(() => engine.memory.poison(0))).toMatchObject({ code: 'EINVAL' });
  expect(await errorOf(() => engine.memory.unpoison(pfnOf(view) + 1))).toMatchObject({ code: 'EINVAL' });
  expect(engine.memory.poisonedFrames).toBe(1);
});
