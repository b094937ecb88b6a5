import {
  createSgTable,
  type DmaCapability,
  type DmaDirection,
  DmaEngine,
  type DmaWait,
  type MemcpyMode,
  PAGE_SIZE,
  PhysicalMemory,
  type SgTable,
} from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { watchWorkers } from '../support/threads.js';

const memory = PhysicalMemory.create({ nodes: ['4M'] });
const [to, from] = memory.allocFolios(2, 0).map((pfn) => pfn * PAGE_SIZE);
const table = () => createSgTable(Uint32Array.of(from), Uint32Array.of(PAGE_SIZE));

it('a table is of two Uint32Arrays, as long as each other', () => {
  const array = Uint32Array.of(from);
  for (const other of [[from], undefined, new Float64Array(1), new Uint32Array(2)] as unknown[]) {
    expect(() => createSgTable(array, other as Uint32Array)).toThrow(errno('EINVAL'));
    expect(() => createSgTable(other as Uint32Array, array)).toThrow(errno('EINVAL'));
  }
});

describe.each(['none', 'passthrough', 'translated'] as const)('%s:', (iommu) => {
  it('another direction, table or range maps nothing', async () => {
    await using engine = await DmaEngine.create({ memory, iommu });
    for (const direction of ['both', undefined, 1, 'TO-DEVICE'] as unknown as DmaDirection[]) {
      const good = table();
      expect(() => engine.mapSg(good, direction)).toThrow(errno('EINVAL'));
      expect(() => engine.unmapSg(good)).toThrow(errno('EINVAL'));
      expect(() => engine.mapSingle(from, PAGE_SIZE, direction)).toThrow(errno('EINVAL'));
    }
    for (const other of [undefined, {}, [table()]] as unknown as SgTable[]) {
      expect(() => engine.mapSg(other, 'to-device')).toThrow(errno('EINVAL'));
      expect(() => engine.unmapSg(other)).toThrow(errno('EINVAL'));
    }
    for (const [address, bytes] of [
      [from + 0.5, PAGE_SIZE],
      [from, 0.5],
      [`${from}`, 1],
      [Number.NaN, 1],
    ] as [number, number][]) {
      expect(() => engine.mapSingle(address, bytes, 'to-device')).toThrow(errno('EINVAL'));
    }
  });

  it('what is no whole number of 32 bits unmaps nothing', async () => {
    await using engine = await DmaEngine.create({ memory, iommu });
    const word = 2 ** 32;
    const dma = engine.mapSingle(from, PAGE_SIZE, 'from-device');
    for (const [at, address, bytes] of [
      [dma + 0.5, from + 0.5, PAGE_SIZE - 0.75],
      [BigInt(dma), from, PAGE_SIZE],
      [dma, BigInt(from), PAGE_SIZE],
      [dma + 0.5, from, PAGE_SIZE],
      [dma, from + 0.5, PAGE_SIZE],
      [dma, from, PAGE_SIZE - 0.5],
      [dma + word, from + word, PAGE_SIZE],
      [dma - word, from - word, PAGE_SIZE],
      [dma, from, PAGE_SIZE + word],
      [dma, from, 0],
      [from + PAGE_SIZE, from + PAGE_SIZE, 0],
      [0, 0, word - 1],
      [`${dma}`, `${from}`, PAGE_SIZE],
    ] as unknown as [number, number, number][]) {
      for (const direction of ['to-device', 'from-device'] as const) {
        const unmap = () => engine.unmapSingle(at, address, bytes, direction);
        expect(unmap, `${bytes} from ${address}, at ${at}`).toThrow(errno('EINVAL'));
      }
    }
    await engine.unmapSingle(dma, from, PAGE_SIZE, 'from-device');
  });
});

it('another mode, wait or time is EINVAL, and nothing is prepared', async () => {
  await using engine = await DmaEngine.create({ memory, key: 1 });
  expect(() => engine.request('copy' as DmaCapability)).toThrow(errno('ENODEV'));
  const channel = engine.request();
  for (const mode of ['secret', 'toString', 1] as unknown as MemcpyMode[]) {
    expect(() => channel.prepMemcpy(to, from, PAGE_SIZE, true, undefined, mode)).toThrow(errno('EINVAL'));
    expect(() => channel.submit(1)).toThrow(errno('EINVAL'));
  }
  for (const address of [BigInt(to), Symbol('to'), `${to}`, to + 0.5, -1] as unknown as number[]) {
    expect(() => channel.prepMemcpy(address, from, PAGE_SIZE)).toThrow(errno('EINVAL'));
    expect(() => channel.prepMemcpy(to, address, PAGE_SIZE)).toThrow(errno('EINVAL'));
  }
  for (const wait of ['spin', 1, null] as unknown as DmaWait[]) {
    expect(await errorOf(() => channel.completions(1, wait))).toEqual(errno('EINVAL'));
  }
  for (const ms of [-1, Number.NaN, '1', undefined] as unknown as number[]) {
    expect(await errorOf(() => channel.completions(ms))).toEqual(errno('EINVAL'));
  }
  engine.release(channel);
});

it('a count or a time to seal that is none is EINVAL, and starts no thread', async () => {
  using workers = watchWorkers();
  await using engine = await DmaEngine.create({ memory, key: 1 });
  for (const count of [0, -1, 1.5, '1', undefined] as unknown as number[]) {
    expect(await errorOf(() => engine.ready(count))).toEqual(errno('EINVAL'));
  }
  for (const ms of [-1, Number.NaN, '1', null] as unknown as number[]) {
    expect(await errorOf(() => engine.seal(from, PAGE_SIZE, ms))).toEqual(errno('EINVAL'));
    expect(await errorOf(() => engine.unseal(from, PAGE_SIZE, ms))).toEqual(errno('EINVAL'));
  }
  expect([workers.alive.size, engine.freeChannels]).toEqual([0, 16]);
});
