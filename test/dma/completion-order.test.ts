import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import type { DmaChannel } from '#src/dma/channel.js';
import { DMA_DEVICES, type DmaDeviceName } from '#src/dma/device.js';
import { DmaEngine } from '#src/dma/engine.js';
import { DONE, IRQ } from '#src/dma/worker/ring.js';
import { holdThreads } from '../support/holds.js';

const memory = PhysicalMemory.create({ nodes: ['16M'] });
const [to, from] = memory.allocFolios(2, 9).map((pfn) => pfn * PAGE_SIZE);

/** Copies 40 pages, a few kept back until the others are complete; returns cookies in the order of their completion. */
async function copyPages(channel: DmaChannel, interrupt: (i: number) => boolean): Promise<number[]> {
  const order: number[] = [];
  for (let i = 0; i < 40; i++) {
    const prepared = channel.prepMemcpy(to + i * PAGE_SIZE, from + i * PAGE_SIZE, PAGE_SIZE, interrupt(i), (cookie) => {
      expect(channel.txStatus(cookie)).toBe('DMA_COMPLETE');
      order.push(cookie);
    });
    channel.submit(prepared);
  }
  channel.issuePending();
  while (channel.inFlight > 0) expect(await channel.completions(10_000)).toBe(true);
  return order;
}

it.each(Object.keys(DMA_DEVICES) as DmaDeviceName[])('each descriptor is called back once: %s', async (device) => {
  await using engine = await DmaEngine.create({ memory, device });
  const channel = engine.request();
  let count = 0;
  for (const fault of ['none', 'last'] as const) {
    engine.faults = { descriptor: () => (++count % 3 === 0 ? fault : 'none') };
    const order = await copyPages(channel, (i) => i === 20);
    expect(order.length).toBe(40);
    expect(new Set(order).size).toBe(40);
  }
});

it.each([
  { device: 'ptdma', first: 'large' },
  { device: 'dsa', first: 'small' },
] as const)(
  'a small descriptor behind a large one: $device has the $first one complete first',
  async ({ device, first }) => {
    using holds = holdThreads();
    await using engine = await DmaEngine.create({ memory, device });
    const channel = engine.request();
    const [large, small] = [2 ** 21, PAGE_SIZE].map((bytes) =>
      channel.submit(channel.prepMemcpy(to, from, bytes, true)),
    );
    // The thread stands there once the first of both is complete, before the second is.
    using counted = holds.at({ operation: 'store', array: channel.words, index: DONE, value: 1, when: 'after' });
    channel.issuePending();
    await counted.held();
    const complete = { large: 'DMA_COMPLETE', small: 'DMA_IN_PROGRESS' };
    if (first === 'small') Object.assign(complete, { large: 'DMA_IN_PROGRESS', small: 'DMA_COMPLETE' });
    expect({ large: channel.txStatus(large), small: channel.txStatus(small) }).toEqual(complete);
    counted.go();
    while (channel.inFlight > 0) await channel.completions(10_000);
  },
);

it('a device that interrupts for each descriptor does, another where it is asked to and at the end', async () => {
  const interrupts: number[] = [];
  for (const device of ['ptdma', 'sdxi'] as const) {
    await using engine = await DmaEngine.create({ memory, device });
    const channel = engine.request();
    await channel.ready();
    for (const wanted of [[39], [3, 39], []]) {
      const before = Atomics.load(channel.words, IRQ);
      await copyPages(channel, (i) => wanted.includes(i));
      interrupts.push(Atomics.load(channel.words, IRQ) - before);
    }
  }
  expect(interrupts.slice(0, 3)).toEqual([40, 40, 40]);
  // The last may be complete before others, which are told of when there is nothing left to do.
  expect(interrupts[3]).toBeLessThanOrEqual(2);
  expect(interrupts[4]).toBeLessThanOrEqual(3);
  expect(interrupts[5]).toBe(1);
});
