import fc from 'fast-check';
import { type CallerMode, CopyEngine, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import type { Batch } from '#src/copy/batch/batch.js';
import { openLists } from '#src/copy/batch/lists.js';
import { gainsFromOrder, HEAD_ITEMS, orderBySource } from '#src/copy/batch/source-order.js';
import { survey } from '#src/copy/batch/survey.js';
import { createTally } from '#src/copy/batch/tally.js';
import { takeAll } from '#src/steps.js';
import { holdThreads } from '../../support/holds.js';

function batchOf(from: Uint32Array, bytes = new Uint32Array(from.length).fill(PAGE_SIZE)): Batch {
  const items = { to: from.map((address) => address + 2 ** 30), from, bytes };
  return {
    ...items,
    work: { kind: 'copy' },
    index: undefined,
    foreign: [],
    seen: survey(items),
    tally: createTally(),
    lists: openLists(),
    streams: false,
  };
}

const pages = (count: number, pageOf: (i: number) => number) =>
  Uint32Array.from({ length: count }, (_, i) => pageOf(i) * PAGE_SIZE);

const COUNT = 8 * HEAD_ITEMS;

/** Shuffled pages of one node, to be copied to shuffled pages of another, each with a mark of its own. */
async function open(caller: CallerMode) {
  const memory = PhysicalMemory.create({ nodes: ['128M', '128M'] });
  const address = (pfn: number) => pfn * PAGE_SIZE;
  const from = memory.allocFolios(COUNT, 0, { node: 0, frames: 'shuffled', seed: 3 }).map(address);
  const to = memory.allocFolios(COUNT, 0, { node: 1, frames: 'shuffled', seed: 4 }).map(address);
  const words = new Uint32Array(memory.buffer);
  const mark = (start: number) => words[start / 4 + 1000];
  for (const [i, start] of from.entries()) words[start / 4 + 1000] = i + 1;
  const items = { to, from, bytes: new Uint32Array(COUNT).fill(PAGE_SIZE) };
  return { engine: await CopyEngine.create({ memory, threads: 1, caller }), items, mark, to };
}

describe('the order of sources', () => {
  it('is a permutation that leaves the head alone and ascends after it, for any sources', () => {
    const sources = fc.array(fc.nat(2 ** 22), { minLength: HEAD_ITEMS, maxLength: HEAD_ITEMS + 2000 });
    fc.assert(
      fc.property(sources, (addresses) => {
        const bytes = Uint32Array.from(addresses, (_, i) => (i % 7 === 0 ? 0 : PAGE_SIZE));
        const batch = batchOf(Uint32Array.from(addresses), bytes);
        const order = takeAll(orderBySource(batch));
        expect(Array.from(order.subarray(0, HEAD_ITEMS))).toEqual(Array.from({ length: HEAD_ITEMS }, (_, i) => i));
        expect(Array.from(order).sort((a, b) => a - b)).toEqual(addresses.map((_, i) => i));
        const pagesRead = Array.from(order.subarray(HEAD_ITEMS))
          .filter((i) => i % 7 !== 0)
          .map((i) => Math.floor(addresses[i] / PAGE_SIZE));
        expect(pagesRead).toEqual(pagesRead.slice().sort((a, b) => a - b));
      }),
      { numRuns: 20 },
    );
  });

  it('is for many small scattered items that read most of what they span', () => {
    const count = 4 * HEAD_ITEMS;
    const backwards = pages(count, (i) => count - i);
    expect(gainsFromOrder(batchOf(backwards))).toBe(true);
    expect(gainsFromOrder(batchOf(pages(count, (i) => i)))).toBe(false);
    expect(gainsFromOrder(batchOf(pages(count, (i) => 3 * (count - i))))).toBe(false);
    expect(gainsFromOrder(batchOf(backwards.subarray(0, HEAD_ITEMS)))).toBe(false);
    const large = new Uint32Array(count).fill(2 ** 18);
    expect(
      gainsFromOrder(
        batchOf(
          pages(count, (i) => 64 * (count - i)),
          large,
        ),
      ),
    ).toBe(false);
  });

  it.each(['waits', 'helps'] as const)('moves every page to its place, caller %s', async (caller) => {
    const { engine, items, mark, to } = await open(caller);
    await using _ = engine;
    expect((await engine.copyBatch(items)).failed).toEqual([]);
    expect(to.findIndex((start, i) => mark(start) !== i + 1)).toBe(-1);
  });

  it('says what an abort left', async () => {
    using holds = holdThreads();
    const { engine, items, mark, to } = await open('waits');
    await using _ = engine;
    // The worker stops before its 90th unit: some of those that are in order are copied, and most of the batch isn't.
    using claim = holds.at({ operation: 'compareExchange', value: 1, nth: 90 });
    const controller = new AbortController();
    const copying = engine.copyBatch(items, { signal: controller.signal });
    await claim.held();
    controller.abort();
    claim.go();
    const { result } = await copying.then(
      () => expect.unreachable('what is held is not over'),
      (error) => error,
    );
    const failed = new Set(result.failed.map(({ index }: { index: number }) => index));
    expect(result.items + failed.size).toBe(COUNT);
    expect(result.items).toBeGreaterThan(HEAD_ITEMS);
    expect(result.items).toBeLessThan(COUNT);
    expect(result.bytes).toBe(result.items * PAGE_SIZE);
    expect(to.findIndex((start, i) => !failed.has(i) && mark(start) !== i + 1)).toBe(-1);
    expect(to.findIndex((start, i) => failed.has(i) && mark(start) === i + 1)).toBe(-1);
  });
});
