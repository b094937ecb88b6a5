import { CopyEngine, type CopyPair, PAGE_SIZE } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isAll, isSame, pairsOf } from '../support/bytes.js';
import { boom, type Fault, failEach, methodStep, outcomeOf, spawnStep } from '../support/faults.js';
import { MANNERS } from '../support/manners.js';
import { watchWorkers } from '../support/threads.js';

const CALLS = ['copyBatch', 'copyBatchSync'] as const;
const ITEMS = 9;
const BYTES = ITEMS * PAGE_SIZE;

describe.each(MANNERS)('$schedule, $caller:', (manner) => {
  let engine: CopyEngine;
  let to: Uint8Array;
  let from: Uint8Array;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...manner, threads: 2, memory: '16M', minParallelBytes: 0 });
    to = engine.allocate(BYTES);
    from = engine.allocate(BYTES);
    fillRandom(from, 3);
  });
  afterAll(() => engine.close());
  const pairs = () => pairsOf(to, from, new Array(ITEMS).fill(PAGE_SIZE));

  async function expectNextCopies(): Promise<void> {
    to.fill(0);
    expect(await engine.copy(to, from)).toMatchObject({ bytes: BYTES, failed: [] });
    expect(isSame(to, from)).toBe(true);
    to.fill(0);
  }

  it.each(CALLS)('%s: each item that has a memory error fails, and no other', async (call) => {
    const { memory } = engine;
    const frame = (n: number): Fault => {
      const pfn = from.byteOffset / PAGE_SIZE + n - 1;
      if (n <= ITEMS) memory.poison(pfn);
      return {
        times: n <= ITEMS ? n : 0,
        [Symbol.dispose]() {
          if (memory.isPoisoned(pfn * PAGE_SIZE, 1)) memory.unpoison(pfn);
        },
      };
    };
    const failures = await failEach(frame, async (fault, n) => {
      to.fill(0);
      const { failed, items } = await engine[call](pairs());
      const expected = fault.times === 0 ? [] : [{ index: n - 1, code: 'EHWPOISON' }];
      expect([failed, items]).toEqual([expected, ITEMS - expected.length]);
      for (const [i, pair] of pairs().entries()) {
        if (expected[0]?.index !== i) expect(isSame(pair.to, pair.from)).toBe(true);
      }
      fault[Symbol.dispose]();
      await expectNextCopies();
    });
    expect(failures).toBe(ITEMS);
  });

  it.each(CALLS)('%s: whichever look at what it was given throws, nothing is copied', async (call) => {
    to.fill(0);
    const looks = { at: (pair: CopyPair, name: keyof CopyPair) => pair[name] };
    const failures = await failEach(methodStep(looks, 'at', boom), async (fault) => {
      const watched = pairs().map(
        (pair) => new Proxy(pair, { get: (_, name) => looks.at(pair, name as keyof CopyPair) }),
      );
      const result = await outcomeOf(() => engine[call](watched));
      fault[Symbol.dispose]();
      if (!result) expect(isAll(to, 0)).toBe(true);
      await expectNextCopies();
    });
    expect(failures).toBe(2 * ITEMS);
  });
});

describe('an engine whichever of whose threads cannot be started', () => {
  it('copies with the others, and leaves none behind', async () => {
    using workers = watchWorkers();
    const failures = await failEach(spawnStep, async (fault) => {
      const options = { threads: 2, memory: '16M', minParallelBytes: 0, caller: 'waits' } as const;
      const engine = await outcomeOf(() => CopyEngine.create(options), ['EAGAIN']);
      if (engine) {
        const [to, from] = [engine.allocate(BYTES), engine.allocate(BYTES)];
        fillRandom(from, 4);
        engine.threads = 3;
        await outcomeOf(() => engine.ready(), ['EAGAIN']);
        expect(await engine.copy(to, from)).toMatchObject({ bytes: BYTES, failed: [] });
        expect(isSame(to, from)).toBe(true);
        fault[Symbol.dispose]();
        await engine.ready();
        await engine.close();
      }
      expect(workers.alive.size).toBe(0);
    });
    expect(failures).toBeGreaterThanOrEqual(3);
  });
});
