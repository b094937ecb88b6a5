import { type AddressSpace, type Area, Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { program, sharedWord, untilCounted } from '../support/programs.js';

const PAGE = 4096;

async function bootWith(options: { folioSize: string; shared?: boolean }, cpus = 2) {
  const machine = await Machine.boot({ nodes: ['32M', '32M'], cpus });
  const free = freePages(machine);
  const [parent, child] = [machine.createAddressSpace(), machine.createAddressSpace()];
  const area = parent.mmap({ length: '4M', populate: true, ...options });
  await parent.write(area.address, new Uint8Array(area.length).fill(1));
  const used = () => free[0] - freePages(machine)[0];
  return { machine, parent, child, area, free, used };
}

const byteAt = async (mm: AddressSpace, address: number) => (await mm.read(address, 1))[0];

describe.each(['4K', '64K', '2M', '4M'])('folios of %s', (folioSize) => {
  it('that are shared are one memory', async () => {
    const { machine, parent, child, area, free, used } = await bootWith({ folioSize, shared: true });
    await using _ = machine;
    const copy = await parent.fork(area, child);
    expect(copy.mm === child).toBe(true);
    expect([copy.address, copy.length, copy.folioSize]).toEqual([area.address, area.length, area.folioSize]);
    await parent.write(area.address + 5, Uint8Array.of(2));
    await machine.cpus.run(child, program('access'), { args: [['store8', area.address + 2 ** 21, 3]] });
    expect([await byteAt(child, area.address + 5), await byteAt(parent, area.address + 2 ** 21)]).toEqual([2, 3]);
    for (const at of area.folios()) expect(child.folioAt(at)?.pfn).toBe(parent.folioAt(at)?.pfn);
    expect(used()).toBe(1024);
    await parent.close();
    expect([used(), await byteAt(child, area.address + 5)]).toEqual([1024, 2]);
    await child.close();
    expect(freePages(machine)).toEqual(free);
  });

  it('that are shared and not there yet are one memory, too', async () => {
    const { machine, parent, child } = await bootWith({ folioSize });
    await using _ = machine;
    const area = parent.mmap({ length: '4M', folioSize, shared: true });
    await parent.fork(area, child);
    await child.write(area.address + 7, Uint8Array.of(4));
    expect(await byteAt(parent, area.address + 7)).toBe(4);
    expect(parent.folioAt(area.address)?.pfn).toBe(child.folioAt(area.address)?.pfn);
  });

  it('that are private are copied page by page, and the last owner keeps what is left', async () => {
    const { machine, parent, child, area, free, used } = await bootWith({ folioSize });
    await using _ = machine;
    await parent.fork(area, child);
    expect(used()).toBe(1024);
    const at = area.address + 17 * PAGE;
    const old = parent.folioAt(at)?.pfn as number;
    expect(child.folioAt(at)?.pfn).toBe(old);
    await machine.cpus.run(child, program('access'), { args: [['store8', at + 9, 2]] });
    expect(used()).toBe(1025);
    expect(child.folioAt(at)?.size).toBe(PAGE);
    expect(parent.folioAt(at)?.pfn).toBe(old);
    expect([...(await child.read(at + 8, 3)), await byteAt(parent, at + 9)]).toEqual([1, 2, 1, 1]);
    // The neighbours are still shared.
    expect(child.folioAt(at + PAGE)?.pfn).toBe(parent.folioAt(at + PAGE)?.pfn);
    const other = area.address + 600 * PAGE;
    await parent.write(other, Uint8Array.of(3));
    expect([used(), await byteAt(child, other), await byteAt(parent, other)]).toEqual([1026, 1, 3]);
    await child.close();
    // What only the parent has now it stores to without a copy.
    const left = used();
    const kept = parent.folioAt(at)?.pfn;
    await parent.write(at, Uint8Array.of(5));
    await machine.cpus.run(parent, program('access'), { args: [['store8', at + PAGE, 6]] });
    expect([used(), parent.folioAt(at)?.pfn, parent.folioAt(at)?.size]).toEqual([left, kept, area.folioSize]);
    await parent.close();
    expect(freePages(machine)).toEqual(free);
  });

  it('keep every store to its own side, and none is lost', async () => {
    const { machine, parent, child, area } = await bootWith({ folioSize });
    await using _ = machine;
    await parent.fork(area, child);
    const every = (step: number, value: number) =>
      Array.from(
        area.pages().filter((_, i) => i % step === 0),
        (at) => ['store32', at + 64, value],
      );
    await Promise.all([
      machine.cpus.run(parent, program('access'), { args: every(2, 1000) }),
      machine.cpus.run(child, program('access'), { args: every(3, 2000) }),
    ]);
    const loads = Array.from(area.pages(), (at) => ['load32', at + 64]);
    const [mine, its] = (await Promise.all([
      machine.cpus.run(parent, program('access'), { args: loads }),
      machine.cpus.run(child, program('access'), { args: loads }),
    ])) as [number[], number[]];
    expect(mine).toEqual(loads.map((_, i) => (i % 2 === 0 ? 1000 : 0x01010101)));
    expect(its).toEqual(loads.map((_, i) => (i % 3 === 0 ? 2000 : 0x01010101)));
    console.log(`${folioSize}: ${loads.length * 2} pages checked`);
  });
});

it('takes a CPU of the parent its right to store by an old translation', async () => {
  const { machine, parent, child, area } = await bootWith({ folioSize: '4K' });
  await using _ = machine;
  const ready = sharedWord();
  const flag = sharedWord();
  const args = { address: area.address, flag, ready };
  const stored = machine.cpus.run(parent, program('store-when-told'), { args });
  await untilCounted(ready, 1);
  await parent.fork(area, child);
  Atomics.store(flag, 0, 1);
  await stored;
  expect([await byteAt(parent, area.address), await byteAt(child, area.address)]).toEqual([2, 1]);
});

it('copies nothing while another CPU may still store by an old translation', async () => {
  const { machine, parent, child, area } = await bootWith({ folioSize: '4K' });
  await using _ = machine;
  const [ready, flag] = [sharedWord(), sharedWord()];
  const args = { address: area.address, flag, ready, ms: 200 };
  const deaf = machine.cpus.run(parent, program('deaf'), { args });
  const stored = machine.cpus.run(parent, program('store-when-told'), { args });
  await untilCounted(ready, 2);
  const forked = parent.fork(area, child);
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  const before = parent.folioAt(area.address)?.pfn;
  let isCopiedEarly = false;
  while (Atomics.load(flag, 0) !== 2) {
    const isCopied = parent.folioAt(area.address)?.pfn !== before;
    isCopiedEarly ||= isCopied && Atomics.load(flag, 0) !== 2;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(isCopiedEarly).toBe(false);
  await stored;
  expect([await byteAt(parent, area.address), await byteAt(child, area.address)]).toEqual([2, 1]);
  await Promise.all([forked, deaf]);
});

it('shows no store of the child to a CPU of the parent that may still load the page they had together', async () => {
  const { machine, parent, child, area } = await bootWith({ folioSize: '4K' });
  await using _ = machine;
  await parent.fork(area, child);
  const [ready, flag] = [sharedWord(), sharedWord()];
  const args = { address: area.address + PAGE, flag, ready, ms: 0 };
  const deaf = machine.cpus.run(parent, program('deaf'), { args });
  await untilCounted(ready, 1);
  const common = parent.folioAt(area.address)?.bytes as Uint8Array;
  const stores = [parent.write(area.address, Uint8Array.of(9)), child.write(area.address, Uint8Array.of(7))];
  const seen = new Set<number | undefined>();
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    seen.add(common[0]);
  }
  expect(seen).toEqual(new Set([1]));
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  await Promise.all([deaf, ...stores]);
  expect([await byteAt(parent, area.address), await byteAt(child, area.address)]).toEqual([9, 7]);
});

it.each(['4K', '64K', '2M'])(
  'copies a page of %s folios that the parent has unmapped, while a CPU of it may still have a translation',
  async (folioSize) => {
    const { machine, parent, child, area, free } = await bootWith({ folioSize });
    await using _ = machine;
    await parent.fork(area, child);
    const other = parent.mmap({ length: '4K', populate: true });
    const [ready, flag] = [sharedWord(), sharedWord()];
    const args = { address: other.address, flag, ready, ms: 0 };
    const deaf = machine.cpus.run(parent, program('deaf'), { args });
    await untilCounted(ready, 1);
    const common = child.folioAt(area.address)?.pfn;
    const unmapped = parent.munmap(area.address, area.length);
    await child.write(area.address, Uint8Array.of(7));
    expect(child.folioAt(area.address)?.pfn).not.toBe(common);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    await Promise.all([deaf, unmapped]);
    // From here on nobody else has what is left.
    const kept = child.folioAt(area.address + PAGE)?.pfn;
    await child.write(area.address + PAGE, Uint8Array.of(8));
    expect(child.folioAt(area.address + PAGE)?.pfn).toBe(kept);
    expect([...(await child.read(area.address, 2)), await byteAt(child, area.address + PAGE)]).toEqual([7, 1, 8]);
    await machine.close();
    expect(freePages(machine)).toEqual(free);
  },
);

it('takes the parts of an area that are still mapped', async () => {
  const { machine, parent, child, area, free } = await bootWith({ folioSize: '2M' });
  await using _ = machine;
  await parent.munmap(area.address + 3 * PAGE, 4 * PAGE);
  await parent.fork(area, child);
  expect(child.folioAt(area.address + 2 * PAGE)?.pfn).toBe(parent.folioAt(area.address)?.pfn);
  expect(child.folioAt(area.address + 3 * PAGE)).toBeUndefined();
  expect(await errorOf(() => child.write(area.address + 6 * PAGE, Uint8Array.of(1)))).toEqual(errno('EFAULT'));
  await child.write(area.address + 7 * PAGE, Uint8Array.of(8));
  expect(await byteAt(parent, area.address + 7 * PAGE)).toBe(1);
  await machine.close();
  expect(freePages(machine)).toEqual(free);
});

it('goes on to a grandchild', async () => {
  const { machine, parent, child, area, free } = await bootWith({ folioSize: '2M' });
  await using _ = machine;
  const grandchild = machine.createAddressSpace();
  await child.fork(await parent.fork(area, child), grandchild);
  await Promise.all([parent, child, grandchild].map((mm, i) => mm.write(area.address, Uint8Array.of(10 + i))));
  for (const [i, mm] of [parent, child, grandchild].entries()) {
    expect(await mm.read(area.address, 2)).toEqual(Uint8Array.of(10 + i, 1));
  }
  await machine.close();
  expect(freePages(machine)).toEqual(free);
});

it('is refused, and nothing changes', async () => {
  const { machine, parent, child, area, free } = await bootWith({ folioSize: '2M' });
  await using _ = machine;
  await using foreign = await Machine.boot({ nodes: ['4M'] });
  const gone = parent.mmap({ length: '4K', populate: true });
  await parent.munmap(gone.address, gone.length);
  const occupied = child.mmap({ length: '4K' });
  const before = [freePages(machine), parent.folioAt(area.address)?.refcount];
  const calls: [() => Promise<Area>, string][] = [
    [() => parent.fork(area, child), 'EEXIST'],
    [() => parent.fork(area, parent), 'EINVAL'],
    [() => parent.fork(area, foreign.createAddressSpace()), 'EINVAL'],
    [() => parent.fork(area, {} as AddressSpace), 'EINVAL'],
    [() => parent.fork(area, undefined as never), 'EINVAL'],
    [() => parent.fork(gone, child), 'EINVAL'],
    [() => parent.fork(occupied, machine.createAddressSpace()), 'EINVAL'],
    [() => parent.fork({ ...area } as Area, machine.createAddressSpace()), 'EINVAL'],
    [() => child.fork(area, parent), 'EINVAL'],
  ];
  for (const [call, code] of calls) expect(await errorOf(call)).toEqual(errno(code));
  expect([freePages(machine), parent.folioAt(area.address)?.refcount]).toEqual(before);
  const closed = machine.createAddressSpace();
  await closed.close();
  expect(await errorOf(() => parent.fork(area, closed))).toEqual(errno('ESRCH'));
  await child.munmap(occupied.address, occupied.length);
  await parent.fork(area, child);
  await machine.close();
  expect(freePages(machine)).toEqual(free);
});
