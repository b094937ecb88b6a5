import { FLOWS, Machine, MIGRATE_REASONS, type MigrateReason, type Migrator, parseReasonMask } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { expectAtRest, expectBytes, filled, freePages, nodesOf } from '../support/machines.js';
import { createCpuMigrator, createTestMigrator } from '../support/migrators.js';

const DEFAULT_MASK = 'compaction,syscall_or_cpuset,demotion,numa_misplaced';

async function boot(flow: (typeof FLOWS)[number] = 'batch-move', length = '256K') {
  const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow, batchLimit: 16 });
  const mm = machine.createAddressSpace();
  const area = mm.mmap({ length, populate: true });
  return { machine, mm, area, bytes: await filled(area), free: freePages(machine) };
}

const code = (name: string) => expect.objectContaining({ code: name });

describe('the registry', () => {
  it('takes one migrator at a time, and no other thing', async () => {
    const { machine } = await boot();
    await using _ = machine;
    const { offload } = machine;
    const [{ migrator }, { migrator: other }] = [createCpuMigrator(machine), createCpuMigrator(machine)];
    expect(offload).toMatchObject({ active: undefined, reasonMask: 0 });
    for (const none of [
      undefined,
      null,
      {},
      'mtcopy',
      { ...migrator, copyFolios: undefined },
      { ...migrator, name: 1 },
      { ...migrator, minFolios: '8' },
      { ...migrator, minBytes: '1K' },
      { ...migrator, minBytes: -1 },
    ]) {
      expect(() => offload.register(none as Migrator)).toThrow(code('EINVAL'));
    }
    expect(() => offload.register(migrator, 'swap')).toThrow(code('EINVAL'));
    expect(offload.active).toBe(undefined);
    offload.register(migrator);
    expect(offload).toMatchObject({ active: migrator, reasonMask: parseReasonMask(DEFAULT_MASK) });
    for (const second of [migrator, other]) expect(() => offload.register(second)).toThrow(code('EBUSY'));
    await expect(offload.unregister(other)).rejects.toEqual(code('EINVAL'));
    expect(() => offload.setReasonMask(other, 'all')).toThrow(code('EINVAL'));
    expect(() => offload.setReasonMask(migrator, 'swap')).toThrow(code('EINVAL'));
    expect(offload).toMatchObject({ active: migrator, reasonMask: parseReasonMask(DEFAULT_MASK) });
    await offload.unregister(migrator);
    expect(offload).toMatchObject({ active: undefined, reasonMask: 0 });
    await expect(offload.unregister(migrator)).rejects.toEqual(code('EINVAL'));
    expect(() => offload.setReasonMask(migrator, 'all')).toThrow(code('EINVAL'));
    offload.register(other, 0x101);
    expect(offload).toMatchObject({ active: other, reasonMask: 0x101 });
  });

  it.each(['mtcopy', 'dcbm'] as const)(
    "takes no other machine's %s, which copies in that one's memory",
    async (name) => {
      await using other = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0, migrator: name });
      const migrator = other.offload.active as Migrator;
      const { machine, mm, area, bytes } = await boot();
      await using _ = machine;
      expect(() => machine.offload.register(migrator)).toThrow(code('EINVAL'));
      expect(machine.offload.active).toBe(undefined);
      await expect(machine.movePages(mm, area.pages(), { node: 1, migrator })).rejects.toEqual(code('EINVAL'));
      await expect(Machine.boot({ nodes: ['4M', '4M'], cpus: 0, migrator })).rejects.toEqual(code('EINVAL'));
      expect(new Set(await nodesOf(machine, area))).toEqual(new Set([0]));
      await expectBytes(area, bytes);
      expectAtRest(area);
    },
  );

  it('has the migrator that a machine boots with', async () => {
    await using kernel = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0 });
    expect(kernel.offload.active).toBe(undefined);
    await using mtcopy = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0, migrator: 'mtcopy', threads: 1 });
    expect(mtcopy.offload).toMatchObject({ active: { name: 'mtcopy' }, reasonMask: parseReasonMask(DEFAULT_MASK) });
    const { migrator } = createCpuMigrator(kernel);
    await using own = await Machine.boot({ nodes: ['4M', '4M'], cpus: 0, migrator });
    expect(own.offload.active).toBe(migrator);
  });
});

describe.each(FLOWS)('%s: a batch', (flow) => {
  it('is copied by what is registered for its reason, and otherwise by the calling thread', async () => {
    const { machine, mm, area, bytes, free } = await boot(flow);
    await using _ = machine;
    const { migrator, counts } = createCpuMigrator(machine);
    let node = 0;
    const offloaded = async (reason: MigrateReason) => {
      const before = counts.folios;
      node = 1 - node;
      const { status } = await machine.migrateFolios(mm, area.pages(), { node, reason });
      expect(new Set(status)).toEqual(new Set([node]));
      return counts.folios - before;
    };
    const asked: Record<string, number> = {};
    machine.offload.register(migrator);
    for (const reason of MIGRATE_REASONS) asked[reason] = await offloaded(reason);
    const names = DEFAULT_MASK.split(',');
    expect(asked).toEqual(Object.fromEntries(MIGRATE_REASONS.map((name) => [name, names.includes(name) ? 64 : 0])));
    for (const mask of MIGRATE_REASONS) {
      machine.offload.setReasonMask(migrator, mask);
      expect([await offloaded(mask), await offloaded(mask === 'damon' ? 'demotion' : 'damon')]).toEqual([64, 0]);
    }
    machine.offload.setReasonMask(migrator, 'all');
    await machine.movePages(mm, area.pages(), { node: 1 - node });
    await machine.migratePages(mm, { from: [1 - node], to: [node] });
    expect(counts.folios).toBe(64 * (names.length + MIGRATE_REASONS.length + 2));
    await machine.offload.unregister(migrator);
    expect(await offloaded('demotion')).toBe(0);
    if (node === 1) await offloaded('demotion');
    expect(freePages(machine)).toEqual(free);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('is copied by the migrator that its call names, whatever is registered and for which reasons', async () => {
    const { machine, mm, area, bytes } = await boot(flow);
    await using _ = machine;
    const [registered, named] = [createCpuMigrator(machine), createCpuMigrator(machine)];
    machine.offload.register(registered.migrator, 'demotion');
    await machine.migrateFolios(mm, area.pages(), { node: 1, reason: 'demotion', migrator: named.migrator });
    await machine.migrateFolios(mm, area.pages(), { node: 0, reason: 'damon', migrator: named.migrator });
    await machine.movePages(mm, area.pages(), { node: 1, migrator: named.migrator });
    await machine.migrateFolios(mm, area.pages(), { node: 0, reason: 'demotion', migrator: 'kernel' });
    expect([registered.counts.folios, named.counts.folios]).toEqual([0, 3 * 64]);
    const unknown = { node: 1, reason: 'demotion', migrator: 'dsa' as 'kernel' } as const;
    await expect(machine.migrateFolios(mm, area.pages(), unknown)).rejects.toEqual(code('EINVAL'));
    await expectBytes(area, bytes);
  });

  it('that is being copied keeps its migrator, and unregister waits for it; later ones are copied without', async () => {
    const { machine, mm, area, bytes } = await boot(flow);
    await using _ = machine;
    const slow = createTestMigrator(machine);
    machine.offload.register(slow);
    const moving = machine.movePages(mm, area.pages(), { node: 1 });
    await slow.entered;
    let isLeft = false;
    const leaving = machine.offload.unregister(slow).then(() => {
      isLeft = true;
    });
    const { active, reasonMask } = machine.offload;
    // The slot is taken until it has left, and whoever asks to have it leave once more is wrong.
    const { migrator } = createCpuMigrator(machine);
    expect(() => machine.offload.register(migrator)).toThrow(code('EBUSY'));
    await expect(machine.offload.unregister(slow)).rejects.toEqual(code('EINVAL'));
    expect(() => machine.offload.setReasonMask(slow, 'all')).toThrow(code('EINVAL'));
    // Another address space's batches don't wait for it.
    const other = machine.createAddressSpace();
    const here = other.mmap({ length: '64K', populate: true });
    const { stats } = await machine.movePages(other, here.pages(), { node: 1 });
    expect(stats.succeeded).toBe(16);
    expect(isLeft).toBe(false);
    slow.go();
    await leaving;
    // It had the first of four batches.
    await moving;
    expect({ active, reasonMask }).toEqual({ active: slow, reasonMask: 0 });
    expect(await nodesOf(machine, area)).toEqual(new Array(64).fill(1));
    await expectBytes(area, bytes);
    machine.offload.register(migrator);
  });
});

it('unregister waits for all batches of a call that named the migrator before', async () => {
  const { machine, mm, area, bytes } = await boot();
  await using _ = machine;
  const slow = createTestMigrator(machine);
  let batches = 0;
  let isLeft = false;
  const migrator: Migrator = {
    name: 'counted',
    copyFolios(batch) {
      if (!isLeft) batches++;
      return slow.copyFolios(batch);
    },
  };
  machine.offload.register(migrator, 'none');
  // Four batches, the first of which waits.
  const moving = machine.movePages(mm, area.pages(), { node: 1, migrator, batchLimit: 16 });
  await slow.entered;
  const leaving = machine.offload.unregister(migrator).then(() => {
    isLeft = true;
  });
  slow.go();
  await Promise.all([moving, leaving]);
  expect(batches).toBe(4);
  await expectBytes(area, bytes);
});

it('unregister waits for a call that named the migrator, and not for those that come after it', async () => {
  const { machine, mm, area } = await boot();
  await using _ = machine;
  const slow = createTestMigrator(machine);
  machine.offload.register(slow, 'none');
  const moving = machine.movePages(mm, area.pages(), { node: 1, migrator: slow, batchLimit: 64 });
  await slow.entered;
  let isLeft = false;
  const leaving = machine.offload.unregister(slow).then(() => {
    isLeft = true;
  });
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  expect(isLeft).toBe(false);
  slow.go();
  await Promise.all([leaving, moving]);
  const next = createTestMigrator(machine);
  machine.offload.register(next);
  const others = machine.movePages(mm, area.pages(), { node: 0, migrator: slow });
  await machine.offload.unregister(next);
  await others;
});

it('masks, migrators and migrations change all at once, and every byte arrives', async () => {
  const { machine, mm, area, bytes, free } = await boot('pre-copy');
  await using _ = machine;
  const { migrator: counting, counts } = createCpuMigrator(machine);
  const migrator: Migrator = {
    ...counting,
    async copyFolios(batch) {
      await new Promise(setImmediate);
      return counting.copyFolios(batch);
    },
  };
  let changes = 0;
  const change = async () => {
    machine.offload.register(migrator, changes % 3 === 0 ? 'none' : 'all');
    for (let turn = changes++ % 5; turn > 0; turn--) await new Promise(setImmediate);
    machine.offload.setReasonMask(migrator, changes % 2 === 0 ? 'syscall_or_cpuset' : 'demotion');
    for (let turn = changes % 3; turn > 0; turn--) await new Promise(setImmediate);
    await machine.offload.unregister(migrator);
  };
  for (let round = 1; round <= 200; round++) {
    await Promise.all([machine.movePages(mm, area.pages(), { node: round % 2, batchLimit: 4 }), change()]);
  }
  console.info(`${changes} times registered, ${counts.folios} of 12800 folios copied by it`);
  expect(counts.folios).toBeGreaterThan(0);
  expect(counts.folios).toBeLessThan(12_800);
  expect(freePages(machine)).toEqual(free);
  await expectBytes(area, bytes);
  expectAtRest(area);
});
