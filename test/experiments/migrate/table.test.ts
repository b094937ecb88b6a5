import { MiB } from 'mtcopy';
import { type MigrateMeasurement, type MigrateSweep, migrateParts, sweepMigrations, textOf } from 'mtcopy/experiments';
import { beforeAll, describe, expect, it } from 'vitest';

const SWEEP: MigrateSweep = {
  folioBytes: [512 * 1024, 2 * MiB],
  count: 0,
  total: 4 * MiB,
  migrators: ['kernel', 'mtcopy'],
  threads: [1],
  inFlight: [1],
  flows: ['serial', 'batch-move'],
  frames: ['sequential', 'shuffled'],
  runs: 1,
  // What is measured is of no interest here, but for the settings.
  warmUps: 0,
};
const DMA: MigrateSweep = {
  ...SWEEP,
  migrators: ['kernel', 'mtcopy', 'dcbm'],
  channels: [1, 2],
  dmaSetups: ['batch', 'per-folio'],
  inFlight: [1, 2],
};

/** As if everything had taken so many times as long. */
function slower(rows: readonly MigrateMeasurement[], times: number): MigrateMeasurement[] {
  const all = <Times extends object>(ns: Times) =>
    Object.fromEntries(Object.entries(ns).map(([name, one]) => [name, one * times])) as Times;
  return rows.map((row) => ({
    ...row,
    nsPerPage: row.nsPerPage * times,
    phasesNs: all(row.phasesNs),
    cpuNs: all(row.cpuNs),
    dmaNs: all(row.dmaNs),
  }));
}

/** As if the same had been measured with each folio size, however frames lie, and with as many channels as there can be. */
function everywhere(rows: readonly MigrateMeasurement[], { folioBytes, frames }: MigrateSweep): MigrateMeasurement[] {
  const channels = (row: MigrateMeasurement) => (row.channels === 2 ? { channels: 16 } : {});
  return folioBytes.flatMap((folioBytes) =>
    frames.flatMap((frames) => rows.map((row) => ({ ...row, folioBytes, frames, ...channels(row) }))),
  );
}

const tableOf = (rows: readonly MigrateMeasurement[], what: string) => textOf(migrateParts(rows, what));

describe.each([
  ['kernel and mtcopy', SWEEP],
  ['all migrators, set-ups and batches in flight', DMA],
])('with every setting that varies: %s', (_, sweep) => {
  let rows: MigrateMeasurement[];
  beforeAll(async () => {
    const some = await sweepMigrations({ ...sweep, folioBytes: sweep.folioBytes.slice(0, 1), frames: ['sequential'] });
    rows = everywhere(some, sweep);
  }, 60_000);

  it('fits 100 columns, however long pages took', () => {
    for (const times of [1, 10, 100, 1000, 10_000]) {
      for (const line of tableOf(slower(rows, times), '4M').split('\n')) {
        expect(line.length, line).toBeLessThanOrEqual(100);
      }
    }
  });

  it('says of every row in each of its tables what it is, by its settings or by a number', () => {
    const lines = tableOf(rows, '4M').split('\n');
    const cells = lines
      .filter((line) => line.startsWith('│ '))
      .map((line) => line.split('│').map((cell) => cell.trim()));
    if (sweep === SWEEP) {
      const named = cells.filter(([, folio]) => folio === '512K' || folio === '2M');
      expect(named.map((row) => row.slice(1, 5).join())).toEqual([...rows, ...rows, ...rows].map(settingsOf));
      return;
    }
    const numbers = cells.filter(([, number]) => /^\d+$/.test(number));
    const all = rows.map((_, i) => String(i + 1));
    expect(numbers.map(([, number]) => number)).toEqual([...all, ...all, ...all, ...all]);
    const what = numbers.slice(0, rows.length).map((row) => row.slice(2, -1));
    for (const [i, row] of rows.entries()) {
      expect(what[i].slice(0, 4).join()).toBe(settingsOf(row));
      expect(what[i].slice(4)).toEqual([String(row.batchesInFlight)]);
    }
  });
});

function settingsOf({ folioBytes, frames, flow, migrator, channels, threads, dmaSetup }: MigrateMeasurement): string {
  const size = folioBytes === 2 * MiB ? '2M' : '512K';
  const setup = dmaSetup === 'per-folio' ? ` ${dmaSetup}` : '';
  return [size, frames, flow, migrator === 'kernel' ? migrator : `${migrator}×${channels ?? threads}${setup}`].join();
}

it('tells of the steps of DMA copies where there are some, and of CPU time in any case', async () => {
  const small = { ...DMA, folioBytes: [2 * MiB], frames: ['sequential'], flows: ['pre-copy'], inFlight: [1] } as const;
  const rows = await sweepMigrations({ ...small, channels: [1], dmaSetups: ['batch'] });
  const text = tableOf(rows, '4M');
  expect(text).toContain('by whom, and the steps of DMA copies:');
  expect(text).toMatch(/│ migrator │ caller │ threads │ +dma │ +map │ submit │ +wait │ unmap │/);
  const without = tableOf(rows.slice(0, 2), '4M');
  expect(without).toContain('by whom:');
  expect(without).toMatch(/│ migrator │ caller │ threads │ +dma │$/m);
  const alone = rows.filter(({ migrator }) => migrator === 'dcbm');
  expect(tableOf(alone, '4M').split('\n')[0]).toBe('4M, folios of 2M, sequential, flow pre-copy, migrator dcbm×1');
});

it('has three digits, or four', async () => {
  const [first] = await sweepMigrations({ ...SWEEP, migrators: ['kernel'], folioBytes: [2 * MiB] });
  const ns = (nsPerPage: number) => tableOf([{ ...first, nsPerPage }], '4M');
  expect(ns(9.94)).toContain(' 9.9 ');
  expect(ns(9999)).toContain(' 9999 ');
  expect(ns(9999.6)).toContain(' 10k ');
  expect(ns(999_499)).toContain(' 999k ');
  expect(ns(999_500)).toContain(' 1M ');
});

it('says which rows the calling thread has copied, all or a part of, and no others', async () => {
  const small = { ...SWEEP, folioBytes: [MiB / 2], frames: ['sequential'], flows: ['pre-copy'], runs: 2 } as const;
  const migrators = ['kernel', 'mtcopy', 'dcbm'] as const;
  const set = [{ path: 'kernel/cpu_mt/min_bytes', value: '0x10000000' }];
  const rows = await sweepMigrations({ ...small, migrators, set, dcbm: { cpuShare: 0.5 } });
  const part = (migrator: string, folios: number) => ({ migrator, folios, bytes: (folios * MiB) / 2 });
  expect(rows.map(({ movedBy, declined }) => ({ movedBy, declined }))).toEqual([
    { movedBy: [part('kernel', 16)], declined: 0 },
    { movedBy: [part('kernel', 16)], declined: 0 },
    { movedBy: [part('kernel', 8), part('dcbm', 8)], declined: 0 },
  ]);
  const said = (list: readonly MigrateMeasurement[]) => tableOf(list, '4M').match(/^By .*$/gm) ?? [];
  expect(said(rows)).toEqual([
    'By mtcopy 0 %, the rest by the calling thread: migrator mtcopy×1.',
    'By dcbm 50 %, the rest by the calling thread: migrator dcbm×1.',
  ]);
  const half = { ...rows[2], declined: 3 };
  expect(said([half])).toEqual(['By dcbm 50 %, the rest by the calling thread; it declined 3 batches: dcbm×1.']);
});
