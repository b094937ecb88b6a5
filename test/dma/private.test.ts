import fc from 'fast-check';
import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import type { DmaChannel, MemcpyMode } from '#src/dma/channel.js';
import { DmaEngine, type DmaHardware, IOMMU_MODES } from '#src/dma/engine.js';
import { createSgTable } from '#src/dma/sg-table.js';
import { createCopyPrivate } from '#src/dma/worker/private.js';
import { SCRAMBLE } from '#src/dma/worker/ring.js';
import { errnoName } from '#src/errno.js';
import { PoisonMap } from '#src/memory/poison-map.js';
import { fillRandom, isSame, snapshot } from '../support/bytes.js';
import { at } from '../support/dma.js';
import { errno } from '../support/errors.js';
import { watchWorkers } from '../support/threads.js';
import { pathsOf } from '../support/walk.js';

const KEY = 0xc0ffee11;
/** Pages of each of the two areas that are copied between. */
const PAGES = 8;
const WORDS = (PAGES * PAGE_SIZE) / 4;

async function open(hardware: DmaHardware = {}) {
  const memory = PhysicalMemory.create({ nodes: ['8M', '8M'] });
  const engine = await DmaEngine.create({ memory, key: KEY, ...hardware });
  return { memory, engine, [Symbol.asyncDispose]: () => engine.close() };
}

/** Runs one descriptor; returns the name of its errno. */
async function run(channel: DmaChannel, to: number, from: number, bytes: number, mode?: MemcpyMode) {
  let outcome: string | undefined;
  const note = (_cookie: number, _result: number, code: number) => {
    outcome = code === 0 ? 'copied' : errnoName(code);
  };
  channel.submit(channel.prepMemcpy(to, from, bytes, true, note, mode));
  channel.issuePending();
  while (channel.inFlight > 0) await channel.completions(10_000);
  return outcome;
}

/** An area of the device's addresses, over frames in any order where it translates, and what seals it. */
async function createArea(engine: DmaEngine, memory: PhysicalMemory, seed: number) {
  const first = memory.allocFolio(3).pfn;
  const pfns =
    engine.iommu === 'translated'
      ? memory.allocFolios(PAGES, 0, { frames: 'shuffled', seed })
      : Uint32Array.from({ length: PAGES }, (_, i) => first + i);
  const addresses = pfns.map((pfn) => pfn * PAGE_SIZE);
  const [reading, writing] = [0, 0].map(() => createSgTable(addresses, new Uint32Array(PAGES).fill(PAGE_SIZE)));
  engine.mapSg(reading, 'to-device');
  engine.mapSg(writing, 'from-device');
  const words = () => {
    const all = new Uint32Array(WORDS);
    for (const [i, address] of addresses.entries()) all.set(wordsAt(memory, address), (i * PAGE_SIZE) / 4);
    return all;
  };
  const set = (all: Uint32Array) => {
    for (const [i, address] of addresses.entries())
      wordsAt(memory, address).set(all.subarray((i * PAGE_SIZE) / 4, ((i + 1) * PAGE_SIZE) / 4));
  };
  // What zeros become is what everything is XORed with.
  set(new Uint32Array(WORDS));
  for (const address of addresses) await engine.seal(address, PAGE_SIZE);
  return { addresses, reading: reading.dma[0], writing: writing.dma[0], words, set, pad: words() };
}

function wordsAt(memory: PhysicalMemory, address: number): Uint32Array {
  return new Uint32Array(memory.buffer, address, PAGE_SIZE / 4);
}

describe.each(IOMMU_MODES)('IOMMU %s:', (iommu) => {
  it.each(['ptdma', 'dsa'] as const)(
    'what is private is sealed anew for wherever it is copied, by a %s',
    async (device) => {
      await using made = await open({ iommu, device });
      const { engine, memory } = made;
      const source = await createArea(engine, memory, 1);
      const target = await createArea(engine, memory, 2);
      const channel = engine.request('private');
      const place = fc.integer({ min: 0, max: WORDS - 1 });
      let seed = 0;
      const copies = fc.asyncProperty(place, place, place, async (from, to, most) => {
        const count = 1 + Math.min(most, WORDS - 1 - from, WORDS - 1 - to);
        const plain = new Uint32Array(WORDS);
        fillRandom(plain, ++seed);
        source.set(plain.map((word, i) => word ^ source.pad[i]));
        const expected = new Uint32Array(WORDS);
        fillRandom(expected, ++seed);
        target.set(expected);
        expect(await run(channel, target.writing + to * 4, source.reading + from * 4, count * 4, 'private')).toBe(
          'copied',
        );
        for (let i = 0; i < count; i++) expected[to + i] = plain[from + i] ^ target.pad[to + i];
        expect(isSame(target.words(), expected)).toBe(true);
      });
      await fc.assert(copies, { numRuns: 60 });
    },
  );

  it('a range is sealed where it stands, and unsealed', async () => {
    await using made = await open({ iommu });
    const { engine, memory } = made;
    const address = memory.allocFolio(4).pfn * PAGE_SIZE;
    const view = at(memory, address, 16 * PAGE_SIZE);
    fillRandom(view, 3);
    const before = snapshot(view);
    // From the middle of a page to the middle of another.
    await engine.seal(address + 100, 5000);
    const changed = Array.from(view.keys()).filter((i) => view[i] !== before[i]);
    expect([changed[0], changed.at(-1)]).toEqual([100, 5099]);
    // Of 5000 bytes one in 256 comes out as it was.
    expect(changed.length).toBeGreaterThan(4900);
    await engine.unseal(address + 100, 5000);
    expect(isSame(view, before)).toBe(true);
    // Nothing is left mapped.
    if (iommu !== 'none') expect(await run(engine.request(), address, address, 4)).toBe('EFAULT');
  });

  it('nothing of it is copied if not all of it can be', async () => {
    await using made = await open({ iommu });
    const { engine, memory } = made;
    const source = await createArea(engine, memory, 1);
    const target = await createArea(engine, memory, 2);
    const channel = engine.request('private');
    const before = target.words();
    const bytes = PAGES * PAGE_SIZE;
    const pfn = source.addresses[PAGES - 1] / PAGE_SIZE;
    memory.poison(pfn);
    expect(await run(channel, target.writing, source.reading, bytes, 'private')).toBe('EHWPOISON');
    await expect(engine.seal(source.addresses[PAGES - 1], PAGE_SIZE)).rejects.toThrow(errno('EHWPOISON'));
    memory.unpoison(pfn);
    expect(await run(channel, 4096, source.reading, bytes, 'private')).toBe('EFAULT');
    expect(isSame(target.words(), before)).toBe(true);
  });
});

it('to everybody else nearly every word is another, at each frame and place', async () => {
  await using made = await open();
  const { engine, memory } = made;
  const { pad, addresses, set } = await createArea(engine, memory, 1);
  expect(pad.filter((word) => word === 0).length).toBeLessThan(3);
  expect(new Set(pad).size).toBeGreaterThan(WORDS - 3);
  const plain = new Uint32Array(WORDS).fill(0x5eed5eed);
  set(plain);
  const all = PAGES * PAGE_SIZE;
  await engine.seal(addresses[0], all);
  // As whoever copies it elsewhere finds, with the key of this device, or with another.
  const elsewhere = memory.allocFolio(3).pfn * PAGE_SIZE;
  expect(await run(engine.request(), elsewhere, addresses[0], all)).toBe('copied');
  await using other = await DmaEngine.create({ memory, key: KEY + 1 });
  for (const [device, address] of [
    [engine, elsewhere],
    [other, addresses[0]],
  ] as const) {
    await device.unseal(address, all);
    const words = new Uint32Array(memory.buffer, address, WORDS);
    expect(words.filter((word) => word === plain[0]).length).toBeLessThan(3);
  }
});

it('a device without a key can do nothing of it, and leaves the bytes', async () => {
  await using made = await open({ key: undefined });
  const { engine, memory } = made;
  const address = memory.allocFolio(0).pfn * PAGE_SIZE;
  const before = snapshot(at(memory, address));
  expect(engine.device.capabilities).toEqual(['memcpy']);
  expect(() => engine.request('private')).toThrow(errno('ENODEV'));
  const channel = engine.request();
  for (const mode of ['private', 'seal', 'unseal'] as const)
    expect(() => channel.prepMemcpy(address, address, 64, true, undefined, mode)).toThrow(errno('EOPNOTSUPP'));
  await expect(engine.seal(address, 64)).rejects.toThrow(errno('EOPNOTSUPP'));
  await expect(engine.unseal(address, 64)).rejects.toThrow(errno('EOPNOTSUPP'));
  expect(channel.inFlight).toBe(0);
  expect(isSame(at(memory, address), before)).toBe(true);
});

it('a key is a number of 32 bits, above 0', async () => {
  const memory = PhysicalMemory.create({ nodes: ['4M'] });
  for (const key of [0, -1, 1.5, 2 ** 32, Number.NaN, '7', null])
    await expect(DmaEngine.create({ memory, key: key as number })).rejects.toThrow(errno('EINVAL'));
});

it('what is private is whole words of a node’s memory', async () => {
  await using made = await open();
  const { engine, memory } = made;
  const address = memory.allocFolio(0).pfn * PAGE_SIZE;
  const channel = engine.request('private');
  for (const [to, from, bytes] of [
    [address + 1, address, 4],
    [address, address + 2, 4],
    [address, address, 3],
  ]) {
    expect(() => channel.prepMemcpy(to, from, bytes, true, undefined, 'private')).toThrow(errno('EINVAL'));
  }
  for (const [from, bytes] of [
    [address + 1, 4],
    [address, 6],
    [address, 0],
    [4096, 4],
    [Number.NaN, 4],
  ]) {
    await expect(engine.seal(from, bytes)).rejects.toThrow(errno('EINVAL'));
  }
  expect(engine.freeChannels).toBe(15);
});

it('more ranges than there are channels are sealed at once', async () => {
  await using made = await open({ channels: 1 });
  const { engine, memory } = made;
  const addresses = Array.from(memory.allocFolios(20, 0), (pfn) => pfn * PAGE_SIZE);
  for (const address of addresses) at(memory, address).fill(1);
  await Promise.all(addresses.map((address) => engine.seal(address, PAGE_SIZE)));
  expect(addresses.some((address) => wordsAt(memory, address).includes(0x01010101))).toBe(false);
  await Promise.all(addresses.map((address) => engine.unseal(address, PAGE_SIZE)));
  expect(addresses.every((address) => at(memory, address).every((byte) => byte === 1))).toBe(true);
});

describe('what fails to be sealed is what it was, and the next is sealed:', () => {
  it.each([
    ['read', 'EIO'],
    ['write', 'EIO'],
    ['abort', 'EIO'],
    ['iommu', 'EFAULT'],
    ['die', 'ECANCELED'],
    ['throw', 'ECANCELED'],
    ['silence', 'ETIMEDOUT'],
    ['map', 'ENOMEM'],
    ['submit', 'EIO'],
  ] as const)('%s', async (fault, code) => {
    await using made = await open({ iommu: 'translated' });
    const { engine, memory } = made;
    const address = memory.allocFolio(2).pfn * PAGE_SIZE;
    const view = at(memory, address, 4 * PAGE_SIZE);
    fillRandom(view, 4);
    const before = snapshot(view);
    if (fault === 'map' || fault === 'submit') engine.faults = { [fault]: () => true };
    else engine.faults = { descriptor: () => fault };
    // What isn't silent answers, however long a busy computer takes.
    const patience = fault === 'silence' ? [50] : [];
    await expect(engine.seal(address, view.length, ...patience)).rejects.toThrow(errno(code));
    expect(isSame(view, before)).toBe(true);
    engine.faults = undefined;
    expect(engine.freeChannels).toBe(16);
    await engine.seal(address, view.length);
    expect(isSame(view, before)).toBe(false);
    await engine.unseal(address, view.length);
    expect(isSame(view, before)).toBe(true);
  });

  it('a device that has written the bytes, and says so too late', async () => {
    // A second for each descriptor.
    await using made = await open({ descriptorNs: 1e9 });
    const { engine, memory } = made;
    const address = memory.allocFolio(0).pfn * PAGE_SIZE;
    const before = snapshot(at(memory, address));
    const sealing = engine.seal(address, PAGE_SIZE, 100);
    await expect(sealing).rejects.toThrow(errno('ETIMEDOUT'));
    expect(isSame(at(memory, address), before)).toBe(true);
  });
});

it('a page that is poisoned after the descriptor was checked is not copied', () => {
  const memory = PhysicalMemory.create({ nodes: ['4M'] });
  const copy = createCopyPrivate(memory.buffer, new PoisonMap(memory.buffer, memory.poisonAddress), KEY);
  const [to, from] = memory.allocFolios(2, 1).map((pfn) => pfn * PAGE_SIZE);
  at(memory, to, 2 * PAGE_SIZE).fill(1);
  memory.poison(from / PAGE_SIZE + 1);
  expect(copy(to, from, 2 * PAGE_SIZE, SCRAMBLE)).toBe(false);
  expect(at(memory, to + PAGE_SIZE).every((byte) => byte === 1)).toBe(true);
  expect(at(memory, to).every((byte) => byte === 1)).toBe(false);
});

it('the key is in nothing that a program can reach', async () => {
  expect(pathsOf(KEY, { a: [{ b: KEY }], c: new Int32Array([1, KEY]), d: `${KEY}` })).toHaveLength(3);
  using workers = watchWorkers();
  await using made = await open({ iommu: 'translated' });
  const { engine, memory } = made;
  const channel = engine.request('private');
  const area = await createArea(engine, memory, 1);
  expect(await run(channel, area.writing, area.reading, PAGE_SIZE, 'private')).toBe('copied');
  expect(workers.alive.size).toBe(2);
  expect(pathsOf(KEY, { engine, channel, workers: [...workers.alive] })).toEqual([]);
});
