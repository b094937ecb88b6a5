import fc from 'fast-check';
import { CopyEngine, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import type { Batch } from '#src/copy/batch/batch.js';
import { gainsFromOrder, HEAD_ITEMS, orderBySource } from '#src/copy/batch/source-order.js';
import { survey } from '#src/copy/batch/survey.js';
import { createTally } from '#src/copy/batch/tally.js';
import { takeAll } from '#src/steps.js';

function batchOf(from: Uint32Array, bytes = new Uint32Array(from.length).fill(PAGE_SIZE)): Batch {
  const items = { to: from.map((address) => address + 2 ** 30), from, bytes };
  return {
    ...items,
    index: undefined,
    foreign: [],
    seen: survey(items),
    tally: createTally(),
  };
}

const pages = (count: number, pageOf: (i: number) => number) =>
  Uint32Array.from({ length: count }, (_, i) => pageOf(i) * PAGE_SIZE);

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

  it.each(['waits', 'helps'] as const)(
    'moves every page to its place and says what an abort left (%s)',
    async (caller) => {
      const count = 8 * HEAD_ITEMS;
      const memory = PhysicalMemory.create({ nodes: ['128M', '128M'] });
      const address = (pfn: number) => pfn * PAGE_SIZE;
      const from = memory.allocFolios(count, 0, { node: 0, frames: 'shuffled', seed: 3 }).map(address);
      const to = memory.allocFolios(count, 0, { node: 1, frames: 'shuffled', seed: 4 }).map(address);
      const items = { to, from, bytes: new Uint32Array(count).fill(PAGE_SIZE) };
      const words = new Uint32Array(memory.buffer);
      const mark = (start: number) => words[start / 4 + 1000];
      for (const [i, start] of from.entries()) words[start / 4 + 1000] = i + 1;
      const engine = await CopyEngine.create({ memory, threads: 2, caller });
      try {
        expect((await engine.copyBatch(items)).failed).toEqual([]);
        expect(to.findIndex((start, i) => mark(start) !== i + 1)).toBe(-1);
        for (const start of to) words[start / 4 + 1000] = 0;
        const controller = new AbortController();
        const copying = engine.copyBatch(items, { signal: controller.signal });
        controller.abort();
        const { result } = await copying.then(
          () => expect.unreachable('an abort at the start leaves most of it'),
          (error) => error,
        );
        const failed = new Set(result.failed.map(({ index }: { index: number }) => index));
        expect(result.items + failed.size).toBe(count);
        expect(result.bytes).toBe(result.items * PAGE_SIZE);
        expect(to.findIndex((start, i) => !failed.has(i) && mark(start) !== i + 1)).toBe(-1);
      } finally {
        await engine.close();
      }
    },
  );
});
