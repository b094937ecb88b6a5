import { PhysicalMemory } from 'mtcopy';
import { expect, it, vi } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { DONE, SILENCE, TERMINATE } from '#src/dma/worker/ring.js';
import { at } from '../support/dma.js';
import { errno } from '../support/errors.js';
import { holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';

const memory = PhysicalMemory.create({ nodes: ['16M'] });
const frames = Array.from(memory.allocFolios(6, 0), (pfn) => pfn * 4096) as [
  number,
  number,
  number,
  number,
  number,
  number,
];

it.each(['ptdma', 'dsa', 'sdxi'] as const)(
  '%s: what a thread had begun when it threw is copied by no later one',
  async (device) => {
    await using engine = await DmaEngine.create({ memory, device });
    const channel = engine.request();
    const [first, second, third, a, b, c] = frames;
    for (const [i, frame] of frames.entries()) at(memory, frame).fill(0x11 * (i + 1));
    let asked = 0;
    engine.faults = { descriptor: () => (asked++ === 1 ? 'throw' : 'none') };
    const results: number[] = [];
    const note = (_cookie: number, result: number) => void results.push(result);
    channel.submit(channel.prepMemcpy(a, first, 4096, true, note));
    channel.submit(channel.prepMemcpy(b, second, 4096, true, note));
    channel.issuePending();
    while (channel.inFlight > 0) await channel.completions(10_000);
    engine.faults = undefined;
    // Somebody else's by now.
    for (const frame of [a, b]) at(memory, frame).fill(0xee);
    for (let i = 0; i < 8; i++) {
      channel.submit(channel.prepMemcpy(c, third, 4096, true, note));
      channel.issuePending();
      while (channel.inFlight > 0) expect(await channel.completions(10_000)).toBe(true);
    }
    expect(results).toHaveLength(10);
    expect(at(memory, c).every((byte) => byte === 0x33)).toBe(true);
    for (const frame of [a, b]) expect(at(memory, frame).every((byte) => byte === 0xee)).toBe(true);
  },
);

it('what was prepared before the channel was terminated cannot be submitted any more', async () => {
  await using engine = await DmaEngine.create({ memory });
  const channel = engine.request();
  await channel.ready();
  const [from, , , to, other] = frames;
  at(memory, to).fill(0xee);
  const prepared = channel.prepMemcpy(to, from, 4096, true);
  const terminating = channel.terminate();
  expect(() => channel.submit(prepared)).toThrow(errno('EINVAL'));
  expect(channel.prepMemcpy(to, from, 4096)).toBe(0);
  await terminating;
  channel.submit(channel.prepMemcpy(other, from, 4096, true));
  channel.issuePending();
  expect(await channel.completions(10_000)).toBe(true);
  expect([channel.inFlight, at(memory, to)[0]]).toEqual([0, 0xee]);
});

it('what a thread has completed and not counted as it ended is called back, and the channel goes on', async () => {
  using holds = holdThreads();
  await using engine = await DmaEngine.create({ memory });
  const channel = engine.request();
  await channel.ready();
  const [first, second, , to, other] = frames;
  at(memory, first).fill(0x11);
  const results: number[] = [];
  const note = (_cookie: number, result: number) => void results.push(result);
  // The record is written by then.
  using counting = holds.at({ operation: 'store', array: channel.words, index: DONE });
  channel.submit(channel.prepMemcpy(to, first, 4096, true, note));
  channel.issuePending();
  const completing = channel.completions(10_000);
  await counting.held();
  await counting.end();
  expect(await completing).toBe(true);
  expect([channel.inFlight, at(memory, to)[4095]]).toEqual([0, 0x11]);
  channel.submit(channel.prepMemcpy(other, second, 4096, true, note));
  channel.issuePending();
  expect(await channel.completions(10_000)).toBe(true);
  expect(results).toEqual([0, 0]);
  engine.release(channel);
});

it('what was never issued is given up with ECANCELED, also if the thread comes to it before it is told to drop it', async () => {
  await using engine = await DmaEngine.create({ memory });
  const channel = engine.request();
  await channel.ready();
  const [first, second, , a, b] = frames;
  const errnos: number[] = [];
  const note = (_cookie: number, _result: number, errno: number) => void errnos.push(errno);
  engine.faults = { descriptor: () => 'silence' };
  channel.submit(channel.prepMemcpy(a, first, 4096, true, note));
  channel.issuePending();
  await until(() => (Atomics.load(channel.words, SILENCE) & 1) === 1);
  engine.faults = undefined;
  channel.submit(channel.prepMemcpy(b, second, 4096, true, note));
  // The thread goes on as the caller is about to tell it, and is through with all that it finds by then.
  const store = Atomics.store as (array: unknown, index: number, value: unknown) => never;
  const telling = vi.spyOn(Atomics, 'store').mockImplementation((array: unknown, index, value) => {
    if (array === channel.words && index === TERMINATE) {
      Atomics.add(channel.words, SILENCE, 1);
      Atomics.notify(channel.words, SILENCE);
      while (Atomics.load(channel.words, DONE) < 2);
    }
    return store(array, index, value);
  });
  const terminating = channel.terminate();
  telling.mockRestore();
  await terminating;
  expect(errnos).toEqual([0, 125]);
});
