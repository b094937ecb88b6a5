import fc from 'fast-check';
import { type Area, Machine } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { program, sharedWord, untilCounted } from '../support/programs.js';

const PAGE = 4096;

describe('a folio of 2 MiB', () => {
  it('is freed with its last page only, when the middle goes first', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const before = freePages(machine);
    const { address } = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
    await mm.write(address, new Uint8Array(2 ** 21).fill(6));
    const folio = mm.folioAt(address);
    expect([folio?.mapcount, folio?.refcount]).toEqual([1, 1]);
    await mm.munmap(address + 100 * PAGE, 12 * PAGE);
    expect([folio?.mapcount, folio?.refcount]).toEqual([500, 500]);
    expect(freePages(machine)).toEqual([before[0] - 512]);
    for (const page of [0, 99, 112, 511]) expect(mm.folioAt(address + page * PAGE)?.pfn).toBe(folio?.pfn);
    expect(mm.folioAt(address + 100 * PAGE)).toBeUndefined();
    const args = [99, 100, 111, 112, 511].map((page) => ['load8', address + page * PAGE]);
    expect(await machine.cpus.run(mm, program('access'), { args })).toEqual([
      6,
      expect.objectContaining({ code: 'EFAULT' }),
      expect.objectContaining({ code: 'EFAULT' }),
      6,
      6,
    ]);
    await mm.munmap(address, 100 * PAGE);
    await mm.munmap(address + 112 * PAGE, 399 * PAGE);
    expect([folio?.mapcount, freePages(machine)]).toEqual([1, [before[0] - 512]]);
    await mm.munmap(address + 511 * PAGE, PAGE);
    expect(freePages(machine)).toEqual(before);
  });

  it('is unmapped from a CPU that holds its translation', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
    const ready = sharedWord();
    const args = { address: address + 300 * PAGE, ready };
    const outcome = errorOf(() => machine.cpus.run(mm, program('run-until-stopped'), { args }));
    await untilCounted(ready, 1);
    await mm.munmap(address, 256 * PAGE);
    expect(machine.cpus.busy).toEqual([0]);
    await mm.munmap(address + 256 * PAGE, 256 * PAGE);
    expect(await outcome).toEqual(errno('EFAULT'));
  });
});

it('leaves both sides of a hole, through several areas', async () => {
  await using machine = await Machine.boot({ nodes: ['32M'] });
  const mm = machine.createAddressSpace();
  const before = freePages(machine);
  const areas = ['4K', '64K', '2M'].map((folioSize) => mm.mmap({ length: '2M', folioSize, populate: true })) as [
    Area,
    Area,
    Area,
  ];
  const [a, , c] = areas;
  for (const { address, length } of areas) await mm.write(address, new Uint8Array(length).fill(address / 2 ** 21));
  await mm.munmap(a.address + 2 ** 20, 2 ** 20 + 2 ** 21 + PAGE);
  expect(await mm.read(a.address, 2 ** 20)).toHaveLength(2 ** 20);
  expect(await errorOf(() => mm.read(a.address + 2 ** 20, 1))).toEqual(errno('EFAULT'));
  expect(await errorOf(() => mm.read(c.address, 1))).toEqual(errno('EFAULT'));
  expect(new Set(await mm.read(c.address + PAGE, 2 ** 21 - PAGE))).toEqual(new Set([3]));
  await mm.munmap(a.address, 3 * 2 ** 21);
  expect(freePages(machine)).toEqual(before);
  expect(await errorOf(() => mm.munmap(a.address, 3 * 2 ** 21))).toEqual(errno('EINVAL'));
});

it('unmaps all of several areas also if a CPU answers for none', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1, ipiTimeoutMs: 20 });
  const before = freePages(machine);
  const mm = machine.createAddressSpace();
  const areas = [1, 2].map(() => mm.mmap({ length: '2M', folioSize: '64K', populate: true })) as [Area, Area];
  const [ready, flag] = [sharedWord(), sharedWord()];
  const args = { address: areas[0].address, ready, flag, ms: 0 };
  const deaf = machine.cpus.run(mm, program('deaf'), { args });
  await untilCounted(ready, 1);
  expect(await errorOf(() => mm.munmap(areas[0].address, 2 ** 22))).toMatchObject({ code: 'ETIMEDOUT', cpus: [0] });
  expect([mm.folioAt(areas[0].address), mm.folioAt(areas[1].address)]).toEqual([undefined, undefined]);
  // Free only once it has answered: it may be in the middle of a store.
  expect(freePages(machine)).not.toEqual(before);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  await deaf;
  await vi.waitFor(() => expect(freePages(machine)).toEqual(before));
});

it.each([
  ['4K', '2M'],
  ['2M', '4K'],
  ['2M', '64K'],
  ['64K', '4M'],
  ['4M', '2M'],
])('frees the addresses for other folios: %s, then %s', async (first, second) => {
  await using machine = await Machine.boot({ nodes: ['32M'], cpus: 1 });
  const mm = machine.createAddressSpace();
  // The first 4 MiB border.
  mm.mmap({ length: '2M' });
  const old = mm.mmap({ length: '8M', folioSize: first, populate: true });
  await mm.write(old.address, new Uint8Array(old.length).fill(9));
  await mm.munmap(old.address, old.length);
  const area = mm.mmap({ length: '8M', folioSize: second, populate: true });
  expect(area.address).toBe(old.address);
  expect(mm.folioAt(area.address)?.size).toBe(area.folioSize);
  expect(mm.folioAt(area.address)?.mapcount).toBe(area.folioSize === 2 ** 21 ? 1 : area.folioSize / PAGE);
  const args = Array.from(area.folios(), (address) => ['load64', address]);
  expect(new Set((await machine.cpus.run(mm, program('access'), { args })) as number[])).toEqual(new Set([0]));
});

it.each([
  ['half a page', 2 ** 21 + 1, PAGE],
  ['a length of no pages', 2 ** 21, 100],
  ['a length of 0', 2 ** 21, 0],
  ['a negative address', -PAGE, PAGE],
  ['a negative length', 2 ** 21, -PAGE],
  ['no number', Number.NaN, PAGE],
  ['no length', 2 ** 21, Number.NaN],
  ['an infinite length', 2 ** 21, Number.POSITIVE_INFINITY],
  ['what is not mapped', 2 ** 30, PAGE],
  ['an address beyond all', 2 ** 44 + 2 ** 21, PAGE],
])('refuses %s', async (_, address, length) => {
  await using machine = await Machine.boot({ nodes: ['16M'] });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '64K', populate: true });
  const before = freePages(machine);
  expect(await errorOf(() => mm.munmap(address, length))).toEqual(errno('EINVAL'));
  expect(freePages(machine)).toEqual(before);
  expect(await mm.read(area.address, 65536)).toHaveLength(65536);
});

it('frees exactly what is unmapped, whatever the ranges', async () => {
  await using machine = await Machine.boot({ nodes: ['64M'] });
  const free = freePages(machine);
  const size = fc.constantFrom('4K', '16K', '64K', '2M', '4M');
  const range = fc.tuple(fc.nat(2047), fc.integer({ min: 1, max: 900 }));
  const test = async (folioSize: string, ranges: [number, number][]) => {
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    const folioPages = area.folioSize / PAGE;
    const mapped = new Array<boolean>(2048).fill(true);
    for (const [first, count] of ranges) {
      const end = Math.min(first + count, 2048);
      if (!mapped.slice(first, end).some(Boolean)) continue;
      await mm.munmap(area.address + first * PAGE, (end - first) * PAGE);
      mapped.fill(false, first, end);
      mapped.forEach((isMapped, page) => {
        if ((mm.folioAt(area.address + page * PAGE) !== undefined) !== isMapped) throw new Error(`page ${page}`);
      });
      const folios = Array.from({ length: 2048 / folioPages }, (_, i) => i * folioPages);
      const held = folios.filter((page) => mapped.slice(page, page + folioPages).some(Boolean)).length * folioPages;
      expect(freePages(machine)).toEqual([free[0] - held]);
    }
    await mm.close();
    expect(freePages(machine)).toEqual(free);
  };
  await fc.assert(fc.asyncProperty(size, fc.array(range, { minLength: 1, maxLength: 6 }), test), { numRuns: 60 });
});
