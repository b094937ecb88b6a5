import fc from 'fast-check';
import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { DMA_DEVICES, type DmaDeviceName } from '#src/dma/device.js';
import { DmaEngine } from '#src/dma/engine.js';
import { createSgTable, type SgTable } from '#src/dma/sg-table.js';
import { fillRandom, snapshot } from '../support/bytes.js';
import { at } from '../support/dma.js';
import { errno } from '../support/errors.js';

const PAGES = 96;
const IOMMUS = ['none', 'passthrough', 'translated'] as const;
const DEVICES = Object.keys(DMA_DEVICES) as DmaDeviceName[];

/** Cuts `total` bytes into ranges at the given places, each in frames of its own. */
interface Cut {
  readonly sizes: number[];
  /** Where in its first page each range begins. */
  readonly offsets: number[];
}

const cut: fc.Arbitrary<Cut> = fc.record({
  sizes: fc.array(fc.oneof(fc.integer({ min: 1, max: 3 * PAGE_SIZE }), fc.constant(PAGE_SIZE)), {
    minLength: 1,
    maxLength: 12,
  }),
  offsets: fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: PAGE_SIZE - 1 })), {
    minLength: 12,
    maxLength: 12,
  }),
});

/** Ranges over frames that lie in any order, 4 pages for each, from a shuffled list. */
function tableOf({ sizes, offsets }: Cut, frames: Uint32Array): SgTable {
  const address = Uint32Array.from(sizes, (_, i) => frames[i] * PAGE_SIZE + offsets[i]);
  return createSgTable(address, Uint32Array.from(sizes));
}

/** Cuts the same number of bytes into other ranges. */
function recut(total: number, { sizes, offsets }: Cut): Cut {
  const cutSizes: number[] = [];
  let left = total;
  for (let i = 0; left > 0; i++) {
    // No more ranges than there are frames for.
    const size = Math.min(left, Math.max(sizes[i % sizes.length], Math.ceil(total / 40)));
    cutSizes.push(size);
    left -= size;
  }
  return { sizes: cutSizes, offsets: cutSizes.map((_, i) => offsets[i % offsets.length]) };
}

/** Copies by the tables byte by byte on a copy of the memory from an address on: what must come out. */
function expected(view: Uint8Array, start: number, to: SgTable, from: SgTable): Buffer {
  const result = snapshot(view);
  const source: number[] = [];
  from.address.forEach((address, i) => {
    for (let byte = 0; byte < from.bytes[i]; byte++) source.push(view[address - start + byte]);
  });
  let next = 0;
  to.address.forEach((address, i) => {
    for (let byte = 0; byte < to.bytes[i]; byte++) result[address - start + byte] = source[next++];
  });
  return result;
}

/** Copies one mapped table to another with some channels; by one descriptor if they can. Returns the results. */
async function copyTable(engine: DmaEngine, to: SgTable, from: SgTable, channels: number): Promise<number[]> {
  const mine = Array.from({ length: channels }, () => engine.request());
  const results: number[] = [];
  const note = (_: number, result: number) => results.push(result);
  if (hasSg(engine)) mine[0].submit(mine[0].prepMemcpySg(to, from, true, note));
  else {
    for (let i = 0; i < from.bytes.length; i++) {
      const channel = mine[i % channels];
      channel.submit(channel.prepMemcpy(to.dma[i], from.dma[i], from.bytes[i], true, note));
    }
  }
  for (const channel of mine) channel.issuePending();
  for (const channel of mine) {
    while (channel.inFlight > 0) await channel.completions(10_000);
    engine.release(channel);
  }
  return results;
}

function hasSg({ device }: DmaEngine): boolean {
  return device.capabilities.includes('memcpy-sg');
}

describe.each(IOMMUS)('IOMMU %s:', (iommu) => {
  it.each(DEVICES)('a table’s bytes come to another’s, and to nowhere else, by %s', async (device) => {
    const memory = PhysicalMemory.create({ nodes: ['2M', '2M'] });
    const start = memory.startAddress;
    const view = memory.bytes.subarray(start);
    await using engine = await DmaEngine.create({ memory, iommu, device });
    const folios = memory.allocFolios(PAGES, 2, { frames: 'shuffled', seed: 3 });
    const others = memory.allocFolios(PAGES, 2, { node: 1, frames: 'shuffled', seed: 4 });
    await fc.assert(
      fc.asyncProperty(cut, cut, fc.integer(), fc.integer({ min: 1, max: 4 }), async (a, b, seed, channels) => {
        fillRandom(view, seed);
        const from = tableOf(a, folios);
        const total = a.sizes.reduce((sum, size) => sum + size, 0);
        // Ranges that are cut alike, where one descriptor copies one range.
        const to = tableOf(hasSg(engine) ? recut(total, b) : { ...a, offsets: b.offsets }, others);
        const wanted = expected(view, start, to, from);
        engine.mapSg(from, 'to-device');
        engine.mapSg(to, 'from-device');
        const results = await copyTable(engine, to, from, channels);
        await engine.unmapSg(from);
        await engine.unmapSg(to);
        expect(results).toEqual(new Array(hasSg(engine) ? 1 : a.sizes.length).fill(0));
        expect(snapshot(view).equals(wanted)).toBe(true);
      }),
      { numRuns: 12 },
    );
  });
});

it('a descriptor of tables is refused where it can’t be', async () => {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  const frames = memory.allocFolios(4, 0);
  const table = (...bytes: number[]) =>
    createSgTable(
      Uint32Array.from(bytes, (_, i) => frames[i] * PAGE_SIZE),
      Uint32Array.from(bytes),
    );
  await using ptdma = await DmaEngine.create({ memory });
  expect(() => ptdma.request().prepMemcpySg(table(1), table(1))).toThrow(errno('EOPNOTSUPP'));
  await using dsa = await DmaEngine.create({ memory, device: 'dsa' });
  const channel = dsa.request();
  expect(() => channel.prepMemcpySg(table(5, 5), table(11))).toThrow(errno('EINVAL'));
  expect(() => channel.prepMemcpySg(table(), table())).toThrow(errno('EINVAL'));
  expect(() => createSgTable(new Uint32Array(2), new Uint32Array(1))).toThrow(errno('EINVAL'));
  const many = new Uint32Array(5000).fill(1);
  const long = createSgTable(new Uint32Array(5000).fill(frames[0] * PAGE_SIZE), many);
  expect(() => channel.prepMemcpySg(long, long)).toThrow(errno('E2BIG'));
});

it('a queue whose ranges are used up has room again once they are copied', async () => {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  const [to, from] = memory.allocFolios(2, 2).map((pfn) => pfn * PAGE_SIZE);
  await using engine = await DmaEngine.create({ memory, device: 'sdxi', queueDepth: 16 });
  const channel = engine.request();
  const count = 900;
  const ranges = (start: number) =>
    createSgTable(
      Uint32Array.from({ length: count }, (_, i) => start + 2 * i),
      new Uint32Array(count).fill(1),
    );
  const [target, source] = [ranges(to), ranges(from)];
  engine.mapSg(target, 'from-device');
  engine.mapSg(source, 'to-device');
  for (let round = 1; round <= 7; round++) {
    at(memory, from).fill(round);
    let refused = false;
    let submitted = 0;
    while (!refused) {
      const prepared = channel.prepMemcpySg(target, source);
      refused = prepared === 0;
      if (!refused) channel.submit(prepared);
      if (!refused) submitted++;
    }
    expect(submitted).toBe(4);
    channel.issuePending();
    while (channel.inFlight > 0) await channel.completions(10_000);
    expect(at(memory, to).filter((byte) => byte === round).length).toBe(count);
  }
});

it('of a table with a poisoned frame no byte is copied, also of the ranges before it', async () => {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  const [to, from, other, poisoned] = memory.allocFolios(4, 0).map((pfn) => pfn * PAGE_SIZE);
  await using engine = await DmaEngine.create({ memory, device: 'sdxi' });
  const channel = engine.request();
  const target = createSgTable(Uint32Array.of(to, other), Uint32Array.of(PAGE_SIZE, PAGE_SIZE));
  const source = createSgTable(Uint32Array.of(from, poisoned), Uint32Array.of(PAGE_SIZE, PAGE_SIZE));
  engine.mapSg(target, 'from-device');
  engine.mapSg(source, 'to-device');
  at(memory, from).fill(1);
  memory.poison(poisoned / PAGE_SIZE);
  const results: number[] = [];
  channel.submit(channel.prepMemcpySg(target, source, true, (_, result) => results.push(result)));
  channel.issuePending();
  await channel.completions(10_000);
  expect(results).toEqual([1]);
  expect(at(memory, to)).toEqual(new Uint8Array(PAGE_SIZE));
});
