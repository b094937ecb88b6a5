import { Machine, MPOL_MF_MOVE_ALL } from 'mtcopy';
import { expect, it } from 'vitest';
import { expectAtRest, freePages } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';

const [EFAULT, EBUSY] = [-14, -16];

it('a page that is copied on write while its folio is isolated is not said to have moved', async () => {
  await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length: '32K', populate: true });
  const child = machine.createAddressSpace();
  await mm.fork(area, child);
  const migrator = createTestMigrator(machine);
  const options = { node: 1, migrator, flags: MPOL_MF_MOVE_ALL, batchLimit: 1 };
  const moving = machine.movePages(mm, area.pages(), options);
  await migrator.entered;
  // The first page is in its copy; the others are isolated.
  const [, second, third] = area.pages() as unknown as [number, number, number];
  await mm.write(second, Uint8Array.of(1));
  await mm.munmap(third, 4096);
  migrator.go();
  const { status, notMigrated, stats } = await moving;
  expect(Array.from(status)).toEqual([1, EBUSY, EFAULT, 1, 1, 1, 1, 1]);
  expect([notMigrated, stats.succeeded]).toEqual([2, 8]);
  expect([mm.folioAt(second)?.nid, child.folioAt(second)?.nid]).toEqual([0, 1]);
  expectAtRest(area);
  await Promise.all([mm.close(), child.close()]);
  expect(freePages(machine)).toEqual([4096, 4096]);
});

it.each([false, true])(
  'a page that one address space maps twice needs MPOL_MF_MOVE_ALL, unless it is in a large folio: %s',
  async (isLarge) => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
    const mm = machine.createAddressSpace();
    const options = {
      file: process.execPath,
      length: '64K',
      folioSize: isLarge ? '64K' : '4K',
      populate: true,
    } as const;
    const [first, second] = [mm.mmap(options), mm.mmap(options)];
    const pages = first.pages();
    expect(mm.folioAt(first.address)?.pfn).toBe(mm.folioAt(second.address)?.pfn);
    const { status } = await machine.movePages(mm, pages, { node: 1 });
    // Of a larger folio the kernel counts address spaces, not entries.
    expect(new Set(status)).toEqual(new Set([isLarge ? 1 : -13]));
    const result = await machine.migratePages(mm, { from: [0], to: [1], capSysNice: false });
    expect(result.notMigrated).toBe(isLarge ? 0 : 16);
    const all = await machine.movePages(mm, pages, { node: 1, flags: MPOL_MF_MOVE_ALL });
    expect(new Set(all.status)).toEqual(new Set([1]));
  },
);
