import { PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { findDifference } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

it('is the first item of which a byte differs, be it the first or the last one', () => {
  const memory = PhysicalMemory.create({ nodes: ['4M', '4M'] });
  const address = (pfn: number) => pfn * PAGE_SIZE;
  const from = memory.allocFolios(100, 0, { node: 0, frames: 'shuffled' }).map(address);
  const to = memory.allocFolios(100, 0, { node: 1, frames: 'shuffled' }).map(address);
  const items = { to, from, bytes: new Uint32Array(100).fill(PAGE_SIZE) };
  expect(findDifference(memory, items)).toBe(-1);
  const change = (addresses: Uint32Array, item: number, offset: number) => {
    const at = (addresses[item] ?? 0) + offset;
    memory.bytes[at] = (memory.bytes[at] ?? 0) + 1;
  };
  change(to, 99, 0);
  expect(findDifference(memory, items)).toBe(99);
  change(from, 40, PAGE_SIZE - 1);
  expect(findDifference(memory, items)).toBe(40);
  change(to, 40, PAGE_SIZE - 1);
  expect(findDifference(memory, items)).toBe(99);
  expect(findDifference(memory, { ...items, bytes: new Uint32Array(100) })).toBe(-1);
});
