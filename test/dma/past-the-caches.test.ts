import { type DmaDeviceName, DmaEngine, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { HAS_NATIVE } from '../support/native.js';

/** Where reserved memory begins: the lists of the first engine's channels, whose first copy is here. */
const LIST = 4 * MiB + 64;

function boot() {
  const memory = PhysicalMemory.create({ nodes: ['32M'] });
  const [from, to] = [0, 0].map(() => memory.allocFolio(9).pfn * PAGE_SIZE) as [number, number];
  const view = (address: number) => memory.bytes.subarray(address, address + 2 * MiB);
  fillRandom(view(from), 1);
  return { memory, from, to, view, lists: () => memory.contigPages((4 * MiB) / PAGE_SIZE) };
}

/** Copies by a channel; resolves to what is called back, with whether the bytes were there by then. */
async function copy(
  { memory, from, to, view }: ReturnType<typeof boot>,
  device: DmaDeviceName,
  iommu: 'none' | 'translated',
) {
  await using engine = await DmaEngine.create({ memory, device, iommu });
  const channel = engine.request();
  const source = engine.mapSingle(from, 2 * MiB, 'to-device');
  const target = engine.mapSingle(to, 2 * MiB, 'from-device');
  const called: unknown[] = [];
  channel.submit(
    channel.prepMemcpy(target, source, 2 * MiB, true, (_, result, errno) => {
      called.push([result, errno, isSame(view(to), view(from))]);
    }),
  );
  channel.issuePending();
  expect(await channel.completions(10_000)).toBe(true);
  const words = new Uint32Array(memory.buffer, LIST, 3);
  const listed = Array.from(words);
  await Promise.all([
    engine.unmapSingle(source, from, 2 * MiB, 'to-device'),
    engine.unmapSingle(target, to, 2 * MiB, 'from-device'),
  ]);
  engine.release(channel);
  return { called, listed };
}

describe.runIf(HAS_NATIVE)('a channel copies with the loop in C', () => {
  it.each([
    ['ptdma', 'none'],
    ['ptdma', 'translated'],
    ['dsa', 'none'],
    ['dsa', 'translated'],
  ] as const)('%s, IOMMU %s, and its bytes are there before its descriptor is complete', async (device, iommu) => {
    const booted = boot();
    const { called, listed } = await copy(booted, device, iommu);
    expect(called).toEqual([[0, 0, true]]);
    // What it listed last is in the target, and nothing of it is left.
    const [to, from, left] = listed as [number, number, number];
    expect(to - booted.to).toBe(from - booted.from);
    expect(to >= booted.to && to <= booted.to + 2 * MiB).toBe(true);
    expect(left).toBe(0);
    // Given back with the engine.
    expect(booted.lists()).toBe(0);
  });

  it('fails with a poisoned frame, and copies the next all the same', async () => {
    const booted = boot();
    const frame = booted.from / PAGE_SIZE + 511;
    booted.memory.poison(frame);
    expect((await copy(booted, 'ptdma', 'none')).called).toMatchObject([[1, 133, false]]);
    booted.memory.unpoison(frame);
    expect((await copy(booted, 'ptdma', 'none')).called).toEqual([[0, 0, true]]);
  });
});

it('a channel copies as ever where there is no room for its list', async () => {
  const booted = boot();
  // All that is reserved.
  booted.memory.allocReserved(7168);
  const { called, listed } = await copy(booted, 'ptdma', 'translated');
  expect(called).toEqual([[0, 0, true]]);
  expect(listed).toEqual([0, 0, 0]);
});
