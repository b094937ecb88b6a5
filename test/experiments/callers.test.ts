import { CopyEngine, Machine } from 'mtcopy';
import { comparePmbenchFlows, type SweepCaller, sweepCopies, sweepMigrations } from 'mtcopy/experiments';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../support/errors.js';

const COMMON = { folioBytes: [4096], threads: [1], frames: ['sequential'], runs: 1, warmUps: 0 } as const;

function copies(caller: SweepCaller) {
  return sweepCopies({ ...COMMON, total: 4096, schedules: ['dynamic'], methods: ['auto'], callers: [caller] });
}

function migrations(caller?: SweepCaller) {
  return sweepMigrations({ ...COMMON, count: 4, migrators: ['mtcopy'], inFlight: [1], flows: ['pre-copy'], caller });
}

function accesses(caller?: SweepCaller) {
  const load = { cpus: 1, pages: 64, folioBytes: 4096, pattern: 'linear', writeRatio: 0.5, seconds: 0.05 } as const;
  return comparePmbenchFlows({ ...load, flows: ['vanilla'], migrator: 'mtcopy', threads: 1, caller });
}

/** The `caller` of each machine or engine that an experiment made. */
async function callersOf(where: 'machines' | 'engines', experiment: () => Promise<unknown>) {
  const made = where === 'machines' ? vi.spyOn(Machine, 'boot') : vi.spyOn(CopyEngine, 'create');
  await experiment();
  return made.mock.calls.map(([options]) => options?.caller);
}

afterEach(() => vi.restoreAllMocks());

describe('experiments', () => {
  it.each([
    ['migrations', migrations],
    ['accesses', accesses],
  ])('wait for the workers unless told otherwise: %s', async (_, experiment) => {
    expect(await callersOf('machines', () => experiment())).toEqual(['waits']);
    expect(await experiment()).toMatchObject([{ threads: 1, caller: 'waits' }]);
  });

  it.each([
    ['migrations', migrations],
    ['accesses', accesses],
  ])('have the caller help where they are told to: %s', async (_, experiment) => {
    expect(await callersOf('machines', () => experiment('helps'))).toEqual(['helps']);
    expect(await experiment('helps')).toMatchObject([{ threads: 1, caller: 'helps' }]);
  });

  it.each(['waits', 'helps'] as const)('copy with a caller that %s', async (caller) => {
    expect(await callersOf('engines', () => copies(caller))).toEqual([caller]);
    expect(await copies(caller)).toMatchObject([{ threads: 1, caller }]);
  });

  it.each([
    ['copies', copies],
    ['migrations', migrations],
    ['accesses', accesses],
  ])("refuse 'auto', which says nothing of who copied: %s", async (_, experiment) => {
    const error = await errorOf(() => experiment('auto' as SweepCaller));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('caller') });
  });
});
