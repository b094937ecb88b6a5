import fc from 'fast-check';
import {
  CALLER_MODES,
  COPY_METHODS,
  checkProfile,
  DISTRIBUTIONS,
  FLOWS,
  MIGRATOR_NAMES,
  readProfile,
  SCHEDULES,
  STORES,
} from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fileWith, profile } from '../support/profiles.js';

const bytes = fc.integer({ min: 1, max: 2 ** 40 });
const threads = fc.integer({ min: 1, max: 64 });
const engine = fc.record({
  threads,
  schedule: fc.constantFrom(...SCHEDULES),
  distribution: fc.constantFrom(...DISTRIBUTIONS),
  unitBytes: fc.oneof(fc.constant('auto' as const), fc.integer({ min: 2 ** 16, max: 2 ** 30 })),
  caller: fc.constantFrom(...CALLER_MODES),
  minParallelBytes: fc.oneof(fc.constant('never' as const), fc.nat()),
  method: fc.constantFrom(...COPY_METHODS),
  stores: fc.constantFrom(...STORES),
});
const machine = fc.record({
  migrator: fc.constantFrom(...MIGRATOR_NAMES),
  flow: fc.constantFrom(...FLOWS),
  stores: fc.constantFrom(...STORES),
  threads,
  schedule: fc.constantFrom(...SCHEDULES),
  caller: fc.constantFrom(...CALLER_MODES),
  minBytes: fc.nat(),
  channels: fc.integer({ min: 1, max: 16 }),
});
const words = fc.string({ minLength: 1 });
const size = fc.record({
  load: fc.nat(100),
  folioBytes: fc.integer({ min: 0, max: 10 }).map((order) => 4096 << order),
  batchBytes: bytes,
  engine,
  machine,
});
const profiles = fc.record({
  schema: fc.constant('mtcopy-profile'),
  version: fc.constant(2),
  mtcopy: words,
  date: fc
    .date({ min: new Date(0), max: new Date('9999-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  host: fc.record({ cpu: words, cores: fc.integer({ min: 1 }), arch: words, platform: words, nodeMajor: threads }),
  engine,
  machine,
  sizes: fc.array(size, { minLength: 1, maxLength: 5 }),
});

describe('a profile', () => {
  it('that was written is read back as it was', () => {
    fc.assert(
      fc.property(profiles, (one) => {
        using file = fileWith(JSON.stringify(one));
        expect(readProfile(file.path)).toEqual(one);
      }),
      { numRuns: 50 },
    );
  });

  it('is a copy of what was checked', () => {
    const given = structuredClone(profile());
    const checked = checkProfile(given);
    (given.engine as { threads: number }).threads = 64;
    (given.sizes as unknown[]).length = 0;
    expect(checked).toEqual(profile());
  });
});
