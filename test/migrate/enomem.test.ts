import { FLOWS, Machine } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import {
  expectAtRest,
  expectBytes,
  FLOWS_AND_MIGRATORS,
  filled,
  foliosOf,
  freePages,
  nodesOf,
  started,
} from '../support/machines.js';
import { countedIn, program } from '../support/programs.js';

const SIZES = { nodes: ['16M', '8M'], cpus: 0, threads: 1 } as const;

describe.each(FLOWS_AND_MIGRATORS)('$flow, $migrator: to a node that is full', (settings) => {
  it.each(['4K', '64K', '2M'])('every folio of %s stays where and as it was', async (folioSize) => {
    await using machine = await Machine.boot({ ...SIZES, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4M', folioSize, populate: true });
    const bytes = await filled(area);
    const before = foliosOf(area).map(({ pfn, refcount, mapcount, flags }) => ({ pfn, refcount, mapcount, flags }));
    const taken = machine.memory.allocFolios(2048, 0, { node: 1 });
    const free = freePages(machine);
    const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect(new Set(status)).toEqual(new Set([-ERRNO.ENOMEM]));
    expect(notMigrated).toBe(1024);
    expect(stats.succeeded).toBe(0);
    expect(stats.failed).toBe(1024);
    expect(freePages(machine)).toEqual(free);
    await expectBytes(area, bytes);
    expectAtRest(area);
    if (folioSize === '4K') {
      const after = foliosOf(area).map(({ pfn, refcount, mapcount, flags }) => ({ pfn, refcount, mapcount, flags }));
      expect(after).toEqual(before);
    }
    // Once there is room it moves.
    machine.memory.freeFolios(taken);
    const again = await machine.movePages(mm, area.pages(), { node: 1 });
    expect(again.stats).toMatchObject({ succeeded: 1024, failed: 0 });
    await expectBytes(area, bytes);
  });

  it('with some room, as many pages move as fit, and the rest stay', async () => {
    await using machine = await Machine.boot({ ...SIZES, ...settings });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '4M', populate: true });
    const bytes = await filled(area);
    machine.memory.allocFolios(2048 - 700, 0, { node: 1 });
    const { status, notMigrated, stats } = await machine.movePages(mm, area.pages(), { node: 1 });
    expect(Array.from(status)).toEqual([...new Array(700).fill(1), ...new Array(324).fill(-ERRNO.ENOMEM)]);
    expect(notMigrated).toBe(324);
    expect(stats).toMatchObject({ succeeded: 700, failed: 324, retries: 0 });
    expect(freePages(machine)).toEqual([4096 - 324, 0]);
    expect((await nodesOf(machine, area)).filter((node) => node === 1).length).toBe(700);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('CPUs lose nothing by it', async () => {
    await using machine = await Machine.boot({ ...SIZES, ...settings, cpus: 2 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: settings.flow === 'serial' ? '64K' : '512K', populate: true });
    const pages = area.length / 4096;
    const args = { address: area.address, length: area.length, stride: 4096 };
    const runs = [0, 1].map((cpu) => machine.cpus.run(mm, program('count'), { cpu, args }));
    await started(area, [0, 1]);
    machine.memory.allocFolios(2048 - pages / 2, 0, { node: 1 });
    for (let round = 0; round < 20; round++) {
      const { stats } = await machine.movePages(mm, area.pages(), { node: (round + 1) % 2 });
      expect(stats.failed).toBe(round % 2 ? 0 : pages / 2);
    }
    machine.cpus.stop();
    const stores = (await Promise.all(runs)) as number[];
    expect(await countedIn(area, 2)).toEqual(stores);
    expectAtRest(area);
  });
});

it.each(FLOWS)('%s: what it took to find out is in its phases', async (flow) => {
  await using machine = await Machine.boot({ ...SIZES, flow });
  const area = machine.createAddressSpace().mmap({ length: '1M', populate: true });
  machine.memory.allocFolios(2048, 0, { node: 1 });
  const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
  expect(stats.failed).toBe(256);
  expect(stats.phasesNs.unmap).toBeGreaterThan(0);
});
