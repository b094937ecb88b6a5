import { type AddressSpace, type Area, Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { errno, errorOf } from '../support/errors.js';
import { freePages } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';

const SIZE = '1M';

/** A machine of four nodes, and an address space with 1 MiB on each. */
async function boot(folioSize = '4K', options = {}) {
  const machine = await Machine.boot({ nodes: ['16M', '16M', '16M', '16M'] });
  const mm = machine.createAddressSpace(options);
  const areas = [0, 1, 2, 3].map((node) => mm.mmap({ length: SIZE, node, folioSize, populate: true }));
  const bytes = areas.map(({ length }, i) => {
    const content = new Uint8Array(length);
    fillRandom(content, i + 1);
    return content;
  });
  for (const [i, area] of areas.entries()) await mm.write(area.address, bytes[i]);
  return { machine, mm, areas, bytes };
}

/** The node that each area is on; -1 if on several. */
function nodesOf(mm: AddressSpace, areas: readonly Area[]): number[] {
  return areas.map((area) => {
    const nodes = new Set(Array.from(area.pages(), (address) => mm.folioAt(address)?.nid));
    return nodes.size === 1 ? ([...nodes][0] as number) : -1;
  });
}

describe('relative positions', () => {
  it.each<[number[], number[], number[], number]>([
    [[0], [1], [1, 1, 2, 3], 256],
    [[0, 1], [2, 3], [2, 3, 2, 3], 512],
    [[0, 1, 2], [1, 2, 3], [1, 2, 3, 3], 768],
    [[1, 2, 3], [0, 1, 2], [0, 0, 1, 2], 768],
    [[0, 1, 2, 3], [3], [3, 3, 3, 3], 768],
    [[0, 1, 2, 3], [1, 2], [1, 1, 2, 2], 512],
    [[0, 1], [0, 1], [0, 1, 2, 3], 0],
    [[], [1], [0, 1, 2, 3], 0],
    [[9, 0], [1, 3], [1, 1, 2, 3], 256],
    [[1, 0, 1], [3, 2], [2, 3, 2, 3], 512],
    [[0, 1], [2, 9], [2, 2, 2, 3], 512],
  ])('are kept from %j to %j', async (from, to, nodes, pages) => {
    const { machine, mm, areas, bytes } = await boot();
    await using _ = machine;
    const { notMigrated, stats } = await machine.migratePages(mm, { from, to });
    expect([nodesOf(mm, areas), notMigrated, stats.succeeded, stats.failed]).toEqual([nodes, 0, pages, 0]);
    for (const [i, { address, length }] of areas.entries()) {
      expect(isSame(await mm.read(address, length), bytes[i] as Uint8Array)).toBe(true);
    }
    await mm.close();
    expect(freePages(machine)).toEqual([4096, 4096, 4096, 4096]);
  });
});

describe.each(['4K', '64K', '1M'])('pages in folios of %s that others map', (folioSize) => {
  it('move for whoever has CAP_SYS_NICE, and for nobody else', async () => {
    const { machine, mm, areas } = await boot(folioSize, { uid: 7 });
    await using _ = machine;
    const child = machine.createAddressSpace({ uid: 7 });
    await mm.fork(areas[0], child);
    const own = await machine.migratePages(mm, { from: [0, 1], to: [2, 3], uid: 7 });
    expect([own.notMigrated, own.stats.succeeded, nodesOf(mm, areas)]).toEqual([256, 256, [0, 3, 2, 3]]);
    const all = await machine.migratePages(mm, { from: [0, 1], to: [2, 3], uid: 7, capSysNice: true });
    expect([all.notMigrated, all.stats.succeeded, nodesOf(mm, areas)]).toEqual([0, 256, [2, 3, 2, 3]]);
    expect(nodesOf(child, [areas[0]])).toEqual([2]);
  });
});

describe('the result', () => {
  it('counts the pages that somebody holds, and moves the others', async () => {
    const { machine, mm, areas, bytes } = await boot('64K');
    await using _ = machine;
    const [area] = areas as [Area];
    const held = mm.folioAt(area.address + 65536);
    held?.get();
    const { notMigrated, stats } = await machine.migratePages(mm, { from: [0], to: [1] });
    expect([notMigrated, stats.failed, stats.succeeded]).toEqual([16, 16, 240]);
    expect(mm.folioAt(area.address + 65536)?.pfn).toBe(held?.pfn);
    expect(isSame(await mm.read(area.address, area.length), bytes[0] as Uint8Array)).toBe(true);
    held?.put();
    expect((await machine.migratePages(mm, { from: [0], to: [1] })).stats.succeeded).toBe(16);
  });

  it('counts the pages that find no room', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '1M'] });
    const mm = machine.createAddressSpace();
    mm.mmap({ length: '2M', populate: true });
    const { notMigrated, stats } = await machine.migratePages(mm, { from: [0], to: [1] });
    expect([notMigrated, stats.failed, stats.succeeded]).toEqual([256, 256, 256]);
    expect(freePages(machine)).toEqual([4096 - 256, 0]);
  });

  it('counts a folio once that is mapped in pieces, or twice', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'] });
    const [mm, child] = [machine.createAddressSpace(), machine.createAddressSpace()];
    const area = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
    await mm.fork(area, child);
    // A copy of the page in the middle, with the folio on both sides.
    await mm.write(area.address + 2 ** 20, Uint8Array.of(1));
    const moved = await machine.migratePages(mm, { from: [0], to: [1] });
    expect([moved.notMigrated, moved.stats.succeeded]).toEqual([0, 513]);
    const stayed = await machine.migratePages(mm, { from: [1], to: [0], capSysNice: false, uid: 0 });
    expect([stayed.notMigrated, stayed.stats.succeeded]).toEqual([512, 1]);
  });

  it('counts pages that another call is moving already', async () => {
    await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
    const migrator = createTestMigrator(machine);
    const moving = machine.movePages(mm, area.folios(), { node: 1, migrator });
    await migrator.entered;
    const { notMigrated, stats } = await machine.migratePages(mm, { from: [0], to: [1] });
    migrator.go();
    expect([notMigrated, stats.succeeded, (await moving).stats.succeeded]).toEqual([512, 0, 512]);
  });

  it('is nothing for an empty address space', async () => {
    await using machine = await Machine.boot({ nodes: ['8M', '8M'] });
    const mm = machine.createAddressSpace();
    mm.mmap({ length: '2M' });
    const { notMigrated, stats } = await machine.migratePages(mm, { from: [0], to: [1] });
    expect([notMigrated, stats.succeeded, stats.batches]).toEqual([0, 0, 0]);
  });
});

describe('refuses, and moves nothing:', () => {
  it.each<[string, string, unknown]>([
    ['no options', 'EFAULT', undefined],
    ['no sources', 'EFAULT', { to: [1] }],
    ['no targets', 'EFAULT', { from: [0] }],
    ['a number for a set', 'EFAULT', { from: 0, to: [1] }],
    ['text for a set', 'EFAULT', { from: [0], to: '1' }],
    ['a source that can’t exist', 'EINVAL', { from: [1024], to: [1] }],
    ['a target that can’t exist', 'EINVAL', { from: [0], to: [1, 1024] }],
    ['a negative source', 'EINVAL', { from: [-1], to: [1] }],
    ['half a source', 'EINVAL', { from: [0.5], to: [1] }],
    ['a target that is no number', 'EINVAL', { from: [0], to: [Number.NaN] }],
    ['no targets in the set', 'EINVAL', { from: [0], to: [] }],
    ['only targets that don’t exist', 'EINVAL', { from: [0], to: [4, 5] }],
    ['a target outside the cpuset, without CAP_SYS_NICE', 'EPERM', { from: [0], to: [1, 3], uid: 7 }],
    ['a target that doesn’t exist, without CAP_SYS_NICE', 'EPERM', { from: [0], to: [1, 5], uid: 7 }],
    ['another user', 'EPERM', { from: [0], to: [1], uid: 8 }],
    ['a misspelt setting', 'EINVAL', { from: [0], to: [1], Flow: 'serial' }],
    ['half a user', 'EINVAL', { from: [0], to: [1], uid: 0.5 }],
    ['a flow that is none', 'EINVAL', { from: [0], to: [1], flow: 'up' }],
  ])('%s, %s', async (_, code, options) => {
    const { machine, mm, areas } = await boot('4K', { uid: 7, memsAllowed: [0, 1, 2] });
    await using __ = machine;
    const before = freePages(machine);
    expect(await errorOf(() => machine.migratePages(mm, options as never))).toEqual(errno(code));
    expect([freePages(machine), nodesOf(mm, areas)]).toEqual([before, [0, 1, 2, 3]]);
    expect((await machine.migratePages(mm, { from: [0], to: [1], uid: 7 })).stats.succeeded).toBe(256);
  });
});

describe('the cpuset of the address space', () => {
  it.each([
    [[3], [3, 1, 2, 3]],
    [
      [2, 3],
      [2, 3, 2, 3],
    ],
  ])('keeps nobody who has CAP_SYS_NICE from the nodes %j outside it', async (to, nodes) => {
    const { machine, mm, areas, bytes } = await boot('4K', { uid: 7, memsAllowed: [0, 1, 2] });
    await using _ = machine;
    const from = [0, 1].slice(0, to.length);
    await machine.migratePages(mm, { from, to, uid: 7, capSysNice: true });
    expect(nodesOf(mm, areas)).toEqual(nodes);
    expect(isSame(await mm.read(areas[0]?.address as number, 2 ** 20), bytes[0] as Uint8Array)).toBe(true);
  });

  it('keeps everybody from a node outside it in movePages', async () => {
    const { machine, mm, areas } = await boot('4K', { memsAllowed: [0, 1, 2] });
    await using _ = machine;
    const pages = areas[0]?.pages() as Float64Array;
    expect(await errorOf(() => machine.movePages(mm, pages, { node: 3 }))).toEqual(errno('EACCES'));
  });
});
