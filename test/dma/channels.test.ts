import { PhysicalMemory } from 'mtcopy';
import { expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { ATTACHED, DETACHED, STATE } from '#src/dma/worker/ring.js';
import { at } from '../support/dma.js';
import { errno } from '../support/errors.js';
import { until } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

const memory = PhysicalMemory.create({ nodes: ['16M'] });
const [to, from] = memory.allocFolios(2, 0).map((pfn) => pfn * 4096);

it('are the requester’s alone until they are released', async () => {
  await using engine = await DmaEngine.create({ memory, channels: 2 });
  const [first, second] = [engine.request(), engine.request('memcpy')];
  expect(first).not.toBe(second);
  expect(() => engine.request()).toThrow(errno('ENODEV'));
  engine.release(second);
  expect(engine.request()).toBe(second);
  engine.release(first);
  expect(() => engine.release(first)).toThrow(errno('EINVAL'));
  await using other = await DmaEngine.create({ memory });
  expect(() => other.release(second)).toThrow(errno('EINVAL'));
});

it('whose threads are there are given before others', async () => {
  await using engine = await DmaEngine.create({ memory, channels: 4 });
  const [first, second, third] = [engine.request(), engine.request(), engine.request()];
  await second.ready();
  engine.release(second);
  engine.release(first);
  engine.release(third);
  expect(engine.request()).toBe(second);
  expect(engine.request()).toBe(third);
});

it('are given by what they can do', async () => {
  await using ptdma = await DmaEngine.create({ memory });
  expect(() => ptdma.request('memcpy-sg')).toThrow(errno('ENODEV'));
  await using dsa = await DmaEngine.create({ memory, device: 'dsa' });
  expect(dsa.request('memcpy-sg').capabilities).toContain('memcpy-sg');
});

it('are not given back with descriptors in flight', async () => {
  await using engine = await DmaEngine.create({ memory });
  const channel = engine.request();
  channel.submit(channel.prepMemcpy(to, from, 4096));
  expect(() => engine.release(channel)).toThrow(errno('EBUSY'));
  await channel.terminate();
  engine.release(channel);
});

it('have a thread each, once something is issued, which ends with the engine', async () => {
  using workers = watchWorkers();
  const engine = await DmaEngine.create({ memory, channels: 3 });
  const channels = [engine.request(), engine.request()];
  expect(workers.alive.size).toBe(0);
  await Promise.all(channels.map((channel) => channel.ready()));
  expect(workers.alive.size).toBe(2);
  await engine.close();
  expect(workers.alive.size).toBe(0);
  expect(() => engine.request()).toThrow(errno('ESHUTDOWN'));
  channels[0].submit(channels[0].prepMemcpy(to, from, 4096));
  expect(() => channels[0].issuePending()).toThrow(errno('ESHUTDOWN'));
});

it('that nobody has rest, also while others are in use', async () => {
  await using engine = await DmaEngine.create({ memory, channels: 2 });
  const [first, second] = [engine.request(), engine.request()];
  await Promise.all([first.ready(), second.ready()]);
  engine.release(first);
  engine.release(second);
  expect(engine.request()).toBe(second);
  await until(() => Atomics.load(first.words, STATE) === DETACHED, 10_000);
  expect(Atomics.load(second.words, STATE)).toBe(ATTACHED);
});

it('call back what is in flight as aborted when their engine is closed', async () => {
  const engine = await DmaEngine.create({ memory });
  const channel = engine.request();
  engine.faults = { descriptor: () => 'silence' };
  const results: number[] = [];
  for (let i = 0; i < 3; i++) {
    channel.submit(channel.prepMemcpy(to, from, 4096, true, (_cookie, result) => results.push(result)));
  }
  channel.issuePending();
  const waiting = channel.completions(10_000);
  await engine.close();
  expect(await waiting).toBe(true);
  expect(results).toEqual([3, 3, 3]);
});

it('copy on when their thread has rested', async () => {
  using workers = watchWorkers();
  await using engine = await DmaEngine.create({ memory });
  for (let round = 0; round < 3; round++) {
    const channel = engine.request();
    at(memory, from).fill(round + 1);
    channel.submit(channel.prepMemcpy(to, from, 4096, true));
    channel.issuePending();
    expect(await channel.completions(10_000)).toBe(true);
    expect(at(memory, to)[4095]).toBe(round + 1);
    engine.release(channel);
    channel.rest();
    // At any moment of its leaving, the second time.
    if (round === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(workers.alive.size).toBe(1);
});

it('refuse options that are wrong', async () => {
  const wrong: [object, string][] = [
    [{ device: 'ioat' }, 'ENODEV'],
    [{ iommu: 'off' }, 'EINVAL'],
    [{ channels: 0 }, 'EINVAL'],
    [{ queueDepth: 1.5 }, 'EINVAL'],
    [{ bandwidth: 0 }, 'EINVAL'],
    [{ descriptorNs: -1 }, 'EINVAL'],
    [{ memory: {} }, 'EINVAL'],
    [{ depth: 3 }, 'EINVAL'],
  ];
  for (const [options, code] of wrong) {
    await expect(DmaEngine.create({ memory, ...options } as never)).rejects.toThrow(errno(code));
  }
});
