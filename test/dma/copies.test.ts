import { MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { fillRandom, isSame } from '../support/bytes.js';

it('copies a range', async () => {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  await using engine = await DmaEngine.create({ memory });
  const channel = engine.request();
  const [from, to] = [memory.allocFolio(9).pfn * PAGE_SIZE, memory.allocFolio(9).pfn * PAGE_SIZE];
  const view = (address: number) => memory.bytes.subarray(address, address + 2 * MiB);
  fillRandom(view(from), 1);
  const called: number[][] = [];
  const cookie = channel.submit(
    channel.prepMemcpy(to, from, 2 * MiB, true, (...result) => {
      called.push(result);
    }),
  );
  expect(channel.txStatus(cookie)).toBe('DMA_IN_PROGRESS');
  channel.issuePending();
  expect(await channel.completions(10_000)).toBe(true);
  expect(called).toEqual([[cookie, 0, 0]]);
  expect(channel.txStatus(cookie)).toBe('DMA_COMPLETE');
  expect(isSame(view(to), view(from))).toBe(true);
  engine.release(channel);
});
