import { type AddressSpace, type Area, Machine, orderOf } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { isAll } from '../support/bytes.js';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { program } from '../support/programs.js';

const SIZES = [4, 8, 16, 64, 256, 1024, 2048, 4096].map((kib) => kib * 1024);

/** Expects every page of an area to be in a folio of its size that starts where one should. */
function expectFolios(mm: AddressSpace, { address, length, folioSize }: Area) {
  const heads = new Set<number>();
  for (let at = address; at < address + length; at += 4096) {
    const folio = mm.folioAt(at);
    expect(folio?.size).toBe(folioSize);
    heads.add(folio?.pfn ?? 0);
  }
  expect(heads.size).toBe(length / folioSize);
}

describe.each(SIZES)('folios of %i bytes', (folioSize) => {
  it('are all there after populate, at an address of their own size, as zeros', async () => {
    await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 1 });
    const before = freePages(machine);
    // What is freed first is allocated first: its bytes must not show.
    const dirty = machine.createAddressSpace();
    const old = dirty.mmap({ length: '8M', node: 1, folioSize, populate: true });
    await dirty.write(old.address, new Uint8Array(old.length).fill(255));
    await dirty.close();
    const mm = machine.createAddressSpace();
    mm.mmap({ length: '4K', populate: true });
    const area = mm.mmap({ length: '8M', node: 1, folioSize, populate: true });
    expect(area).toMatchObject({ length: 8 * 2 ** 20, folioSize });
    expect(area.address % Math.max(folioSize, 2 ** 21)).toBe(0);
    expectFolios(mm, area);
    expect(freePages(machine)).toEqual([before[0] - 1, before[1] - 2048]);
    expect(isAll(await mm.read(area.address, area.length), 0)).toBe(true);
    await mm.close();
    expect(freePages(machine)).toEqual(before);
  });

  it('come one by one with the accesses, by a CPU or by mm.read and mm.write', async () => {
    await using machine = await Machine.boot({ nodes: ['32M', '32M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const before = freePages(machine);
    const area = mm.mmap({ length: 4 * folioSize, node: 1, folioSize });
    const [first, second, third] = area.folios() as unknown as [number, number, number];
    expect(mm.folioAt(first)).toBeUndefined();
    const used = () => (before[1] - freePages(machine)[1]) * 4096;
    expect(await mm.read(first + folioSize - 2, 2)).toEqual(new Uint8Array(2));
    expect([used(), mm.folioAt(first)?.size]).toEqual([folioSize, folioSize]);
    await mm.write(second + 1, Uint8Array.of(7));
    expect(used()).toBe(2 * folioSize);
    const args = [
      ['load8', second + 1],
      ['store8', third, 9],
      ['load8', third],
      ['load8', third + 1],
    ];
    expect(await machine.cpus.run(mm, program('access'), { args })).toEqual([7, undefined, 9, 0]);
    expect(used()).toBe(3 * folioSize);
    expect(mm.folioAt(third)).toMatchObject({ nid: 1, order: orderOf(folioSize) });
    expect(freePages(machine)[0]).toBe(before[0]);
  });
});

it('takes the lowest addresses that are free, never page 0', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'] });
  const mm = machine.createAddressSpace();
  const [a, b, c] = [1, 3, 2].map((mib) => mm.mmap({ length: `${mib}M` })) as [Area, Area, Area];
  expect([a, b, c].map(({ address }) => address / 2 ** 20)).toEqual([2, 4, 8]);
  await mm.munmap(b.address, b.length);
  expect(mm.mmap({ length: '5M' }).address).toBe(10 * 2 ** 20);
  expect(mm.mmap({ length: '4M' }).address).toBe(b.address);
  expect(mm.folioAt(0)).toBeUndefined();
  expect(await errorOf(() => mm.read(0, 1))).toEqual(errno('EFAULT'));
});

it('gives an area the addresses of its pages and folios', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'] });
  const area = machine.createAddressSpace().mmap({ length: '128K', folioSize: '64K' });
  expect(area.pages()).toEqual(Float64Array.from({ length: 32 }, (_, i) => area.address + i * 4096));
  expect(area.folios()).toEqual(Float64Array.of(area.address, area.address + 65536));
});

it('ends at 16 GiB of addresses', async () => {
  await using machine = await Machine.boot({ nodes: ['16M'] });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: 2 ** 34 - 2 ** 21 });
  expect(() => mm.mmap({ length: '4K' })).toThrow(errno('ENOMEM'));
  await mm.write(area.address + area.length - 1, Uint8Array.of(5));
  expect(await mm.read(area.address + area.length - 1, 1)).toEqual(Uint8Array.of(5));
  expect(await errorOf(() => mm.read(area.address + area.length - 1, 2))).toEqual(errno('EFAULT'));
});

describe('populate without enough memory', () => {
  it.each([
    { folioSize: '4K', shared: false },
    { folioSize: '2M', shared: false },
    { folioSize: '64K', shared: true },
  ])('changes nothing: $folioSize, shared: $shared', async (options) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'] });
    const mm = machine.createAddressSpace();
    const kept = mm.mmap({ length: '4M', populate: true });
    await mm.write(kept.address, Uint8Array.of(1, 2, 3));
    const before = freePages(machine);
    expect(() => mm.mmap({ length: '14M', populate: true, ...options })).toThrow(errno('ENOMEM'));
    // At once, so that the caller can try with less.
    expect(freePages(machine)).toEqual(before);
    const area = mm.mmap({ length: '12M', populate: true, ...options });
    expect(area.address).toBe(6 * 2 ** 20);
    expect(freePages(machine)).toEqual([0, before[1]]);
    expect(await mm.read(kept.address, 4)).toEqual(Uint8Array.of(1, 2, 3, 0));
  });

  it('is ENOMEM at the access without populate, and what was there stays', async () => {
    await using machine = await Machine.boot({ nodes: ['4M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '8M' });
    await mm.write(area.address, new Uint8Array(4 * 2 ** 20).fill(3));
    expect(await errorOf(() => mm.write(area.address + 4 * 2 ** 20, Uint8Array.of(1)))).toEqual(errno('ENOMEM'));
    const args = [
      ['store8', area.address + 6 * 2 ** 20, 1],
      ['load8', area.address],
    ];
    const [failed, loaded] = (await machine.cpus.run(mm, program('access'), { args })) as [unknown, number];
    expect(failed).toMatchObject({ code: 'ENOMEM' });
    expect(loaded).toBe(3);
  });
});

describe('refuses', () => {
  it.each([
    ['no options', undefined],
    ['a length for the options', '2M'],
    ['a misspelt option', { length: '4K', populated: true }],
    ['text for populate', { length: '4K', populate: 'no' }],
    ['a number for populate', { length: '4K', populate: 0 }],
    ['text for shared', { length: '4K', shared: 'false' }],
    ['null for shared', { length: '4K', shared: null }],
    ['no length', {}],
    ['a length of 0', { length: 0 }],
    ['a length that is no number', { length: Number.NaN }],
    ['a negative length', { length: -4096 }],
    ['half a folio', { length: '1M', folioSize: '2M' }],
    ['a part of a page', { length: 4097 }],
    ['folios of 2 KiB', { length: '8M', folioSize: '2K' }],
    ['folios of 8 MiB', { length: '8M', folioSize: '8M' }],
    ['folios of 12 KiB', { length: '12K', folioSize: '12K' }],
    ['folios of 0', { length: '4K', folioSize: 0 }],
    ['node 2 of two', { length: '4K', node: 2 }],
    ['node -1', { length: '4K', node: -1 }],
    ['node 0.5', { length: '4K', node: 0.5 }],
    ['a node by another name', { length: '4K', node: 'length' }],
  ])('%s', async (_, options) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'] });
    const mm = machine.createAddressSpace();
    const before = freePages(machine);
    expect(() => mm.mmap(options as never)).toThrow(errno('EINVAL'));
    expect(freePages(machine)).toEqual(before);
    expect(mm.mmap({ length: '4K' }).address).toBe(2 ** 21);
  });

  it('everything once the address space is closed', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4K', populate: true });
    await mm.close();
    await mm.close();
    expect(mm.closed).toBe(true);
    expect(() => mm.mmap({ length: '4K' })).toThrow(errno('ESRCH'));
    const child = machine.createAddressSpace();
    for (const call of [
      () => mm.munmap(area.address, area.length),
      () => mm.read(area.address, 1),
      () => mm.write(area.address, Uint8Array.of(1)),
      () => mm.fork(area, child),
      () => machine.cpus.run(mm, program('access'), { args: [] }),
    ]) {
      expect(await errorOf(call)).toEqual(errno('ESRCH'));
    }
    expect(mm.folioAt(area.address)).toBeUndefined();
  });
});

describe('mm.read and mm.write refuse', () => {
  it.each([
    ['an address that is no number', Number.NaN, 1, 'EINVAL'],
    ['a negative address', -1, 1, 'EINVAL'],
    ['half an address', 2 ** 21 + 0.5, 1, 'EINVAL'],
    ['an infinite address', Number.POSITIVE_INFINITY, 1, 'EINVAL'],
    ['an address beyond all', 2 ** 44 + 2 ** 21, 1, 'EFAULT'],
    ['an unmapped address', 2 ** 30, 1, 'EFAULT'],
    ['what reaches beyond the area', 2 ** 21 + 4095, 2, 'EFAULT'],
  ])('%s', async (_, address, length, code) => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const mm = machine.createAddressSpace();
    mm.mmap({ length: '4K', populate: true });
    expect(await errorOf(() => mm.read(address, length))).toEqual(errno(code));
    expect(await errorOf(() => mm.write(address, new Uint8Array(length)))).toEqual(errno(code));
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 40, '1'])('a length of %s', async (length) => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4K' });
    expect(await errorOf(() => mm.read(address, length as number))).toEqual(errno('EINVAL'));
    expect(await errorOf(() => mm.write(address, length as never))).toEqual(errno('EINVAL'));
    expect(await mm.read(address, 0)).toHaveLength(0);
  });
});
