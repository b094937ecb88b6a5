import { MiB } from 'mtcopy';
import { migrateTable, sweepMigrations } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

it('fits 100 columns with every setting that varies, however long pages took', async () => {
  const sweep = {
    folioBytes: [512 * 1024, 2 * MiB],
    count: 0,
    total: 4 * MiB,
    migrators: ['kernel', 'mtcopy'],
  } as const;
  const more = {
    threads: [1],
    inFlight: [1],
    flows: ['serial', 'batch-move'],
    frames: ['sequential', 'shuffled'],
  } as const;
  const rows = await sweepMigrations({ ...sweep, ...more, runs: 1 }, () => {});
  for (const times of [1, 10, 100, 1000, 10_000]) {
    const slow = rows.map((row) => {
      const phasesNs = { ...row.phasesNs };
      for (const name of Object.keys(phasesNs) as (keyof typeof phasesNs)[]) phasesNs[name] *= times;
      return { ...row, nsPerPage: row.nsPerPage * times, phasesNs };
    });
    for (const line of migrateTable(slow, '4M').split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  }
  const [first] = rows;
  const ns = (nsPerPage: number) => migrateTable([{ ...first, nsPerPage }], '4M');
  expect(ns(9.94)).toContain(' 9.9 ');
  expect(ns(9999)).toContain(' 9999 ');
  expect(ns(9999.6)).toContain(' 10k ');
  expect(ns(999_499)).toContain(' 999k ');
  expect(ns(999_500)).toContain(' 1M ');
});
