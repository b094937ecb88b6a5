import { Machine } from 'mtcopy';
import { comparePmbenchFlows, type SysfsSetting, sweepMigrations } from 'mtcopy/experiments';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../support/errors.js';

const MIGRATE = { folioBytes: [4096], count: 4, inFlight: [1], frames: ['sequential'], runs: 1, warmUps: 0 } as const;
const LOAD = { cpus: 1, pages: 64, folioBytes: 4096, pattern: 'linear', writeRatio: 0.5, seconds: 0.05 } as const;
const FLOW = { path: 'kernel/mm/migration/flow', value: 'serial' };
const THREADS = { path: 'kernel/cpu_mt/threads', value: '3' };
const ON = { path: 'kernel/cpu_mt/offloading', value: '1' };
const SCHEDULE = { path: 'kernel/cpu_mt/schedule', value: 'static' };

const EXPERIMENTS = [
  ['migrations', (set?: readonly SysfsSetting[], also = {}) => sweepMigrations({ ...MIGRATE, set, ...also })],
  ['accesses', (set?: readonly SysfsSetting[], also = {}) => comparePmbenchFlows({ ...LOAD, set, ...also })],
] as const;

afterEach(() => vi.restoreAllMocks());

describe.each(EXPERIMENTS)('what sysfs is told: %s', (_, run) => {
  it('is what every machine has, and what the results say', async () => {
    const boot = vi.spyOn(Machine, 'boot');
    const results = await run([FLOW, THREADS, ON, SCHEDULE]);
    expect(results).toMatchObject([{ flow: 'serial', threads: 3, migrator: 'mtcopy', caller: 'waits' }]);
    const machines = await Promise.all(boot.mock.results.map(({ value }) => value as Promise<Machine>));
    expect(machines.length).toBeGreaterThan(0);
    for (const machine of machines) expect(machine).toMatchObject({ flow: 'serial', threads: 3, schedule: 'static' });
  });

  it('is what dcbm is set to, and what the results say', async () => {
    const set = [
      { path: 'kernel/mm/migration/offload_migrator', value: 'dcbm' },
      { path: 'kernel/dcbm/nr_dma_chan', value: '2' },
      { path: '/sys/kernel/dcbm/setup', value: 'per-folio' },
      { path: 'kernel/dcbm/cpu_share', value: '25' },
    ];
    const boot = vi.spyOn(Machine, 'boot');
    const results = await run([FLOW, THREADS, ...set]);
    expect(results).toMatchObject([{ flow: 'serial', migrator: 'dcbm', threads: 1, channels: 2 }]);
    expect(results[0]).not.toHaveProperty('caller');
    const machines = await Promise.all(boot.mock.results.map(({ value }) => value as Promise<Machine>));
    for (const { dcbm } of machines) expect(dcbm).toMatchObject({ nrDmaChan: 2, setup: 'per-folio', cpuShare: 0.25 });
    expect(machines.at(-1)?.dcbm.foliosMigrated).toBeGreaterThan(0);
  });

  it('stands in the place of nothing else: what it does not say is needed', async () => {
    expect(await errorOf(() => run([FLOW, ON]))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/threads: must be/),
    });
    expect(await errorOf(() => run([THREADS, ON]))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/flows: must be/),
    });
    expect(await errorOf(() => run([THREADS, FLOW]))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/migrators?: must be/),
    });
  });

  it('is a list of paths and values', async () => {
    for (const wrong of [null, [], [null], 'a=b', [{ path: 'a' }], [{ path: 'a', value: 1 }]]) {
      expect(await errorOf(() => run(wrong as SysfsSetting[]))).toMatchObject({
        code: 'EINVAL',
        message: expect.stringMatching(/set: must/),
      });
    }
  });

  it('fails with what the file says before anything is measured', async () => {
    const boot = vi.spyOn(Machine, 'boot');
    const wrong = { path: 'kernel/cpu_mt/thread', value: '3' };
    const error = await errorOf(() => run([FLOW, THREADS, ON, wrong]));
    expect(error).toMatchObject({ name: 'ErrnoError', code: 'ENOENT', cause: { code: 'ENOENT' } });
    // One machine of 4 MiB, which took the others.
    expect(boot.mock.calls).toHaveLength(1);
  });
});
