import {
  CopyEngine,
  type CopyMethod,
  type CreateOptions,
  KiB,
  Machine,
  type MachineOptions,
  MiB,
  type Stores,
  settingsOf,
} from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { HAS_NATIVE } from '../support/native.js';
import { ENGINE, fileWith, MACHINE, profile } from '../support/profiles.js';

const PRIVATE = { memory: '16M' } as const;
const NODES = { nodes: ['4M', '4M'], cpus: 0 };

/** The most participants of some asynchronous copies of so many bytes: of the first the threads may be on their way. */
async function participants(engine: CopyEngine, bytes: number): Promise<number> {
  const [to, from] = [engine.allocate(bytes), engine.allocate(bytes)];
  let most = 0;
  for (let call = 0; call < 50 && most < 2; call++) most = Math.max(most, (await engine.copy(to, from)).threads);
  return most;
}

describe('a profile wins over defaults, and options over it', () => {
  it('of an engine', async () => {
    using file = fileWith(JSON.stringify(profile({ engine: { ...ENGINE, method: 'auto' } })));
    await using byProfile = await CopyEngine.create({ ...PRIVATE, profile: file.path });
    expect(byProfile.threads).toBe(3);
    await using given = await CopyEngine.create({ ...PRIVATE, threads: 2, profile: file.path });
    expect(given.threads).toBe(2);
    await using undefinedIsNotGiven = await CopyEngine.create({ ...PRIVATE, threads: undefined, profile: file.path });
    expect(undefinedIsNotGiven.threads).toBe(3);
  });

  it('what an engine copies at once', async () => {
    // A list a participant: static, so all that are asked for take part, and the caller helps.
    const settings = { ...ENGINE, threads: 1, method: 'auto' } as const;
    const all = profile({ engine: { ...settings, minParallelBytes: 0 } });
    await using parallel = await CopyEngine.create({ ...PRIVATE, profile: all });
    await using never = await CopyEngine.create({
      ...PRIVATE,
      profile: profile({ engine: { ...settings, minParallelBytes: 'never' } }),
    });
    await using given = await CopyEngine.create({ ...PRIVATE, minParallelBytes: '4M', profile: all });
    expect(await participants(parallel, 2 * MiB)).toBe(2);
    expect(await participants(never, 2 * MiB)).toBe(1);
    expect(await participants(given, 2 * MiB)).toBe(1);
  });

  it('which loop copies, of which an option says both that say it', async () => {
    const says = (method: CopyMethod, stores: Stores) => profile({ engine: { ...ENGINE, method, stores } });
    const methodOf = async (options: CreateOptions) => {
      await using engine = await CopyEngine.create({ ...PRIVATE, ...options });
      return engine.methodFor(1).method;
    };
    const streams = HAS_NATIVE ? 'streaming' : 'memory.copy';
    expect(await methodOf({ profile: says('typed-array', 'auto') })).toBe('typed-array');
    // However little is copied.
    expect(await methodOf({ profile: says('auto', 'streaming') })).toBe(streams);
    expect(await methodOf({ profile: says('auto', 'auto') })).toBe('memory.copy');
    expect(await methodOf({ profile: says('auto', 'streaming'), method: 'typed-array' })).toBe('typed-array');
    expect(await methodOf({ profile: says('auto', 'streaming'), method: 'auto' })).toBe('memory.copy');
    expect(await methodOf({ profile: says('auto', 'streaming'), stores: 'cached' })).toBe('memory.copy');
    expect(await methodOf({ profile: says('typed-array', 'auto'), stores: 'streaming' })).toBe(streams);
  });

  it('the stores of a machine', async () => {
    const manner = { migrator: 'mtcopy', flow: 'pre-copy' } as const;
    const methodOf = async (options: MachineOptions, bytes = 4096) => {
      await using machine = await Machine.boot({ ...NODES, migrator: 'kernel', ...options });
      return machine.methodFor(bytes, manner).method;
    };
    const says = (stores: Stores) => profile({ machine: { ...MACHINE, stores } });
    const streams = HAS_NATIVE ? 'streaming' : 'memory.copy';
    expect(await methodOf({ profile: says('streaming') })).toBe(streams);
    expect(await methodOf({ profile: says('auto') })).toBe('memory.copy');
    expect(await methodOf({ profile: says('auto') }, 2 ** 40)).toBe(streams);
    expect(await methodOf({ profile: says('cached') }, 2 ** 40)).toBe('memory.copy');
    expect(await methodOf({ profile: says('streaming'), stores: 'auto' })).toBe('memory.copy');
  });

  it('of a machine', async () => {
    await using byProfile = await Machine.boot({ ...NODES, profile: profile() });
    expect(byProfile).toMatchObject({ threads: 3, schedule: 'static', caller: 'helps', flow: 'pre-copy' });
    expect(byProfile.offload.active?.name).toBe('mtcopy');
    expect(await byProfile.sysfs.read('kernel/cpu_mt/min_bytes')).toBe(String(MACHINE.minBytes));
    const own = { threads: 2, schedule: 'dynamic', caller: 'waits', flow: 'serial', migrator: 'kernel' } as const;
    await using given = await Machine.boot({ ...NODES, ...own, profile: profile() });
    const { migrator, ...others } = own;
    expect(given).toMatchObject(others);
    expect(given.offload.active).toBeUndefined();
  });

  it('of the engine of a machine: how it shares a batch out is what was found for copies', async () => {
    const create = vi.spyOn(CopyEngine, 'create');
    const shapeOf = async (options: object) => {
      await using machine = await Machine.boot({ ...NODES, ...options });
      await machine.ready('mtcopy');
      const { schedule, distribution, unitBytes } = create.mock.lastCall?.[0] ?? {};
      return { schedule, distribution, unitBytes };
    };
    const engine = { ...ENGINE, schedule: 'dynamic', distribution: 'auto', unitBytes: 256 * KiB } as const;
    const dynamic = profile({ engine, machine: { ...MACHINE, schedule: 'dynamic' } });
    try {
      const chunks = { schedule: 'static', distribution: 'chunks', unitBytes: 'auto' };
      expect(await shapeOf({ profile: profile() })).toEqual(chunks);
      expect(await shapeOf({ profile: dynamic })).toEqual({
        schedule: 'dynamic',
        distribution: 'auto',
        unitBytes: 256 * KiB,
      });
      expect(await shapeOf({ profile: profile(), distribution: 'folios' })).toEqual({
        ...chunks,
        distribution: 'folios',
      });
      expect(await shapeOf({ profile: dynamic, unitBytes: '1M' })).toMatchObject({ unitBytes: '1M' });
      expect(await shapeOf({ schedule: 'static' })).toMatchObject({ schedule: 'static', distribution: undefined });
    } finally {
      create.mockRestore();
    }
  });

  it('of dcbm', async () => {
    const machine = { ...MACHINE, migrator: 'dcbm', channels: 2 } as const;
    const boot = (dcbm?: object) => Machine.boot({ ...NODES, dcbm, profile: profile({ machine }) });
    await using byProfile = await boot();
    expect(byProfile.offload.active?.name).toBe('dcbm');
    expect(byProfile.dcbm).toMatchObject({ nrDmaChan: 2, minBytes: MACHINE.minBytes });
    // What was found for channels says nothing of threads.
    await using byNone = await Machine.boot(NODES);
    const least = 'kernel/cpu_mt/min_bytes';
    expect(await byProfile.sysfs.read(least)).toBe(await byNone.sysfs.read(least));
    await using given = await boot({ nrDmaChan: 1, cpuShare: 0.5 });
    expect(given.dcbm).toMatchObject({ nrDmaChan: 1, cpuShare: 0.5, minBytes: MACHINE.minBytes });
  });
});

describe('what a profile says', () => {
  it.each([
    [{}, 3],
    [{ folioSize: '4K' }, 2],
    [{ folioSize: '64K' }, 2],
    [{ folioSize: '1M' }, 4],
    [{ folioSize: 4096, batch: '2M' }, 1],
    [{ batch: '3M' }, 1],
    [{ batch: '1G', folioSize: '4M' }, 4],
    [{ load: 0 }, 2],
    [{ load: 7 }, 5],
    [{ load: 3, folioSize: '2M' }, 4],
  ])('of %o is that of the nearest that was measured', (asked, threads) => {
    expect(settingsOf({ from: profile(), ...asked }).engine.threads).toBe(threads);
  });
});
