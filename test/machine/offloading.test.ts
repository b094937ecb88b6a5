import { type Area, CopyEngine, ErrnoError, Machine } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { openRing } from '#src/copy/worker/job-ring.js';
import { MiB } from '#src/units.js';
import { errno, errorOf } from '../support/errors.js';
import { holdThreads, raceHeld } from '../support/holds.js';
import { expectAtRest, expectBytes, filled } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0, threads: 1, flow: 'pre-copy' } as const;
const OFFLOADING = 'kernel/cpu_mt/offloading';
const MIGRATOR = 'kernel/mm/migration/offload_migrator';
/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

const mapped = (machine: Machine): Area =>
  machine.createAddressSpace().mmap({ length: '4M', folioSize: '2M', populate: true });

type Holds = ReturnType<typeof holdThreads>;

/** Moves an area back and forth until the thread of mtcopy stands in the middle of a copy; then it waits to be let go. */
async function holdCopy(machine: Machine, holds: Holds, area: Area) {
  const { words } = openRing(machine.memory.buffer, RING);
  const hold = holds.at({ operation: 'compareExchange', array: words, value: 1, when: 'after' });
  for (let node = 1; ; node = 1 - node) {
    const moving = machine.movePages(area.mm, area.folios(), { node });
    // A thread that is on its way back takes no part yet, and the calling thread copies.
    if (await raceHeld(hold, moving)) return { moving, hold, [Symbol.dispose]: () => hold.go() };
  }
}

/** Some turns of the event loop: enough for what waits for nothing. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

afterEach(() => vi.restoreAllMocks());

describe.each([
  ['offloading', OFFLOADING, '1', '0'],
  ['offload_migrator', MIGRATOR, 'mtcopy', 'kernel'],
])('%s', (_, path, on, off) => {
  it('is no error where it is on, or off, already', async () => {
    await using machine = await Machine.boot(SIZES);
    const { sysfs, offload } = machine;
    for (const _ of [1, 2]) {
      await sysfs.write(path, off);
      expect([offload.active, sysfs.read(path)]).toEqual([undefined, off]);
    }
    for (const _ of [1, 2]) {
      await sysfs.write(path, on);
      expect([offload.active?.name, sysfs.read(path)]).toEqual(['mtcopy', on]);
    }
    await sysfs.write(path, off);
    expect(offload.active).toBe(undefined);
  });

  it('is EBUSY while another migrator is registered, and leaves that alone', async () => {
    await using machine = await Machine.boot(SIZES);
    const create = vi.spyOn(CopyEngine, 'create');
    const { sysfs, offload } = machine;
    const own = createTestMigrator(machine);
    offload.register(own, 'demotion');
    expect(await errorOf(() => sysfs.write(path, on))).toEqual(errno('EBUSY'));
    expect([offload.active, sysfs.read(OFFLOADING), sysfs.read(MIGRATOR)]).toEqual([own, '0', 'test']);
    expect(create.mock.calls.length).toBe(0);
    await offload.unregister(own);
    await sysfs.write(path, on);
    expect(offload.active?.name).toBe('mtcopy');
  });

  it('is off once the copies in flight have ended, and later batches are copied without it at once', async () => {
    using holds = holdThreads();
    await using machine = await Machine.boot({ ...SIZES, migrator: 'mtcopy' });
    const { sysfs, offload } = machine;
    const [area, other] = [mapped(machine), mapped(machine)];
    const bytes = await filled(area);
    using held = await holdCopy(machine, holds, area);
    const done: string[] = [];
    const writes = [off, on, off].map((value, i) => sysfs.write(path, value).then(() => done.push(`${i} ${value}`)));
    await turns();
    expect(done).toEqual([]);
    expect([offload.active?.name, sysfs.read(path)]).toEqual(['mtcopy', on]);
    const { stats } = await machine.movePages(other.mm, other.folios(), { node: 1 });
    expect(stats.succeeded).toBe(1024);
    expect(done).toEqual([]);
    held.hold.go();
    await Promise.all([held.moving, ...writes]);
    expect(done).toEqual([`0 ${off}`, `1 ${on}`, `2 ${off}`]);
    expect([offload.active, sysfs.read(path)]).toEqual([undefined, off]);
    await expectBytes(area, bytes);
    expectAtRest(area);
  });

  it('is as the last one asked for it, though its threads start meanwhile', async () => {
    await using machine = await Machine.boot(SIZES);
    const { sysfs, offload } = machine;
    const [first, second] = path === OFFLOADING ? [OFFLOADING, MIGRATOR] : [MIGRATOR, OFFLOADING];
    // By two files, that is: the order of one is that of the tree.
    await Promise.all([sysfs.write(first, on), sysfs.write(second, second === MIGRATOR ? 'kernel' : '0')]);
    expect(offload.active).toBe(undefined);
  });

  it('stays off where its threads cannot be started, with their error', async () => {
    await using machine = await Machine.boot(SIZES);
    const { sysfs, offload } = machine;
    const create = vi.spyOn(CopyEngine, 'create').mockRejectedValueOnce(new ErrnoError('EAGAIN', 'no thread'));
    expect(await errorOf(() => sysfs.write(path, on))).toEqual(errno('EAGAIN'));
    expect([offload.active, sysfs.read(path)]).toEqual([undefined, off]);
    await sysfs.write(path, on);
    expect([offload.active?.name, create.mock.calls.length]).toEqual(['mtcopy', 2]);
  });

  it('waits for a migrator that is being unregistered by the registry itself', async () => {
    for (const value of [on, off]) {
      using holds = holdThreads();
      await using machine = await Machine.boot({ ...SIZES, migrator: 'mtcopy' });
      const { sysfs, offload } = machine;
      const mtcopy = offload.active as NonNullable<typeof offload.active>;
      using held = await holdCopy(machine, holds, mapped(machine));
      const leaving = offload.unregister(mtcopy);
      let isWritten = false;
      const writing = sysfs.write(path, value).then(() => {
        isWritten = true;
      });
      await turns();
      expect(isWritten).toBe(false);
      held.hold.go();
      await Promise.all([held.moving, leaving, writing]);
      expect([offload.active, sysfs.read(path)]).toEqual([value === on ? mtcopy : undefined, value]);
    }
  });
});

it("offload_migrator's kernel is EBUSY while a program's own migrator is registered: nobody else may unregister it", async () => {
  await using machine = await Machine.boot(SIZES);
  const own = createTestMigrator(machine);
  machine.offload.register(own);
  expect(await errorOf(() => machine.sysfs.write(MIGRATOR, 'kernel'))).toEqual(errno('EBUSY'));
  expect(machine.offload.active).toBe(own);
  // cpu_mt is off, and it stays off.
  await machine.sysfs.write(OFFLOADING, '0');
});

it('is turned on and off while migrations run, and every byte arrives', async () => {
  await using machine = await Machine.boot({ ...SIZES, batchLimit: 512 });
  const { sysfs, offload } = machine;
  const area = mapped(machine);
  const bytes = await filled(area);
  let isOver = false;
  let changes = 0;
  const change = async () => {
    for (; !isOver; changes++) {
      await sysfs.write(OFFLOADING, String(changes % 2));
      await new Promise(setImmediate);
    }
  };
  const changing = change();
  for (let round = 1; changes < 40; round++) {
    const { stats } = await machine.movePages(area.mm, area.folios(), { node: round % 2 });
    expect(stats).toMatchObject({ succeeded: 1024, failed: 0 });
  }
  isOver = true;
  await changing;
  await sysfs.write(OFFLOADING, '0');
  expect(offload.active).toBe(undefined);
  await expectBytes(area, bytes);
  expectAtRest(area);
});

it('close waits for what is being turned off', async () => {
  const machine = await Machine.boot({ ...SIZES, migrator: 'mtcopy' });
  const writing = machine.sysfs.write(OFFLOADING, '0');
  await machine.close();
  await writing;
  expect(machine.sysfs.read(OFFLOADING)).toBe('0');
  expect(await errorOf(() => machine.sysfs.write(OFFLOADING, '1'))).toEqual(errno('ESHUTDOWN'));
});
