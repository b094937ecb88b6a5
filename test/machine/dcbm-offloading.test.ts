import { type Area, type ErrnoError, Machine, type MachineOptions } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { SILENCE } from '#src/dma/worker/ring.js';
import { errno, errorOf } from '../support/errors.js';
import { expectAtRest, expectBytes, filled, freePages, nodesOf, until } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0, threads: 1, flow: 'pre-copy' } as const;
const MIGRATOR = 'kernel/mm/migration/offload_migrator';
const MTCOPY = 'kernel/cpu_mt/offloading';
const DCBM = 'kernel/dcbm/offloading';

afterEach(() => vi.restoreAllMocks());

/** As much as one batch has. */
const mapped = (machine: Machine, folioSize = '64K') =>
  machine.createAddressSpace().mmap({ length: '2M', folioSize, populate: true });

/** Boots a machine that copies with dcbm, of whose device a test has things go wrong. */
async function bootDcbm(options: MachineOptions = {}) {
  const create = vi.spyOn(DmaEngine, 'create');
  const machine = await Machine.boot({ ...SIZES, migrator: 'dcbm', ...options });
  return { machine, engine: (await create.mock.results[0].value) as DmaEngine };
}

/** Begins to move an area, whose first descriptor a channel is silent about until it is let go, and stays so once. */
async function holdBatch(engine: DmaEngine, area: Area, machine: Machine) {
  const request = vi.spyOn(engine, 'request');
  let count = 0;
  engine.faults = { descriptor: () => (++count === 1 ? 'silence' : 'none') };
  let isMoved = false;
  const moving = machine.movePages(area.mm, area.folios(), { node: 1 }).finally(() => {
    isMoved = true;
  });
  await until(() => count > 0);
  const { words } = request.mock.results[0].value;
  const go = async () => {
    // Again and again: it may be on its way to where it waits.
    while (!isMoved) {
      Atomics.add(words, SILENCE, 1);
      Atomics.notify(words, SILENCE);
      await new Promise(setImmediate);
    }
  };
  return { moving, go };
}

/** Some turns of the event loop: enough for what waits for nothing. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

describe.each([
  ['offloading', DCBM, '1', '0'],
  ['offload_migrator', MIGRATOR, 'dcbm', 'kernel'],
])('%s of dcbm', (_, path, on, off) => {
  it('is on and off, and no error where it is so already', async () => {
    await using machine = await Machine.boot(SIZES);
    const { sysfs, offload } = machine;
    for (const value of [off, on, on, off, off, on]) {
      await sysfs.write(path, value);
      expect([offload.active, sysfs.read(path)]).toEqual([value === on ? machine.dcbm : undefined, value]);
    }
    expect([sysfs.read(MIGRATOR), sysfs.read(MTCOPY), sysfs.read(DCBM)]).toEqual(['dcbm', '0', '1']);
  });

  it('is off once the batch in flight has ended, and not before', async () => {
    const { machine, engine } = await bootDcbm();
    await using _ = machine;
    const area = mapped(machine);
    const bytes = await filled(area);
    const { moving, go } = await holdBatch(engine, area, machine);
    let isOff = false;
    const writing = machine.sysfs.write(path, off).then(() => {
      isOff = true;
    });
    await turns();
    expect([isOff, machine.sysfs.read(path)]).toEqual([false, on]);
    await go();
    await writing;
    expect((await moving).stats.movedBy).toEqual([{ migrator: 'dcbm', folios: 32, bytes: 2 ** 21 }]);
    expect([machine.offload.active, machine.sysfs.read(path)]).toEqual([undefined, off]);
    await expectBytes(area, bytes);
  });

  it('stays off where its channels cannot be started, with their error, and what was on stays on', async () => {
    await using machine = await Machine.boot({ ...SIZES, ...(path === MIGRATOR && { migrator: 'mtcopy' }) });
    const { sysfs, offload } = machine;
    const before = [offload.active, sysfs.read(path)];
    const error = Object.assign(new Error('EAGAIN: no thread'), { name: 'ErrnoError', code: 'EAGAIN' }) as ErrnoError;
    vi.spyOn(DmaEngine, 'create').mockRejectedValueOnce(error);
    expect(await errorOf(() => sysfs.write(path, on))).toBe(error);
    expect([offload.active, sysfs.read(path)]).toEqual(before);
    await sysfs.write(path, on);
    expect(offload.active).toBe(machine.dcbm);
  });
});

it.each([
  [DCBM, MTCOPY, 'mtcopy'],
  [MTCOPY, DCBM, 'dcbm'],
] as const)('%s is EBUSY while the other driver is on', async (path, _, active) => {
  await using machine = await Machine.boot({ ...SIZES, migrator: active });
  expect(await errorOf(() => machine.sysfs.write(path, '1'))).toEqual(errno('EBUSY'));
  // Off it is, and may stay.
  await machine.sysfs.write(path, '0');
  expect([machine.offload.active?.name, machine.sysfs.read(path)]).toEqual([active, '0']);
});

it.each(['kernel', 'mtcopy', 'dcbm'] as const)('a call may name who copies, whoever is on: %s', async (migrator) => {
  for (const booted of ['kernel', 'mtcopy', 'dcbm'] as const) {
    await using machine = await Machine.boot({ ...SIZES, migrator: booted });
    const area = mapped(machine, '2M');
    const bytes = await filled(area);
    const { stats } = await machine.movePages(area.mm, area.folios(), { node: 1, migrator });
    expect(stats.movedBy).toEqual([{ migrator, folios: 1, bytes: 2 ** 21 }]);
    expect(machine.dcbm.foliosMigrated).toBe(migrator === 'dcbm' ? 1 : 0);
    const other = await machine.migratePages(area.mm, { from: [1], to: [0] });
    expect(other.stats.movedBy).toEqual([{ migrator: booted, folios: 1, bytes: 2 ** 21 }]);
    await expectBytes(area, bytes);
    expectAtRest(area);
  }
});

it('offload_migrator is changed while migrations run: none is in the way, and every byte arrives', async () => {
  using workers = watchWorkers();
  const machine = await Machine.boot({ ...SIZES, batchLimit: 128, dcbm: { nrDmaChan: 2 } });
  const { sysfs } = machine;
  const free = freePages(machine);
  const area = mapped(machine, '64K');
  const bytes = await filled(area);
  const names = ['dcbm', 'mtcopy', 'dcbm', 'kernel', 'mtcopy', 'kernel'];
  const seen = new Set<string>();
  let isOver = false;
  let changes = 0;
  const change = async () => {
    for (; !isOver; changes++) {
      const name = names[changes % names.length];
      await sysfs.write(MIGRATOR, name);
      expect(sysfs.read(MIGRATOR)).toBe(name);
      await new Promise(setImmediate);
    }
  };
  let failed: unknown;
  const changing = change().catch((error) => {
    failed = error;
  });
  for (let round = 1; changes < 60 || seen.size < 3; round++) {
    if (failed) break;
    const { stats } = await machine.movePages(area.mm, area.folios(), { node: round % 2 });
    expect(stats).toMatchObject({ succeeded: 512, failed: 0 });
    for (const { migrator } of stats.movedBy) seen.add(migrator);
  }
  isOver = true;
  await changing;
  expect(failed).toBe(undefined);
  expect([...seen].sort()).toEqual(['dcbm', 'kernel', 'mtcopy']);
  expect(machine.dcbm.foliosFailures).toBe(0);
  await expectBytes(area, bytes);
  expectAtRest(area);
  await machine.close();
  expect([freePages(machine), workers.alive.size]).toEqual([free, 0]);
});

it('channels whose threads are being started are not kept from batches', async () => {
  await using machine = await Machine.boot({ ...SIZES, dma: { channels: 1 } });
  const area = mapped(machine);
  const create = vi.spyOn(DmaEngine, 'create');
  const writing = machine.sysfs.write(DCBM, '1');
  await until(() => create.mock.results.length === 1);
  await create.mock.results[0].value;
  await turns();
  const { stats } = await machine.movePages(area.mm, area.folios(), { node: 1, migrator: 'dcbm' });
  await writing;
  expect(stats.movedBy).toEqual([{ migrator: 'dcbm', folios: 32, bytes: 2 ** 21 }]);
});

describe('close', () => {
  it('waits for the batch of a channel that is in flight', async () => {
    using workers = watchWorkers();
    const { machine, engine } = await bootDcbm();
    const free = freePages(machine);
    const area = mapped(machine);
    const { moving, go } = await holdBatch(engine, area, machine);
    let isClosed = false;
    const closing = machine.close().then(() => {
      isClosed = true;
    });
    await turns();
    expect([isClosed, workers.alive.size]).toEqual([false, 1]);
    await go();
    const { status, stats } = await moving;
    expect([new Set(status), stats.movedBy[0]?.migrator]).toEqual([new Set([1]), 'dcbm']);
    await closing;
    expect([freePages(machine), workers.alive.size]).toEqual([free, 0]);
  });

  it('is not kept by a channel that is silent for longer than it may be: the calling thread copies', async () => {
    using workers = watchWorkers();
    const { machine, engine } = await bootDcbm({ dcbm: { timeoutMs: 50 } });
    const area = mapped(machine);
    const { moving } = await holdBatch(engine, area, machine);
    const closing = machine.close();
    const { status, stats } = await moving;
    expect([new Set(status), stats.movedBy[0]?.migrator]).toEqual([new Set([1]), 'kernel']);
    await closing;
    expect([machine.dcbm.foliosFailures, workers.alive.size]).toEqual([32, 0]);
    expect(await errorOf(() => nodesOf(machine, area))).toEqual(errno('ESHUTDOWN'));
  });
});
