import { CopyEngine, KiB, Machine, MiB } from 'mtcopy';
import { migrationManners, migrationStores, withMigrations } from 'mtcopy/experiments';
import { afterEach, expect, it, vi } from 'vitest';

const COPIED = { folioBytes: 64 * KiB, batchBytes: MiB };
const SHAPE = { distribution: 'auto', unitBytes: 'auto' } as const;

afterEach(() => vi.restoreAllMocks());

it('all manners migrate the same memory, each by the schedule that it names', async () => {
  const boot = vi.spyOn(Machine, 'boot');
  const manners = migrationManners([1]);
  const seen: (string | undefined)[] = [];
  const { movePages } = Machine.prototype;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...call) {
    if (call[2]?.migrator === 'mtcopy') seen.push(this.schedule);
    return movePages.apply(this, call);
  });
  await withMigrations(manners, COPIED, SHAPE, async (runners) => {
    for (const { settings, run } of [...runners, ...runners.toReversed()]) {
      seen.length = 0;
      await run();
      const schedules = settings.migrator === 'mtcopy' ? [settings.schedule] : [];
      expect([...new Set(seen)]).toEqual(schedules);
    }
  });
  expect(boot).toHaveBeenCalledTimes(1);
});

it('threads that were started for a schedule migrate all of it once before they are timed, and those of the same never twice', async () => {
  const mtcopy = migrationManners([1]).filter(({ migrator, caller }) => migrator === 'mtcopy' && caller === 'auto');
  const [dynamic, fixed] = mtcopy;
  const calls = vi.spyOn(Machine.prototype, 'movePages');
  const pages = COPIED.batchBytes * 16;
  /** How often all of the memory has moved in a run. */
  const wholes = async (run: () => Promise<number>) => {
    calls.mockClear();
    await run();
    return calls.mock.calls.filter(([, addresses]) => addresses.length === pages / COPIED.folioBytes).length;
  };
  await withMigrations([dynamic, fixed], COPIED, SHAPE, async ([one, other]) => {
    await one.run();
    expect([await wholes(one.run), await wholes(other.run)]).toEqual([2, 4]);
    expect([await wholes(other.run), await wholes(one.run)]).toEqual([2, 4]);
  });
});

it('all kinds of stores are looked at, that of the manner first, and each migration has its own', async () => {
  const [, preCopy] = migrationManners([1]);
  const manners = migrationStores(preCopy);
  expect(manners.map(({ stores }) => stores)).toEqual(['auto', 'cached', 'streaming']);
  expect(migrationStores(manners[2]).map(({ stores }) => stores)).toEqual(['streaming', 'auto', 'cached']);
  const calls = vi.spyOn(Machine.prototype, 'movePages');
  await withMigrations(manners, COPIED, SHAPE, async (runners) => {
    for (const { name, settings, run } of runners) {
      calls.mockClear();
      await run();
      expect(new Set(calls.mock.calls.map(([, , options]) => options?.stores))).toEqual(new Set([settings.stores]));
      expect(name.includes(`stores ${settings.stores}`)).toBe(settings.stores !== 'auto');
    }
  });
});

it('those of one schedule follow each other, whatever their threads and callers', () => {
  const schedules = migrationManners([1, 2, 4]).flatMap(({ migrator, schedule }) =>
    migrator === 'mtcopy' ? [schedule] : [],
  );
  const changes = schedules.filter((schedule, i) => i > 0 && schedule !== schedules[i - 1]);
  expect([schedules.length, changes.length]).toEqual([12, 1]);
});

it('a machine is ready for another schedule once the threads of the one before have ended', async () => {
  await using machine = await Machine.boot({ nodes: ['8M', '8M'], cpus: 0, threads: 1 });
  await machine.ready('mtcopy');
  const { close, ready } = CopyEngine.prototype;
  let letEnd = () => {};
  const held = new Promise<void>((resolve) => {
    letEnd = resolve;
  });
  vi.spyOn(CopyEngine.prototype, 'close').mockImplementation(async function (this: CopyEngine) {
    await held;
    return close.call(this);
  });
  let isNewOneReady = () => {};
  const newOne = new Promise<void>((resolve) => {
    isNewOneReady = resolve;
  });
  vi.spyOn(CopyEngine.prototype, 'ready').mockImplementation(async function (this: CopyEngine) {
    await ready.call(this);
    isNewOneReady();
  });
  machine.schedule = 'static';
  let isReady = false;
  const whole = machine.ready('mtcopy').then(() => {
    isReady = true;
  });
  await newOne;
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  const wasReady = isReady;
  // Before anything fails: the machine is closed then, which waits for it.
  letEnd();
  expect(wasReady).toBe(false);
  await whole;
  expect(isReady).toBe(true);
});
