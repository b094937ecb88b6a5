import fc from 'fast-check';
import { Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { program } from '../support/programs.js';

type Operation = [name: string, address: number, value?: number];

/** Runs loads and stores on a CPU of `machine`, in a new address space with 16 KiB at the address that is given to `make`. */
async function access(machine: Machine, make: (address: number) => Operation[], folioSize = '4K') {
  const mm = machine.createAddressSpace();
  const { address } = mm.mmap({ length: folioSize === '4K' ? '16K' : folioSize, folioSize });
  const results = (await machine.cpus.run(mm, program('access'), { args: make(address) })) as unknown[];
  const bytes = await mm.read(address, 4096);
  await mm.close();
  return { results, bytes };
}

function storeTo(model: DataView, bits: number, at: number, value: number): void {
  if (bits === 8) model.setUint8(at, value);
  else if (bits === 16) model.setUint16(at, value, true);
  else if (bits === 32) model.setUint32(at, value, true);
  else model.setBigUint64(at, BigInt(value), true);
}

function loadFrom(model: DataView, bits: number, at: number): number {
  if (bits === 8) return model.getUint8(at);
  if (bits === 16) return model.getUint16(at, true);
  return bits === 32 ? model.getUint32(at, true) : Number(model.getBigUint64(at, true));
}

describe('loads and stores', () => {
  it.each([
    [8, [0, 1, 127, 128, 255]],
    [16, [0, 1, 0x7fff, 0x8000, 0xffff]],
    [32, [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]],
    [64, [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]],
  ])('of %i bits are unsigned, and little-endian in memory', async (bits, values) => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    for (const value of values) {
      const { results, bytes } = await access(machine, (at) => [
        [`store${bits}`, at + 8, value],
        [`load${bits}`, at + 8],
        ['load8', at + 8 + bits / 8],
      ]);
      expect(results).toEqual([undefined, value, 0]);
      const expected = Array.from({ length: bits / 8 }, (_, i) => Number((BigInt(value) >> BigInt(8 * i)) & 255n));
      expect(Array.from(bytes.subarray(8, 8 + bits / 8))).toEqual(expected);
      expect(bytes.filter((byte, i) => byte !== 0 && (i < 8 || i >= 8 + bits / 8))).toHaveLength(0);
    }
  });

  it('take the lowest bits of larger values', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const { results } = await access(machine, (at) => [
      ['store8', at, 0x1ff],
      ['load8', at],
      ['store8', at, -1],
      ['load8', at],
      ['store16', at, 0x1ffff],
      ['load16', at],
      ['store32', at, 2 ** 32 + 7],
      ['load32', at],
      ['store32', at, -2],
      ['load32', at],
    ]);
    expect(results.filter((_, i) => i % 2 === 1)).toEqual([255, 255, 65535, 7, 0xfffffffe]);
  });

  it('of 64 bits load what is larger than 2^53 as the nearest double', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    for (const [low, high] of [
      [0xffffffff, 0xffffffff],
      [1, 0x7ff00000],
      [1, 0x7ff80000],
      [0, 0xfff80000],
      [3, 0x80000000],
    ] as const) {
      const { results } = await access(machine, (at) => [
        ['store32', at, low],
        ['store32', at + 4, high],
        ['load64', at],
      ]);
      expect(results[2]).toBe(Number((BigInt(high) << 32n) | BigInt(low)));
    }
  });

  it.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '7'])(
    'of 64 bits refuse to store %s',
    async (value) => {
      await using machine = await Machine.boot({ nodes: ['16M'] });
      const { results, bytes } = await access(machine, (at) => [
        ['store64', at, 5],
        ['store64', at, value as number],
        ['load64', at],
      ]);
      expect(results).toEqual([undefined, expect.objectContaining({ code: 'EINVAL' }), 5]);
      expect(bytes[0]).toBe(5);
    },
  );

  it('see each other, as an array of bytes does', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const operation = fc.record({
      bits: fc.constantFrom(8, 16, 32, 64),
      slot: fc.nat(2047),
      value: fc.maxSafeNat(),
      isStore: fc.boolean(),
    });
    let checked = 0;
    const test = async (list: { bits: number; slot: number; value: number; isStore: boolean }[]) => {
      const model = new DataView(new ArrayBuffer(16384));
      const expected = list.map(({ bits, slot, value, isStore }) => {
        if (isStore) return storeTo(model, bits, slot * 8, value);
        return loadFrom(model, bits, slot * 8);
      });
      const { results } = await access(machine, (start) =>
        list.map(({ bits, slot, value, isStore }) =>
          isStore ? [`store${bits}`, start + slot * 8, value] : [`load${bits}`, start + slot * 8],
        ),
      );
      expect(results).toEqual(expected);
      checked += list.length;
    };
    const lists = fc.array(operation, { minLength: 1, maxLength: 200, size: 'max' });
    await fc.assert(fc.asyncProperty(lists, test), { numRuns: 60 });
    console.log(`${checked} loads and stores checked`);
  });
});

describe('a wrong address', () => {
  it.each([
    ['off by 1', 16, 1],
    ['off by 2', 32, 2],
    ['off by 1 of 4', 32, 1],
    ['off by 4', 64, 4],
    ['off by 1 of 8', 64, 1],
  ])('%s is EINVAL for %i bits', async (_, bits, offset) => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const { results, bytes } = await access(machine, (at) => [
      [`load${bits}`, at + offset],
      [`store${bits}`, at + offset, 1],
    ]);
    const refused = expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(`${bits / 8}`) });
    expect(results).toEqual([refused, refused]);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it.each(['4K', '2M', '4M'])('is never taken for a right one: folios of %s', async (folioSize) => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const wrong = (at: number): [number, string][] => [
      [Number.NaN, 'EINVAL'],
      [-1, 'EINVAL'],
      [-at, 'EINVAL'],
      [at + 0.5, 'EINVAL'],
      [Number.NEGATIVE_INFINITY, 'EINVAL'],
      [0, 'EFAULT'],
      [-0, 'EFAULT'],
      [4096, 'EFAULT'],
      [at - 4096, 'EFAULT'],
      [at + 2 ** 23, 'EFAULT'],
      [2 ** 34 - 8, 'EFAULT'],
      [2 ** 34, 'EFAULT'],
      // What is the same within 32 bits, of bytes, of pages, and of PMDs.
      [at + 2 ** 32, 'EFAULT'],
      [at + 2 ** 34, 'EFAULT'],
      [at + 2 ** 44, 'EFAULT'],
      [at + 2 ** 52, 'EFAULT'],
      [2 ** 53, 'EFAULT'],
      [2 ** 80, 'EFAULT'],
      [Number.POSITIVE_INFINITY, 'EFAULT'],
    ];
    const codes: string[] = [];
    const make = (at: number) => {
      codes.push(...wrong(at).map(([, code]) => code));
      // With the right translation in the TLB.
      return [['store64', at, 1], ...wrong(at).map(([address]) => ['load8', address]), ['load64', at]] as Operation[];
    };
    const { results } = await access(machine, make, folioSize);
    expect(results.slice(1, -1).map((result) => (result as { code?: string }).code)).toEqual(codes);
    expect(results.at(-1)).toBe(1);
  });

  it('at the end of an area is EFAULT, just beyond its last byte', async () => {
    await using machine = await Machine.boot({ nodes: ['16M'] });
    const { results } = await access(machine, (at) => [
      ['store8', at + 16383, 1],
      ['load8', at + 16384],
      ['store8', at + 16384, 1],
    ]);
    const fault = expect.objectContaining({ code: 'EFAULT', message: expect.stringContaining('SIGSEGV') });
    expect(results).toEqual([undefined, fault, fault]);
  });
});

describe('a poisoned page', () => {
  it.each(['4K', '64K', '2M', '4M'])('is EHWPOISON, and its neighbours are not: folios of %s', async (folioSize) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'] });
    const mm = machine.createAddressSpace();
    const { address } = mm.mmap({ length: '4M', folioSize, populate: true });
    const folio = mm.folioAt(address + 4096);
    machine.memory.poison((folio?.pfn as number) + (folioSize === '4K' ? 0 : 1));
    const args: Operation[] = [
      ['store8', address, 3],
      ['load8', address + 4096],
      ['store8', address + 4096, 1],
      ['store8', address + 8192, 4],
      ['load8', address],
    ];
    const poisoned = expect.objectContaining({ code: 'EHWPOISON' });
    expect(await machine.cpus.run(mm, program('access'), { args })).toEqual([
      undefined,
      poisoned,
      poisoned,
      undefined,
      3,
    ]);
    await expect(mm.read(address + 4096, 1)).rejects.toEqual(errno('EHWPOISON'));
    await expect(mm.write(address + 4000, new Uint8Array(200))).rejects.toEqual(errno('EHWPOISON'));
    expect(await mm.read(address + 8192, 1)).toEqual(Uint8Array.of(4));
    await mm.close();
    expect(freePages(machine)[0]).toBe(4096 - 1);
  });

  it.each(['4K', '2M'])('is not copied by a store to private memory: folios of %s', async (folioSize) => {
    await using machine = await Machine.boot({ nodes: ['16M'], cpus: 1 });
    const [mm, child] = [machine.createAddressSpace(), machine.createAddressSpace()];
    const area = mm.mmap({ length: '2M', folioSize, populate: true });
    await mm.fork(area, child);
    const before = freePages(machine);
    machine.memory.poison(mm.folioAt(area.address)?.pfn as number);
    const args: Operation[] = [
      ['store8', area.address, 1],
      ['store8', area.address + 4096, 1],
    ];
    const poisoned = expect.objectContaining({ code: 'EHWPOISON' });
    expect(await machine.cpus.run(child, program('access'), { args })).toEqual([poisoned, undefined]);
    await expect(mm.write(area.address, Uint8Array.of(1))).rejects.toEqual(errno('EHWPOISON'));
    expect(freePages(machine)).toEqual([before[0] - 1]);
  });
});
