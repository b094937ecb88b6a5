import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CopyEngine, type CopyTrace, formatReasonMask, Machine } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { countAttached, openRing } from '#src/copy/worker/job-ring.js';
import { MiB } from '#src/units.js';
import { errno, errorOf } from '../support/errors.js';
import { holdThreads, raceHeld } from '../support/holds.js';
import { expectBytes, filled, nodesOf, until } from '../support/machines.js';
import { createTestMigrator } from '../support/migrators.js';
import { watchWorkers } from '../support/threads.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0 } as const;
/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

afterEach(() => vi.restoreAllMocks());

/** A setting by its option, its member and its file, with two values that it can have, and one that it can't. */
const SETTINGS = [
  ['threads', 'kernel/cpu_mt/threads', 2, 8, 65],
  ['schedule', 'kernel/cpu_mt/schedule', 'static', 'dynamic', 'guided'],
  ['caller', 'kernel/cpu_mt/caller', 'helps', 'waits', 'both'],
  ['flow', 'kernel/mm/migration/flow', 'serial', 'pre-copy', 'parallel'],
  ['batchLimit', 'kernel/mm/migration/max_batch', 16, 2 ** 20, 0],
  ['demotionStores', 'kernel/mm/migration/demotion_stores', 'cached', 'auto', 'hot'],
] as const;

describe.each(SETTINGS)('%s', (name, path, one, other, wrong) => {
  it('is one setting, whether it is an option, a member or a file', async () => {
    await using machine = await Machine.boot({ ...SIZES, [name]: one });
    const says = () => [machine[name], machine.sysfs.read(path)];
    const set = (value: unknown) => Object.assign(machine, { [name]: value });
    expect(says()).toEqual([one, String(one)]);
    set(other);
    expect(says()).toEqual([other, String(other)]);
    await machine.sysfs.write(path, String(one));
    expect(says()).toEqual([one, String(one)]);
    for (const value of [wrong, null, undefined, {}, String(wrong)]) {
      expect(await errorOf(() => set(value))).toEqual(errno('EINVAL'));
    }
    expect(await errorOf(() => machine.sysfs.write(path, String(wrong)))).toEqual(errno('EINVAL'));
    expect(says()).toEqual([one, String(one)]);
  });
});

it('what copies is what was registered last, by whomever', async () => {
  await using machine = await Machine.boot({ ...SIZES, migrator: 'mtcopy', threads: 1 });
  const { offload, sysfs } = machine;
  const says = () => [sysfs.read('kernel/mm/migration/offload_migrator'), sysfs.read('kernel/cpu_mt/offloading')];
  const mtcopy = offload.active;
  expect([mtcopy?.name, ...says()]).toEqual(['mtcopy', 'mtcopy', '1']);
  await sysfs.write('kernel/cpu_mt/offloading', '0');
  expect([offload.active, ...says()]).toEqual([undefined, 'kernel', '0']);
  await sysfs.write('kernel/mm/migration/offload_migrator', 'mtcopy');
  expect(offload.active).toBe(mtcopy);
  expect(says()).toEqual(['mtcopy', '1']);
  if (mtcopy) await offload.unregister(mtcopy);
  expect(says()).toEqual(['kernel', '0']);
  const own = { ...createTestMigrator(machine), name: 'own' };
  offload.register(own);
  expect(says()).toEqual(['own', '0']);
});

it('a mask is the same to the registry and to a file, and is kept while its migrator is off', async () => {
  await using machine = await Machine.boot({ ...SIZES, migrator: 'mtcopy', threads: 1 });
  const { offload, sysfs } = machine;
  const mtcopy = offload.active as NonNullable<typeof offload.active>;
  const mask = 'kernel/cpu_mt/reason_mask';
  await sysfs.write(mask, 'demotion');
  expect(formatReasonMask(offload.reasonMask)).toBe('demotion');
  offload.setReasonMask(mtcopy, 'damon');
  expect(sysfs.read(mask)).toBe('damon');
  await sysfs.write('kernel/cpu_mt/offloading', '0');
  expect([sysfs.read(mask), offload.reasonMask]).toEqual(['damon', 0]);
  await sysfs.write(mask, 'compaction,damon');
  expect(offload.reasonMask).toBe(0);
  await sysfs.write('kernel/mm/migration/offload_migrator', 'mtcopy');
  expect(formatReasonMask(offload.reasonMask)).toBe('compaction,damon');
  await offload.unregister(mtcopy);
  offload.register(mtcopy, 'longterm_pin');
  expect(sysfs.read(mask)).toBe('longterm_pin');
});

it('the files go by what migrations do: flow, batch limit and mask', async () => {
  await using machine = await Machine.boot({ ...SIZES, threads: 1 });
  const { sysfs } = machine;
  const area = machine.createAddressSpace().mmap({ length: '1M', populate: true });
  const heard: { flow: string; migrator: string }[] = [];
  const onEnd = (message: unknown) => heard.push(message as { flow: string; migrator: string });
  subscribe('tracing:mtcopy:migrate:end', onEnd);
  const moved = async (node: number) => {
    heard.length = 0;
    const { stats } = await machine.movePages(area.mm, area.pages(), { node });
    return [stats.batches, heard[0]?.flow, heard[0]?.migrator];
  };
  expect(await moved(1)).toEqual([1, 'vanilla', 'kernel']);
  await sysfs.write('kernel/mm/migration/max_batch', '64');
  await sysfs.write('kernel/mm/migration/flow', 'pre-copy');
  await sysfs.write('kernel/cpu_mt/offloading', '1');
  expect(await moved(0)).toEqual([4, 'pre-copy', 'mtcopy']);
  await sysfs.write('kernel/cpu_mt/reason_mask', 'demotion');
  machine.flow = 'batch-move';
  machine.batchLimit = 128;
  expect(await moved(1)).toEqual([2, 'batch-move', 'kernel']);
  unsubscribe('tracing:mtcopy:migrate:end', onEnd);
});

it.each([
  ['helps', 2],
  ['waits', 1],
  ['auto', 1],
] as const)('who copies is as the file says from the next batch on: %s', async (caller, threads) => {
  using holds = holdThreads();
  const booted = caller === 'helps' ? 'waits' : 'helps';
  const options = { ...SIZES, threads: 1, flow: 'pre-copy', caller: booted, migrator: 'mtcopy' } as const;
  // One batch a move, so that the last copy is the one that was held.
  await using machine = await Machine.boot({ ...options, batchLimit: 1024 });
  const area = machine.createAddressSpace().mmap({ length: '4M', folioSize: '2M', populate: true });
  const ring = openRing(machine.memory.buffer, RING);
  // An engine that is spoken to keeps its thread: without one the calling thread would copy in any case.
  const awake = setInterval(() => {
    machine.threads = 1;
  }, 10);
  const heard: CopyTrace[] = [];
  const onEnd = (message: unknown) => heard.push(message as CopyTrace);
  subscribe('tracing:mtcopy:copy:asyncEnd', onEnd);
  try {
    await until(() => countAttached(ring, 1) === 1);
    await machine.sysfs.write('kernel/cpu_mt/caller', caller);
    // The thread has a part of the batch where it is held, unless others were faster: then once more. The calling thread
    // has time to take of the rest whatever it takes.
    for (let node = 1; !heard.at(-1)?.result?.workerNs; node = 1 - node) {
      using hold = holds.at({ operation: 'compareExchange', array: ring.words, value: 1, when: 'after' });
      const moving = machine.movePages(area.mm, area.folios(), { node });
      if (await raceHeld(hold, moving)) for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
      hold.go();
      await moving;
    }
    expect(heard.at(-1)?.result?.threads).toBe(threads);
  } finally {
    clearInterval(awake);
    unsubscribe('tracing:mtcopy:copy:asyncEnd', onEnd);
  }
});

describe('what is set while the engine starts', () => {
  it('holds for the engine that then copies', async () => {
    const create = vi.spyOn(CopyEngine, 'create');
    await using machine = await Machine.boot({ ...SIZES, threads: 1 });
    const starting = machine.sysfs.write('kernel/mm/migration/offload_migrator', 'mtcopy');
    await until(() => create.mock.calls.length === 1);
    machine.threads = 2;
    machine.schedule = 'static';
    await starting;
    expect(create.mock.calls.map(([options]) => [options?.schedule, options?.threads])).toEqual([
      ['dynamic', 1],
      ['static', 2],
    ]);
    const [first, second] = await Promise.all(create.mock.results.map(({ value }) => value as Promise<CopyEngine>));
    // Closed: nobody can set anything there.
    expect(await errorOf(() => Object.assign(first as object, { threads: 1 }))).toEqual(errno('ESHUTDOWN'));
    expect(second?.threads).toBe(2);
  });

  it('is the number of its threads', async () => {
    const create = vi.spyOn(CopyEngine, 'create');
    await using machine = await Machine.boot({ ...SIZES, threads: 1 });
    const starting = machine.sysfs.write('kernel/cpu_mt/offloading', '1');
    await until(() => create.mock.calls.length === 1);
    machine.threads = 3;
    await starting;
    expect(create.mock.calls.map(([options]) => options?.threads)).toEqual([1]);
    const [engine] = await Promise.all(create.mock.results.map(({ value }) => value as Promise<CopyEngine>));
    expect(engine?.threads).toBe(3);
  });
});

describe('a change of the schedule', () => {
  it('starts an engine for later batches, and ends the other once its copies have', async () => {
    using workers = watchWorkers();
    using holds = holdThreads();
    const create = vi.spyOn(CopyEngine, 'create');
    await using machine = await Machine.boot({ ...SIZES, threads: 1, migrator: 'mtcopy', flow: 'pre-copy' });
    const { sysfs, offload } = machine;
    const mtcopy = offload.active;
    const area = machine.createAddressSpace().mmap({ length: '4M', folioSize: '2M', populate: true });
    const other = machine.createAddressSpace().mmap({ length: '4M', folioSize: '2M', populate: true });
    const [bytes, others] = [await filled(area), await filled(other, 7)];
    const { words } = openRing(machine.memory.buffer, RING);
    using hold = holds.at({ operation: 'compareExchange', array: words, value: 1, when: 'after' });
    // A thread that is on its way back takes no part yet, and the calling thread copies.
    let node = 0;
    let moving: Promise<unknown>;
    do {
      node = 1 - node;
      moving = machine.movePages(area.mm, area.folios(), { node });
    } while (!(await raceHeld(hold, moving)));
    await sysfs.write('kernel/cpu_mt/schedule', 'static');
    expect(create.mock.calls.map(([options]) => options?.schedule)).toEqual(['dynamic', 'static']);
    expect(workers.alive.size).toBe(2);
    expect(offload.active).toBe(mtcopy);
    // One engine's thread is held: this batch is another's.
    const { stats } = await machine.movePages(other.mm, other.folios(), { node: 1 });
    expect(stats).toMatchObject({ succeeded: 1024, failed: 0 });
    hold.go();
    await moving;
    expect(new Set(await nodesOf(machine, area))).toEqual(new Set([node]));
    await expectBytes(area, bytes);
    await expectBytes(other, others);
    machine.schedule = 'static';
    await sysfs.write('kernel/cpu_mt/schedule', 'static');
    await machine.movePages(other.mm, other.folios(), { node: 0 });
    expect(create.mock.calls.length).toBe(2);
    machine.schedule = 'dynamic';
    await machine.movePages(other.mm, other.folios(), { node: 1 });
    expect(create.mock.calls[2]?.[0]?.schedule).toBe('dynamic');
    await expectBytes(other, others);
    await machine.close();
    expect(workers.alive.size).toBe(0);
  });

  it('may come at any time, also while an engine starts: every page arrives, and no thread stays', async () => {
    using workers = watchWorkers();
    const machine = await Machine.boot({ ...SIZES, threads: 2, flow: 'pre-copy', batchLimit: 128 });
    const area = machine.createAddressSpace().mmap({ length: '4M', populate: true });
    const bytes = await filled(area);
    const free = machine.memory.nodes.map(({ freePages }) => freePages);
    for (let round = 1; round <= 6; round++) {
      const node = round % 2;
      const moving = machine.movePages(area.mm, area.pages(), { node, migrator: 'mtcopy' });
      for (let turn = 0; turn < 4; turn++) {
        machine.schedule = turn % 2 === 0 ? 'static' : 'dynamic';
        machine.threads = 1 + (turn % 2);
        await new Promise(setImmediate);
      }
      expect((await moving).stats).toMatchObject({ succeeded: 1024, failed: 0 });
    }
    await expectBytes(area, bytes);
    expect(machine.memory.nodes.map(({ freePages }) => freePages)).toEqual(free);
    await machine.close();
    expect(workers.alive.size).toBe(0);
  });

  it('starts no thread for a migrator that is off', async () => {
    using workers = watchWorkers();
    await using machine = await Machine.boot(SIZES);
    await machine.sysfs.write('kernel/cpu_mt/schedule', 'static');
    await machine.sysfs.write('kernel/cpu_mt/threads', '8');
    expect(workers.alive.size).toBe(0);
  });
});
