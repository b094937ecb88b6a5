import { type AddressSpace, ErrnoError, Machine, type Migrator, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { expectAtRest, freePages } from '../support/machines.js';

const [ENOENT, EIO, ENOMEM, EACCES, EFAULT, EBUSY] = [-2, -5, -12, -13, -14, -16];
const MIB = 2 ** 20;

async function boot(nodes = ['16M', '16M'], options = {}) {
  const machine = await Machine.boot({ nodes, ...options });
  return { machine, mm: machine.createAddressSpace() };
}

async function fill(mm: AddressSpace, address: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  fillRandom(bytes, address + length);
  await mm.write(address, bytes);
  return bytes;
}

const pfnAt = (mm: AddressSpace, address: number) => mm.folioAt(address)?.pfn as number;

describe('the query form', () => {
  it('says where pages are, and why they are nowhere, and moves nothing', async () => {
    const { machine, mm } = await boot(['8M', '8M', '8M']);
    await using _ = machine;
    const areas = [0, 1, 2].map((node) => mm.mmap({ length: '2M', node, populate: true, folioSize: '2M' }));
    const empty = mm.mmap({ length: '8K' });
    await mm.read(empty.address, 1);
    const [a, b, c] = areas.map(({ address }) => address) as [number, number, number];
    const before = freePages(machine);
    const pages = [c + 4096, a, b, a, empty.address, empty.address + 4096, 0, 2 ** 40, 2 ** 44 + b];
    const result = await machine.movePages(mm, pages);
    expect(Array.from(result.status)).toEqual([2, 0, 1, 0, 0, ENOENT, EFAULT, EFAULT, EFAULT]);
    expect(result).toMatchObject({ notMigrated: 0, stats: { succeeded: 0, failed: 0, batches: 0 } });
    expect(freePages(machine)).toEqual(before);
    expect((await machine.movePages(mm, [])).status).toHaveLength(0);
  });

  it('needs no right to move pages that others map', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '8K', node: 1, populate: true });
    await mm.fork(area, machine.createAddressSpace());
    expect(Array.from((await machine.movePages(mm, area.pages())).status)).toEqual([1, 1]);
  });
});

describe.each(['4K', '64K', '2M', '4M'])('folios of %s', (folioSize) => {
  it('move with their bytes, and their old frames are free', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const free = freePages(machine);
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    const bytes = await fill(mm, area.address, area.length);
    for (const node of [1, 0]) {
      const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), { node });
      expect([new Set(status), notMigrated, stats.succeeded, stats.failed]).toEqual([new Set([node]), 0, 2048, 0]);
      expect(freePages(machine)).toEqual(free.map((pages, id) => (id === node ? pages - 2048 : pages)));
      expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
      expect(mm.folioAt(area.address)?.size).toBe(area.folioSize);
    }
    expect(machine.vmstat).toMatchObject({ pgmigrate_success: 4096, pgmigrate_fail: 0 });
  });

  it('move once and whole by one address inside', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    const bytes = await fill(mm, area.address, area.length);
    const first = area.address + 4 * MIB;
    const inside = first + area.folioSize - 4096;
    const { status, stats } = await machine.movePages(mm, [inside], { node: 1 });
    expect([Array.from(status), stats.succeeded]).toEqual([[1], area.folioSize / 4096]);
    const moved = Array.from(area.pages()).filter((address) => mm.folioAt(address)?.nid === 1);
    expect([moved[0], moved.length]).toEqual([first, area.folioSize / 4096]);
    const frame = pfnAt(mm, first);
    const again = await machine.movePages(mm, [first, inside, inside, first], { node: 1 });
    expect([Array.from(again.status), again.stats.succeeded, pfnAt(mm, first)]).toEqual([[1, 1, 1, 1], 0, frame]);
    expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
  });

  it('move once when a list has their addresses several times, in any order', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    const pages = [...area.pages(), ...area.pages().reverse(), ...area.folios()];
    const { status, notMigrated, stats } = await machine.movePages(mm, pages, { node: 1 });
    expect([new Set(status), notMigrated, stats.succeeded]).toEqual([new Set([1]), 0, 2048]);
  });

  it('stay when somebody holds a reference, and move once that is gone', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    const bytes = await fill(mm, area.address, area.length);
    const held = mm.folioAt(area.address);
    const frame = held?.pfn;
    held?.get();
    const { status, notMigrated, stats } = await machine.movePages(mm, area.folios(), { node: 1 });
    expect(Array.from(status)).toEqual(Array.from(area.folios(), (_, i) => (i === 0 ? EBUSY : 1)));
    expect([notMigrated, stats.failed, stats.succeeded]).toEqual([
      1,
      area.folioSize / 4096,
      2048 - area.folioSize / 4096,
    ]);
    expect(pfnAt(mm, area.address)).toBe(frame);
    expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
    held?.put();
    const again = await machine.movePages(mm, area.folios(), { node: 1 });
    expect([new Set(again.status), again.notMigrated]).toEqual([new Set([1]), 0]);
  });

  it('that two address spaces map move with MPOL_MF_MOVE_ALL only', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const child = machine.createAddressSpace();
    const area = mm.mmap({ length: '4M', folioSize, populate: true });
    const alone = mm.mmap({ length: '4M', folioSize, populate: true });
    const bytes = await fill(mm, area.address, area.length);
    await mm.fork(area, child);
    const pages = [...area.folios(), ...alone.folios()];
    const frame = pfnAt(mm, area.address);
    const refused = await machine.movePages(mm, pages, { node: 1, flags: MPOL_MF_MOVE });
    const half = area.folios().length;
    expect(Array.from(refused.status)).toEqual(pages.map((_, i) => (i < half ? EACCES : 1)));
    expect([refused.notMigrated, pfnAt(mm, area.address)]).toEqual([0, frame]);
    const { status, notMigrated } = await machine.movePages(mm, pages, { node: 1, flags: MPOL_MF_MOVE_ALL });
    expect([new Set(status), notMigrated]).toEqual([new Set([1]), 0]);
    for (const space of [mm, child]) {
      expect(isSame(await space.read(area.address, area.length), bytes)).toBe(true);
      expect(space.folioAt(area.address)?.nid).toBe(1);
    }
    await child.close();
    expect(new Set((await machine.movePages(mm, pages, { node: 0 })).status)).toEqual(new Set([0]));
  });

  it('that have a poisoned frame stay, and the others move', async () => {
    const { machine, mm } = await boot();
    await using _ = machine;
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    machine.memory.poison(pfnAt(mm, area.address) + area.folioSize / 4096 - 1);
    const { status, notMigrated } = await machine.movePages(mm, area.folios(), { node: 1 });
    expect(Array.from(status)).toEqual(Array.from(area.folios(), (_, i) => (i === 0 ? EIO : 1)));
    expect(notMigrated).toBe(1);
    expect(mm.folioAt(area.address)?.nid).toBe(0);
  });

  it('that find no room stay, with their bytes', async () => {
    const { machine, mm } = await boot(['16M', '4M']);
    await using _ = machine;
    const area = mm.mmap({ length: '8M', folioSize, populate: true });
    const bytes = await fill(mm, area.address, area.length);
    const { status, notMigrated } = await machine.movePages(mm, area.pages(), { node: 1 });
    const moved = status.filter((node) => node === 1).length;
    expect(new Set(status)).toEqual(new Set([1, ENOMEM]));
    expect([moved, notMigrated]).toEqual([1024, 1024]);
    expect(freePages(machine)).toEqual([3072, 0]);
    const where = Array.from(area.pages(), (address) => mm.folioAt(address)?.nid);
    expect(where).toEqual(Array.from(status, (node) => (node === 1 ? 1 : 0)));
    expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
  });
});

it('leaves a page alone that is on its node', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '64K', node: 1, populate: true });
  const frames = Array.from(area.pages(), (address) => pfnAt(mm, address));
  // Not even a reference that somebody holds matters.
  mm.folioAt(area.address)?.get();
  const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), { node: 1 });
  expect([new Set(status), notMigrated, stats.succeeded, stats.batches]).toEqual([new Set([1]), 0, 0, 0]);
  expect(Array.from(area.pages(), (address) => pfnAt(mm, address))).toEqual(frames);
});

it.each<[string, (nodes: number[]) => ArrayLike<number>]>([
  ['Array', (nodes) => nodes],
  ['Int32Array', (nodes) => Int32Array.from(nodes)],
  ['Uint8Array', (nodes) => Uint8Array.from(nodes)],
])('moves each page to a node of its own, by an %s', async (_name, make) => {
  const { machine, mm } = await boot(['8M', '8M', '8M', '8M']);
  await using _ = machine;
  const area = mm.mmap({ length: '256K', populate: true });
  const bytes = await fill(mm, area.address, area.length);
  const wanted = Array.from({ length: 64 }, (_, i) => (i * 7) % 4);
  const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), {
    nodes: make(wanted),
  });
  expect([Array.from(status), notMigrated, stats.succeeded]).toEqual([wanted, 0, 48]);
  expect(Array.from(area.pages(), (address) => mm.folioAt(address)?.nid)).toEqual(wanted);
  expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
});

it('gives every page of a mixed list its own status', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '64K', populate: true });
  const far = mm.mmap({ length: '4K', node: 1, populate: true });
  const empty = mm.mmap({ length: '4K' });
  const shared = mm.mmap({ length: '4K', populate: true });
  await mm.fork(shared, machine.createAddressSpace());
  const [moving, held, poisoned] = area.pages();
  mm.folioAt(held)?.get();
  machine.memory.poison(pfnAt(mm, poisoned));
  const pages = [2 ** 33, empty.address, held, shared.address, moving, poisoned, far.address, moving] as number[];
  const { status, notMigrated } = await machine.movePages(mm, pages, { node: 1 });
  expect(Array.from(status)).toEqual([EFAULT, ENOENT, EBUSY, EACCES, 1, EIO, 1, 1]);
  expect(notMigrated).toBe(2);
  // What is 2^44 beyond a page is not that page.
  const stays = pfnAt(mm, held);
  const aliases = await machine.movePages(mm, [2 ** 44 + area.address + 3 * 4096], { node: 1 });
  expect([Array.from(aliases.status), mm.folioAt(area.address + 3 * 4096)?.nid]).toEqual([[EFAULT], 0]);
  expect(pfnAt(mm, held)).toBe(stays);
});

it('has both flags mean MPOL_MF_MOVE_ALL, and none MPOL_MF_MOVE', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '4K', populate: true });
  await mm.fork(area, machine.createAddressSpace());
  const move = async (flags: number) =>
    Array.from((await machine.movePages(mm, area.pages(), { node: 1, flags })).status);
  expect(await move(0)).toEqual([EACCES]);
  expect(await move(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)).toEqual([1]);
});

it('does not take one address space that maps a folio twice for two', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const area = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
  await mm.munmap(area.address + MIB, 4096);
  expect(mm.vmas).toHaveLength(2);
  const { status } = await machine.movePages(mm, [area.address], { node: 1 });
  expect(Array.from(status)).toEqual([1]);
  expect(mm.folioAt(area.address + 2 * MIB - 4096)?.nid).toBe(1);
});

it('leaves everything as it was if the migrator throws', async () => {
  const { machine, mm } = await boot();
  await using _ = machine;
  const free = freePages(machine);
  const area = mm.mmap({ length: '8M', populate: true });
  const bytes = await fill(mm, area.address, area.length);
  const before = freePages(machine);
  const broken = () => {
    throw new ErrnoError('EIO', 'no copy today');
  };
  const migrator: Migrator = { name: 'broken', copyFolios: broken };
  for (const flow of ['serial', 'vanilla', 'batch-move', 'pre-copy'] as const) {
    const moving = machine.movePages(mm, area.pages(), { node: 1, migrator, flow });
    await expect(moving).rejects.toThrow('no copy today');
    expect(freePages(machine)).toEqual(before);
    expect(isSame(await mm.read(area.address, area.length), bytes)).toBe(true);
    expect(new Set((await machine.movePages(mm, area.pages())).status)).toEqual(new Set([0]));
  }
  expect((await machine.movePages(mm, area.pages(), { node: 1 })).stats.succeeded).toBe(2048);
  await mm.close();
  expect(freePages(machine)).toEqual(free);
});

it('puts back what was to go to another node if the migrator throws', async () => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M', '16M'], cpus: 0 });
  const area = machine.createAddressSpace().mmap({ length: '64K', populate: true });
  const boom = () => {
    throw new Error('boom');
  };
  const migrator: Migrator = { name: 'broken', copyFolios: boom };
  const nodes = Array.from(area.pages(), (_, i) => 1 + (i % 2));
  await expect(machine.movePages(area.mm, area.pages(), { nodes, migrator })).rejects.toThrow('boom');
  expectAtRest(area);
  expect((await machine.movePages(area.mm, area.pages(), { nodes })).notMigrated).toBe(0);
});
