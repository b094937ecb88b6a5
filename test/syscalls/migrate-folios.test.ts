import { Machine, type MigrateFoliosOptions } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ERRNO } from '#src/errno.js';
import { PG } from '#src/memory/page-metadata.js';
import { expectBytes, filled, foliosOf, freePages, nodesOf, until } from '../support/machines.js';

const code = (name: string) => expect.objectContaining({ code: name });

describe('migrateFolios', () => {
  it('moves what others map too, and past a cpuset', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
    const parent = machine.createAddressSpace({ uid: 1000, memsAllowed: [0] });
    const area = parent.mmap({ length: '256K', populate: true });
    const bytes = await filled(area);
    await parent.fork(area, machine.createAddressSpace({ uid: 1000 }));
    const { status } = await machine.migrateFolios(parent, area.pages(), { node: 1, reason: 'demotion' });
    expect(new Set(status)).toEqual(new Set([1]));
    await expectBytes(area, bytes);
  });

  it('splits a huge page that the target has no room for, but not one that is numa_misplaced', async () => {
    await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '2M', folioSize: '2M', populate: true });
    const bytes = await filled(area);
    // Every other page: there is room, but none for a huge page.
    const taken = machine.memory.allocFolios(4096, 0, { node: 1 });
    machine.memory.freeFolios(taken.filter((_, i) => i % 2 === 0));
    const free = freePages(machine);
    const misplaced = await machine.migrateFolios(mm, area.pages(), { node: 1, reason: 'numa_misplaced' });
    expect(misplaced.stats).toMatchObject({ succeeded: 0, failed: 512, thpFailed: 1, thpSplit: 0 });
    expect(new Set(misplaced.status)).toEqual(new Set([-ERRNO.ENOMEM]));
    expect(foliosOf(area)).toHaveLength(1);
    expect(freePages(machine)).toEqual(free);
    const demoted = await machine.migrateFolios(mm, area.pages(), { node: 1, reason: 'demotion' });
    expect(demoted.stats).toMatchObject({ succeeded: 512, thpSplit: 1 });
    await expectBytes(area, bytes);
  });

  it.each(['MIGRATE_ASYNC', 'MIGRATE_SYNC_LIGHT', 'MIGRATE_SYNC', undefined] as const)(
    'waits as much as its mode says: %s',
    async (mode) => {
      await using machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0 });
      const mm = machine.createAddressSpace();
      const area = mm.mmap({ length: '64K', populate: true });
      const [locked] = foliosOf(area);
      expect(locked.tryLock()).toBe(true);
      const moving = machine.migrateFolios(mm, area.pages(), { node: 1, reason: 'compaction', mode });
      if (mode === 'MIGRATE_ASYNC') {
        const { status, notMigrated, stats } = await moving;
        expect([status[0], notMigrated]).toEqual([-ERRNO.EBUSY, 1]);
        // Who may wait tries what is left by itself.
        expect(stats.batches).toBe(1);
        locked.unlock();
        return;
      }
      let isOver = false;
      const over = moving.then((result) => {
        isOver = true;
        return result;
      });
      // It waits for the lock only so many times, so whether it is over some time later says nothing.
      await until(() => isOver || (machine.memory.page.flags[locked.pfn] & PG.waiters) !== 0);
      expect(isOver).toBe(false);
      locked.unlock();
      expect((await over).notMigrated).toBe(0);
    },
  );

  it('refuses what is wrong, and moves nothing', async () => {
    await using machine = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0 });
    const mm = machine.createAddressSpace();
    const area = mm.mmap({ length: '64K', populate: true });
    const good = { node: 1, reason: 'demotion' } as const;
    const refused = async (pages: unknown, options: unknown, expected: string) => {
      const call = machine.migrateFolios(mm, pages as number[], options as MigrateFoliosOptions);
      await expect(call).rejects.toEqual(code(expected));
    };
    for (const options of [{ node: 1 }, { ...good, reason: 'swap' }, { ...good, reason: 8 }]) {
      await refused(area.pages(), options, 'EINVAL');
    }
    await refused(area.pages(), { ...good, mode: 'MIGRATE_NOW' }, 'EINVAL');
    await refused(area.pages(), { ...good, flags: 2 }, 'EINVAL');
    for (const node of [2, -1, 0.5, '1', null, undefined]) await refused(area.pages(), { ...good, node }, 'ENODEV');
    await refused([area.address + 1], good, 'EINVAL');
    await refused(area, good, 'EFAULT');
    expect(new Set(await nodesOf(machine, area))).toEqual(new Set([0]));
    await mm.close();
    await refused(area.pages(), good, 'ESRCH');
    await machine.close();
    await refused(area.pages(), good, 'ESHUTDOWN');
  });
});
