import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Ended, mtcopy } from '../support/command.js';
import { HAS_NATIVE } from '../support/native.js';
import { ENGINE, fileWith, foreignProfile, MACHINE, profile } from '../support/profiles.js';

const COPY = ['copy', '--total', '4M', '--runs', '1', '--warmup', '0', '--json'];
const MIGRATE = ['migrate', '--folio-size', '64K', '--count', '4', '--runs', '1', '--warmup', '0', '--json'];
const PMBENCH = ['pmbench', '--cpus', '1', '--pages', '64', '--seconds', '0.05', '--json'];
const BY_KERNEL = { ...MACHINE, migrator: 'kernel', flow: 'batch-move' } as const;
const KERNEL = profile({ sizes: profile().sizes.map((size) => ({ ...size, machine: BY_KERNEL })) });

/** What a command printed with a profile. */
async function withProfile(own: object, ...args: string[]) {
  using file = fileWith(JSON.stringify(own));
  const { status, stdout, stderr } = await mtcopy(...args, '--profile', file.path);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

describe('a profile says what the command line does not', () => {
  it('to copy, of the nearest folio size', async () => {
    const shape = { schedule: 'static', distribution: 'chunks' };
    const says = { ...shape, caller: 'helps', method: 'typed-array' };
    expect((await withProfile(profile(), ...COPY)).results).toMatchObject([{ threads: ENGINE.threads, ...says }]);
    expect((await withProfile(profile(), ...COPY, '--folio-size', '2M')).results).toMatchObject([
      { threads: 4, ...says },
    ]);
    const lists = ['--distribution', 'folios'];
    expect((await withProfile(profile(), ...COPY, ...lists)).results).toMatchObject([
      { ...says, distribution: 'folios' },
    ]);
    const own = ['--threads', '1,2', '--schedule', 'dynamic', '--method', 'auto'];
    expect((await withProfile(profile(), ...COPY, ...own)).results).toMatchObject([
      { threads: 1, schedule: 'dynamic', method: 'auto', caller: 'helps' },
      { threads: 2, schedule: 'dynamic', method: 'auto', caller: 'helps' },
    ]);
  });

  it('to migrate, with what sysfs was told', async () => {
    const { set, results } = await withProfile(profile(), ...MIGRATE);
    const says = { flow: 'pre-copy', caller: 'helps', migrator: 'mtcopy' };
    expect(results).toMatchObject([{ threads: 3, ...says }]);
    expect(set).toContainEqual({ path: 'kernel/cpu_mt/min_bytes', value: String(MACHINE.minBytes) });
    expect(set).toContainEqual({ path: 'kernel/cpu_mt/schedule', value: 'static' });
    const own = ['--threads', '1', '--flow', 'vanilla', '--set', 'kernel/cpu_mt/caller=waits'];
    const given = await withProfile(profile(), ...MIGRATE, ...own);
    expect(given.results).toMatchObject([{ threads: 1, flow: 'vanilla', caller: 'waits', migrator: 'mtcopy' }]);
    expect(given.set.at(-1)).toEqual({ path: 'kernel/cpu_mt/caller', value: 'waits' });
  });

  it('to copy, which loop copies, by the name that it has there', async () => {
    const methodBy = async (own: Partial<typeof ENGINE>, ...args: string[]) => {
      const { results } = await withProfile(profile({ engine: { ...ENGINE, ...own } }), ...COPY, ...args);
      return results[0].method;
    };
    expect(await methodBy({ method: 'auto', stores: 'cached' })).toBe('memory.copy');
    expect(await methodBy({ method: 'auto', stores: 'auto' })).toBe('auto');
    if (HAS_NATIVE) expect(await methodBy({ method: 'auto', stores: 'streaming' })).toBe('streaming');
    expect(await methodBy({ method: 'auto', stores: 'cached' }, '--method', 'typed-array')).toBe('typed-array');
  });

  it('to migrate and pmbench, with which stores', async () => {
    const auto = profile({
      sizes: profile().sizes.map((size) => ({ ...size, machine: { ...MACHINE, stores: 'auto' } })),
    });
    for (const [args, member] of [
      [MIGRATE, 'stores'],
      [[...PMBENCH, '--folio-size', '64K'], 'copyStores'],
    ] as const) {
      const storesBy = async (own: object, ...more: string[]) =>
        (await withProfile(own, ...args, ...more)).results[0][member];
      expect(await storesBy(profile())).toBe('cached');
      expect(await storesBy(profile(), '--stores', 'streaming')).toBe('streaming');
      // What is default depends on the reason.
      expect(await storesBy(auto)).toBeUndefined();
    }
  });

  it('to migrate with the kernel, which has no threads', async () => {
    const { set, results } = await withProfile(KERNEL, ...MIGRATE);
    expect(results).toMatchObject([{ flow: 'batch-move', migrator: 'kernel' }]);
    expect(set).toHaveLength(2);
  });

  it('to pmbench, and to sysfs', async () => {
    expect((await withProfile(profile(), ...PMBENCH)).results).toMatchObject([
      { flow: 'pre-copy', migrator: 'mtcopy', threads: 3 },
    ]);
    const { files } = await withProfile(profile(), 'sysfs', '--json');
    const fileValue = (path: string) => files.find((file: { path: string }) => file.path === `/sys/${path}`).value;
    expect(fileValue('kernel/cpu_mt/threads')).toBe('3');
    expect(fileValue('kernel/mm/migration/offload_migrator')).toBe('mtcopy');
  });

  it("to sysfs as a machine has it: mtcopy's settings also where the kernel copies", async () => {
    const known = profile();
    const machine = { ...known.machine, migrator: 'kernel' as const };
    const { files } = await withProfile({ ...known, machine }, 'sysfs', '--json');
    const fileValue = (path: string) => files.find((file: { path: string }) => file.path === `/sys/${path}`).value;
    expect(fileValue('kernel/cpu_mt/threads')).toBe('3');
    expect(fileValue('kernel/mm/migration/offload_migrator')).toBe('kernel');
  });

  it("is taken although another machine's, if forced", async () => {
    expect((await withProfile(foreignProfile(), ...COPY, '--force-profile')).results).toMatchObject([{ threads: 3 }]);
  });
});

describe('a profile is refused', () => {
  const commands = { copy: COPY, migrate: MIGRATE, pmbench: PMBENCH, sysfs: ['sysfs'] };
  const copyAll = ['--threads', '1', '--schedule', 'static', '--caller', 'waits', '--method', 'auto'];
  const rows = Object.entries(commands).flatMap(([name, args]) => [
    { name, args, file: 'foreign', status: 2, message: " is another machine's (cpu another, here " },
    { name, args, file: 'foreign', status: 2, message: 'mtcopy.profile.json is another' },
    { name, args, file: 'foreign', status: 2, message: 'or force it: --force-profile' },
    { name, args, file: 'older', status: 2, message: 'mtcopy.profile.json.version: must be 2' },
    { name, args, file: 'older', status: 2, message: 'with --force-profile too' },
    { name, args, file: 'broken', status: 2, message: 'is no JSON, or not all of it' },
    { name, args, file: 'gone', status: 1, message: 'ENOENT: profile: there is no ' },
    {
      name,
      args: [...args, '--force-profile'],
      status: 2,
      message: '--force-profile: means nothing without --profile',
    },
  ]);
  const useless = [
    { name: 'copy', args: [...COPY, ...copyAll], file: 'good', status: 2, message: '--profile: means nothing' },
    {
      name: 'migrate',
      args: [...MIGRATE, '--migrator', 'kernel', '--flow', 'vanilla'],
      file: 'good',
      status: 2,
      message: '--profile: means nothing',
    },
  ];
  const all: { name: string; args: string[]; file?: string; status: number; message: string }[] = [...rows, ...useless];
  const ended: Ended[] = [];
  beforeAll(async () => {
    using foreign = fileWith(JSON.stringify(foreignProfile()));
    using older = fileWith(JSON.stringify({ ...profile(), version: 1 }));
    using broken = fileWith(JSON.stringify(profile()).slice(0, 500));
    using good = fileWith(JSON.stringify(profile()));
    const files: Record<string, string> = {
      foreign: foreign.path,
      older: older.path,
      broken: broken.path,
      good: good.path,
      gone: join(good.folder, 'gone'),
    };
    for (const { args, file } of all) {
      ended.push(await mtcopy(...args, ...(file ? ['--profile', files[file]] : [])));
    }
  });

  it.each(all.map((row, i) => ({ ...row, i })))('by $name: $message', ({ status, message, i }) => {
    expect(ended[i]).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) });
  });
});
