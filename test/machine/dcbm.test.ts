import { type DmaHardware, ErrnoError, Machine, type MachineOptions } from 'mtcopy';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { errno, errorOf } from '../support/errors.js';
import { expectBytes, filled } from '../support/machines.js';
import { watchWorkers } from '../support/threads.js';

const SIZES = { nodes: ['16M', '16M'], cpus: 0, threads: 1 } as const;

afterEach(() => vi.restoreAllMocks());

const mapped = (machine: Machine, folioSize: number | string = '64K') =>
  machine.createAddressSpace().mmap({ length: '4M', folioSize, populate: true });

describe('a machine', () => {
  it.each<[string, string, unknown]>([
    ['null for the device', 'EINVAL', { dma: null }],
    ['text for the device', 'EINVAL', { dma: 'dsa' }],
    ['a device that is not modelled', 'ENODEV', { dma: { device: 'ioat' } }],
    ['null for the name of the device', 'ENODEV', { dma: { device: null } }],
    ['a list with the name of a device', 'ENODEV', { dma: { device: ['dsa'] } }],
    ['something without a text for the name of the device', 'ENODEV', { dma: { device: Object.create(null) } }],
    ['an option of the device that is none', 'EINVAL', { dma: { depth: 3 } }],
    ["an engine's option", 'EINVAL', { dma: { firstSequence: 3 } }],
    ['an IOMMU that is none', 'EINVAL', { dma: { iommu: 'strict' } }],
    ['0 channels', 'EINVAL', { dma: { channels: 0 } }],
    ['65 channels', 'EINVAL', { dma: { channels: 65 } }],
    ['a queue without room', 'EINVAL', { dma: { queueDepth: 0 } }],
    ['a bandwidth of 0', 'EINVAL', { dma: { bandwidth: 0 } }],
    ['descriptors in no time', 'EINVAL', { dma: { descriptorNs: -1 } }],
    ['null for the settings', 'EINVAL', { dcbm: null }],
    ['text for the settings', 'EINVAL', { dcbm: 'batch' }],
    ['a setting that is none', 'EINVAL', { dcbm: { channels: 2 } }],
    ['a counter', 'EINVAL', { dcbm: { foliosMigrated: 2 } }],
    ["the migrator's function", 'EINVAL', { dcbm: { copyFolios: () => 0 } }],
    ['17 channels for a batch', 'EINVAL', { dcbm: { nrDmaChan: 17 } }],
    ['a set-up that is none', 'EINVAL', { dcbm: { setup: 'folio' } }],
    ['a wait that is none', 'EINVAL', { dcbm: { wait: 'spin' } }],
    ['a share above 1', 'EINVAL', { dcbm: { cpuShare: 50 } }],
    ['no time at all', 'EINVAL', { dcbm: { timeoutMs: 0 } }],
    ['batches of 0 folios', 'EINVAL', { dcbm: { minFolios: 0 } }],
    ['batches of half a byte', 'EINVAL', { dcbm: { minBytes: 0.5 } }],
    ['more in flight than the device has room for', 'EINVAL', { dma: { device: 'dsa' }, dcbm: { queueDepth: 129 } }],
  ])('refuses %s: %s, in the name of what it is an option of', async (_, code, options) => {
    using workers = watchWorkers();
    const create = vi.spyOn(DmaEngine, 'create');
    const boot = () => Machine.boot({ ...SIZES, migrator: 'dcbm', ...(options as MachineOptions) });
    const error = await errorOf(boot);
    expect(error).toEqual(errno(code));
    expect(error.message).not.toContain('options:');
    expect([workers.alive.size, create.mock.calls.length]).toEqual([0, 0]);
  });

  it('has a dcbm that begins as it was booted, with what was left out as documented', async () => {
    const settings = { nrDmaChan: 3, setup: 'per-folio', wait: 'poll', cpuShare: 'auto', timeoutMs: 500 } as const;
    const more = { minFolios: 4, minBytes: 8192, queueDepth: 7 };
    await using machine = await Machine.boot({ ...SIZES, dcbm: { ...settings, ...more } });
    expect(machine.dcbm).toMatchObject({ ...settings, ...more, name: 'dcbm', foliosMigrated: 0, foliosFailures: 0 });
    await using other = await Machine.boot({ ...SIZES, dma: { device: 'dsa' }, dcbm: { minFolios: undefined } });
    expect(other.dcbm).toMatchObject({ nrDmaChan: 1, setup: 'batch', wait: 'poll', minFolios: 1, queueDepth: 128 });
  });

  it('has the device that it was booted with, whatever becomes of the options', async () => {
    const create = vi.spyOn(DmaEngine, 'create');
    // Of a class, as options may be: what is inherited counts, too.
    const dma: DmaHardware = Object.assign(Object.create({ iommu: 'translated' }), { device: 'sdxi', queueDepth: 64 });
    await using machine = await Machine.boot({ ...SIZES, dma });
    Object.assign(dma, { device: 'dsa', iommu: 'none', queueDepth: 32, channels: 1 });
    const area = mapped(machine);
    await machine.movePages(area.mm, area.pages(), { node: 1, migrator: 'dcbm' });
    const engine = await create.mock.results[0].value;
    expect([engine.device.name, engine.device.channels, engine.device.queueDepth]).toEqual(['sdxi', 8, 64]);
    expect([engine.iommu, machine.dcbm.queueDepth]).toEqual(['translated', 64]);
    expect(machine.dcbm.foliosFailures).toBe(0);
  });

  it('opens its device when dcbm is first wanted, and once', async () => {
    using workers = watchWorkers();
    const create = vi.spyOn(DmaEngine, 'create');
    await using machine = await Machine.boot({ ...SIZES, dcbm: { nrDmaChan: 2 } });
    const area = mapped(machine);
    await machine.movePages(area.mm, area.pages(), { node: 1 });
    expect([create.mock.calls.length, workers.alive.size]).toEqual([0, 0]);
    await machine.sysfs.write('kernel/dcbm/offloading', '1');
    expect([create.mock.calls.length, workers.alive.size]).toEqual([1, 2]);
    for (const node of [0, 1]) await machine.movePages(area.mm, area.pages(), { node, migrator: 'dcbm' });
    await machine.movePages(area.mm, area.pages(), { node: 0 });
    expect(create.mock.calls.length).toBe(1);
    await machine.close();
    expect(workers.alive.size).toBe(0);
  });
});

describe('one state, whether it is asked of the member or of sysfs:', () => {
  it.each([
    [
      'nr_dma_chan',
      'nrDmaChan',
      [
        ['2', 2],
        ['0x10', 16],
        ['1', 1],
      ],
      ['0', '17', 'auto'],
    ],
    [
      'min_folios',
      'minFolios',
      [
        ['1', 1],
        ['64', 64],
      ],
      ['0', '-1', '1.5'],
    ],
    [
      'min_bytes',
      'minBytes',
      [
        ['0', 0],
        ['65536', 65_536],
      ],
      ['-1', '64K'],
    ],
    [
      'setup',
      'setup',
      [
        ['per-folio', 'per-folio'],
        ['batch', 'batch'],
      ],
      ['folio', 'Batch', ''],
    ],
    [
      'wait',
      'wait',
      [
        ['poll', 'poll'],
        ['sleep', 'sleep'],
      ],
      ['spin', ''],
    ],
    [
      'cpu_share',
      'cpuShare',
      [
        ['25', 0.25],
        ['100', 1],
        ['auto', 'auto'],
        ['0', 0],
      ],
      ['101', '0.5', 'Auto', ''],
    ],
    [
      'timeout_ms',
      'timeoutMs',
      [
        ['1', 1],
        ['2147483647', 2 ** 31 - 1],
      ],
      ['0', '2147483648', '1.5'],
    ],
    [
      'queue_depth',
      'queueDepth',
      [
        ['1', 1],
        ['1024', 1024],
      ],
      ['0', '1025'],
    ],
  ] as const)('%s', async (file, name, values, wrong) => {
    await using machine = await Machine.boot(SIZES);
    const { dcbm, sysfs } = machine;
    const path = `kernel/dcbm/${file}`;
    for (const [text, value] of values) {
      await sysfs.write(path, text);
      expect(dcbm[name]).toBe(value);
    }
    const last = dcbm[name];
    for (const text of wrong) {
      const error = await errorOf(() => sysfs.write(path, text));
      expect(error).toEqual(errno('EINVAL'));
      // By its own name, and with what was written.
      expect(error.message).toContain(`/sys/${path}: `);
      expect(error.message).toContain(`got '${text}'`);
      expect(dcbm[name]).toBe(last);
    }
    for (const [text, value] of values) {
      Object.assign(dcbm, { [name]: value });
      expect(sysfs.read(path)).toBe(text === '0x10' ? '16' : text);
    }
    // A file that is read may be written back.
    await sysfs.write(path, `${sysfs.read(path)}\n`);
    expect(dcbm[name]).toBe(values.at(-1)?.[1]);
  });

  it('a queue depth is one that the device has room for', async () => {
    await using machine = await Machine.boot({ ...SIZES, dma: { queueDepth: 8 } });
    const path = 'kernel/dcbm/queue_depth';
    expect(machine.sysfs.read(path)).toBe('8');
    expect((await errorOf(() => machine.sysfs.write(path, '9'))).message).toContain("from 1 to 8, got '9'");
  });

  it('counters go by what channels have copied or failed to, and a write of anything resets one', async () => {
    await using machine = await Machine.boot({ ...SIZES, migrator: 'dcbm' });
    const { dcbm, sysfs } = machine;
    const area = mapped(machine);
    const bytes = await filled(area);
    const counters = () =>
      ['folios_migrated', 'folios_failures'].map((name) => Number(sysfs.read(`kernel/dcbm/${name}`)));
    await machine.movePages(area.mm, area.folios(), { node: 1 });
    expect(counters()).toEqual([64, 0]);
    expect([dcbm.foliosMigrated, dcbm.foliosFailures]).toEqual([64, 0]);
    // A batch that can't be mapped.
    const mapSg = vi.spyOn(DmaEngine.prototype, 'mapSg').mockImplementationOnce(() => {
      throw new ErrnoError('ENOMEM', 'no room');
    });
    await machine.movePages(area.mm, area.folios(), { node: 0 });
    expect(mapSg.mock.calls.length).toBeGreaterThan(0);
    const [migrated, failures] = counters();
    expect(failures).toBeGreaterThan(0);
    expect(migrated + failures).toBe(128);
    expect([dcbm.foliosMigrated, dcbm.foliosFailures]).toEqual([migrated, failures]);
    await sysfs.write('kernel/dcbm/folios_migrated', 'whatever it is');
    expect(counters()).toEqual([0, failures]);
    await sysfs.write('kernel/dcbm/folios_failures', '');
    expect(counters()).toEqual([0, 0]);
    expect([dcbm.foliosMigrated, dcbm.foliosFailures]).toEqual([0, 0]);
    await expectBytes(area, bytes);
  });
});
