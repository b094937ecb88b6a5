import { type DmaDeviceName, IOMMU_MODES, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import type { FaultPlan } from '#src/dma/faults.js';
import { fillRandom, isAll, isSame } from '../support/bytes.js';
import { at } from '../support/dma.js';
import { BOOM, boom, deviceStep, failEach, methodStep, outcomeOf, type Step, spawnStep } from '../support/faults.js';
import { watchWorkers } from '../support/threads.js';

const COUNT = 6;
const memory = PhysicalMemory.create({ nodes: ['8M'] });
const addresses = () => memory.allocFolios(COUNT, 0).map((pfn) => pfn * PAGE_SIZE);
const [to, from] = [addresses(), addresses()];
for (const [i, address] of from.entries()) fillRandom(at(memory, address), i + 1);

/** Maps each page by itself, copies, and unmaps, whatever fails. Returns which were copied. */
async function copyEach(engine: DmaEngine, callback: (i: number, result: number) => void): Promise<void> {
  const channel = engine.request();
  const mapped: (() => void | Promise<void>)[] = [];
  const map = (address: number, direction: 'to-device' | 'from-device') => {
    const dma = engine.mapSingle(address, PAGE_SIZE, direction);
    mapped.push(() => engine.unmapSingle(dma, address, PAGE_SIZE, direction));
    return dma;
  };
  try {
    for (let i = 0; i < COUNT; i++) {
      const [target, source] = [map(to[i], 'from-device'), map(from[i], 'to-device')];
      channel.submit(channel.prepMemcpy(target, source, PAGE_SIZE, true, (_, result) => callback(i, result)));
    }
    channel.issuePending();
    while (channel.inFlight > 0) await channel.completions(10_000);
  } finally {
    await channel.terminate().catch((error) => expect(error).toBe(BOOM));
    for (const unmap of mapped) await unmap();
    engine.release(channel);
  }
}

describe.each(IOMMU_MODES)('IOMMU %s: whichever time it is that fails of', (iommu) => {
  let engine: DmaEngine;
  beforeAll(async () => {
    engine = await DmaEngine.create({ memory, iommu, channels: 2 });
  });
  afterAll(() => engine.close());

  const ofDevice = (name: keyof FaultPlan, kind: unknown) => deviceStep(() => engine, name, kind);
  const told = { callback: (_i: number, _result: number) => {} };
  const STEPS: Record<string, Step> = {
    mapping: ofDevice('map', true),
    submission: ofDevice('submit', true),
    read: ofDevice('descriptor', 'read'),
    write: ofDevice('descriptor', 'write'),
    'a descriptor that is aborted': ofDevice('descriptor', 'abort'),
    'a thread that throws': ofDevice('descriptor', 'throw'),
    'a callback': methodStep(told, 'callback', boom),
  };

  it.each(Object.keys(STEPS))('%s', async (name) => {
    const failures = await failEach(STEPS[name], async (fault) => {
      for (const address of to) at(memory, address).fill(0);
      const results = new Map<number, number>();
      const note = (i: number, result: number) => {
        expect(results.has(i)).toBe(false);
        results.set(i, result);
        told.callback(i, result);
      };
      await outcomeOf(() => copyEach(engine, note), ['ENOMEM']);
      fault[Symbol.dispose]();
      for (let i = 0; i < COUNT; i++) {
        if (results.get(i) === 0) expect(isSame(at(memory, to[i]), at(memory, from[i]))).toBe(true);
        // What was never submitted nobody has written to.
        else if (!results.has(i)) expect(isAll(at(memory, to[i]), 0)).toBe(true);
      }
      expect(engine.freeChannels).toBe(2);
      await copyEach(engine, (i) => expect(isSame(at(memory, to[i]), at(memory, from[i]))).toBe(true));
    });
    expect(failures).toBe(name === 'mapping' ? 2 * COUNT : COUNT);
  });
});

it.each<DmaDeviceName>(['ptdma', 'dsa'])(
  '%s: whichever thread cannot be started, what is issued is called back',
  async (device) => {
    using workers = watchWorkers();
    const failures = await failEach(spawnStep, async (fault) => {
      await using engine = await DmaEngine.create({ memory, device, channels: 2 });
      const channels = [engine.request(), engine.request()];
      const results: number[] = [];
      for (const channel of channels) {
        const note = (_: number, result: number) => results.push(result);
        channel.submit(channel.prepMemcpy(to[0], from[0], PAGE_SIZE, true, note));
        channel.issuePending();
        while (channel.inFlight > 0) await channel.completions(10_000);
      }
      expect(results).toHaveLength(2);
      fault[Symbol.dispose]();
      for (const channel of channels) {
        channel.submit(channel.prepMemcpy(to[0], from[0], PAGE_SIZE, true));
        channel.issuePending();
        while (channel.inFlight > 0) expect(await channel.completions(10_000)).toBe(true);
        engine.release(channel);
      }
      expect(isSame(at(memory, to[0]), at(memory, from[0]))).toBe(true);
    });
    expect(failures).toBe(2);
    expect(workers.alive.size).toBe(0);
  },
);
