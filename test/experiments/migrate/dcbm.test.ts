import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Machine, MiB, type MigrateTrace } from 'mtcopy';
import { type MigrateSweep, sweepMigrations } from 'mtcopy/experiments';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../../support/errors.js';

const SWEEP: MigrateSweep = {
  folioBytes: [64 * 1024],
  count: 0,
  total: 4 * MiB,
  migrators: ['dcbm'],
  threads: [3],
  inFlight: [1],
  flows: ['pre-copy'],
  frames: ['sequential'],
  runs: 2,
  warmUps: 1,
};
const KERNEL: MigrateSweep = { ...SWEEP, migrators: ['kernel'] };

afterEach(() => vi.restoreAllMocks());

describe('sweepMigrations of dcbm', () => {
  it('has a row for each number of channels, set-up and number of batches in flight, measured with those', async () => {
    const seen = new Set<string>();
    const movePages = Machine.prototype.movePages;
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...call) {
      const { nrDmaChan, setup } = this.dcbm;
      const { migrator, batchesInFlight } = call[2] ?? {};
      seen.add([migrator, nrDmaChan, setup, batchesInFlight].join());
      return movePages.apply(this, call);
    });
    const lists = { channels: [1, 2], dmaSetups: ['batch', 'per-folio'], inFlight: [1, 2] } as const;
    const rows = await sweepMigrations({ ...SWEEP, ...lists });
    const wanted = [1, 2].flatMap((channels) =>
      (['batch', 'per-folio'] as const).flatMap((dmaSetup) =>
        [1, 2].map((batchesInFlight) => ({ migrator: 'dcbm', threads: 1, channels, dmaSetup, batchesInFlight })),
      ),
    );
    expect(rows).toMatchObject(wanted);
    for (const row of rows) {
      expect(row).not.toHaveProperty('caller');
      expect(row.cpuNs.threads).toBeGreaterThan(0);
      // Of a thread that was kept from its core as it submitted nothing may be left.
      expect(row.cpuNs.caller).toBeGreaterThanOrEqual(0);
      for (const ns of Object.values(row.dmaNs)) expect(ns).toBeGreaterThan(0);
      expect(row.cpuNs.dma).toBeGreaterThanOrEqual(Math.max(row.dmaNs.map, row.dmaNs.submit, row.dmaNs.unmap));
    }
    expect([...seen].sort()).toEqual(
      wanted.map((row) => ['dcbm', row.channels, row.dmaSetup, row.batchesInFlight].join()).sort(),
    );
  });

  it('has the device, the IOMMU and the settings that were asked for', async () => {
    const boot = vi.spyOn(Machine, 'boot');
    const dma = { device: 'sdxi', iommu: 'translated', queueDepth: 16 } as const;
    const dcbm = { cpuShare: 0.5, wait: 'poll' } as const;
    await sweepMigrations({ ...SWEEP, dma, dcbm });
    const [options] = boot.mock.calls[0];
    expect(options).toMatchObject({ dma, dcbm });
    const machine = (await boot.mock.results[0].value) as Machine;
    expect(machine.dcbm).toMatchObject({ ...dcbm, queueDepth: 16, nrDmaChan: 1, setup: 'batch' });
    expect(machine.dcbm.foliosMigrated).toBeGreaterThan(0);
    expect(machine.dcbm.foliosFailures).toBe(0);
  });

  it.each([
    [
      'more channels than a device has',
      { channels: [8, 9], dma: { device: 'dsa' } },
      'at most 8, as many as the dsa has, got 9',
    ],
    ['more channels than it was given', { channels: [2], dma: { channels: 1 } }, 'at most 1'],
    ['17 channels', { channels: [17] }, 'channels: must be'],
    ['no channels', { channels: [] }, 'channels: must be'],
    ['a set-up that is none', { dmaSetups: ['folio'] }, 'dmaSetups: must be'],
    ['null for the device', { dma: null }, 'dma: must be an object'],
    ['text for the settings', { dcbm: 'batch' }, 'dcbm: must be an object'],
    ['channels among the other settings', { dcbm: { nrDmaChan: 2 } }, 'dcbm: must leave nrDmaChan and setup'],
    ['a set-up among the other settings', { dcbm: { setup: 'batch' } }, 'dcbm: must leave nrDmaChan and setup'],
    ['a reason that is none', { reason: 'whim' }, 'reason: must be'],
  ])('refuses %s', async (_, wrong, message) => {
    const error = await errorOf(() => sweepMigrations({ ...SWEEP, ...wrong } as MigrateSweep));
    expect(error).toMatchObject({ name: 'ErrnoError', code: 'EINVAL', message: expect.stringContaining(message) });
  });

  it.each([
    ['nr_dma_chan', { channels: [1] }, 'channels'],
    ['setup', { dmaSetups: ['batch'] }, 'dmaSetup'],
    ['cpu_share', { dcbm: { cpuShare: 0 } }, 'cpuShare'],
    ['wait', { dcbm: { wait: 'poll' } }, 'dmaWait'],
    ['queue_depth', { dma: { queueDepth: 20 } }, 'queueDepth'],
  ])('is told by the file %s or by the sweep, and not by both', async (file, also, name) => {
    const set = [{ path: `kernel/dcbm/${file}`, value: '1' }];
    expect(await errorOf(() => sweepMigrations({ ...SWEEP, ...also, set } as MigrateSweep))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining(`${name}: must not be given beside`),
    });
  });
});

describe('the reason', () => {
  it.each([undefined, 'demotion', 'numa_misplaced'] as const)('is what machines migrate for: %s', async (reason) => {
    const heard = new Set<string>();
    const onEnd = (message: unknown) => heard.add((message as MigrateTrace).reason);
    subscribe('tracing:mtcopy:migrate:end', onEnd);
    const rows = await sweepMigrations({ ...SWEEP, migrators: ['kernel', 'mtcopy', 'dcbm'], reason });
    unsubscribe('tracing:mtcopy:migrate:end', onEnd);
    expect([...heard]).toEqual([reason ?? 'syscall_or_cpuset']);
    expect(rows.map(({ migrator }) => migrator)).toEqual(['kernel', 'mtcopy', 'dcbm']);
  });

  it('is what decides who copies where sysfs says that', async () => {
    const { migrators: _, ...sweep } = KERNEL;
    const set = [
      { path: 'kernel/mm/migration/offload_migrator', value: 'dcbm' },
      { path: 'kernel/dcbm/reason_mask', value: 'demotion' },
    ];
    for (const [reason, migrator] of [
      [undefined, 'kernel'],
      ['damon', 'kernel'],
      ['demotion', 'dcbm'],
    ] as const) {
      expect(await sweepMigrations({ ...sweep, set, reason })).toMatchObject([{ migrator }]);
    }
  });
});
