import {
  type CopySweep,
  comparePmbenchFlows,
  type MigrateSweep,
  type PmbenchComparison,
  sweepCopies,
  sweepMigrations,
} from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../support/errors.js';

const COPY: CopySweep = {
  folioBytes: [4096],
  total: 4096,
  threads: [1],
  frames: ['sequential'],
  schedules: ['static'],
  callers: ['helps'],
  methods: ['auto'],
  runs: 1,
};
const MIGRATE: MigrateSweep = {
  folioBytes: [4096],
  count: 4,
  migrators: ['kernel'],
  threads: [1],
  inFlight: [1],
  flows: ['vanilla'],
  frames: ['sequential'],
  runs: 1,
};
const PMBENCH: PmbenchComparison = {
  cpus: 1,
  pages: 64,
  folioBytes: 4096,
  pattern: 'linear',
  writeRatio: 0.5,
  flows: ['vanilla'],
  migrator: 'kernel',
  threads: 1,
  seconds: 0.05,
};

const EXPERIMENTS = [
  { name: 'sweepCopies', run: sweepCopies as (settings: object) => Promise<unknown[]>, settings: COPY },
  { name: 'sweepMigrations', run: sweepMigrations as (settings: object) => Promise<unknown[]>, settings: MIGRATE },
  {
    name: 'comparePmbenchFlows',
    run: comparePmbenchFlows as (settings: object) => Promise<unknown[]>,
    settings: PMBENCH,
  },
];

describe.each(EXPERIMENTS)('$name', ({ run, settings }) => {
  it('runs without anybody who wants to know of its progress', async () => {
    expect(await run(settings)).toHaveLength(1);
  });

  it.each(Object.keys(settings))('refuses settings without %s', async (name) => {
    const { [name]: _, ...others } = settings as unknown as Record<string, unknown>;
    const error = await errorOf(() => run(others));
    expect(error).toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(new RegExp(`^EINVAL: (${name}|folio size): `)),
    });
  });

  it.each(Object.keys(settings))('refuses what %s can never be', async (name) => {
    for (const wrong of [null, [], 'neither', -1, Number.NaN]) {
      const error = await errorOf(() => run({ ...settings, [name]: wrong }));
      expect(error).toMatchObject({ name: 'ErrnoError', code: 'EINVAL' });
    }
  });

  it('refuses a misspelt setting', async () => {
    expect(await errorOf(() => run({ ...settings, Runs: 3 }))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining("got 'Runs'"),
    });
  });
});
