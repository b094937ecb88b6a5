import { Machine, MiB } from 'mtcopy';
import { sweepMigrations, tune } from 'mtcopy/experiments';
import { afterEach, expect, it, vi } from 'vitest';
import { COPIES_NOTHING } from '../../support/migrators.js';

afterEach(() => vi.restoreAllMocks());

/** Of the calls of move_pages for at least so many pages one says that all are copied, and copies none. */
function copyNothingIn(call: number, pages: number): void {
  const { movePages } = Machine.prototype;
  let calls = 0;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, mm, list, options) {
    const copiesNothing = list.length >= pages && calls++ === call;
    return movePages.call(this, mm, list, copiesNothing ? { ...options, migrator: COPIES_NOTHING } : options);
  });
}

const SWEEP = {
  count: 256,
  folioBytes: [4096],
  frames: ['sequential'],
  migrators: ['kernel'],
  threads: [1],
  flows: ['pre-copy'],
  inFlight: [1],
  warmUps: 0,
  runs: 3,
} as const;

// The frames that memory comes back to hold what it had there: bytes that nobody has copied look as if they were.
it.each([1, 2, 3])('a run that copies nothing is found out: run %i of what is one batch', async (run) => {
  // The batch goes there and back before each.
  copyNothingIn(3 * run - 1, 256);
  await expect(sweepMigrations(SWEEP)).rejects.toMatchObject({ code: 'EIO' });
});

it.each([4, 5])('tuning finds it out, on the way there and on the way back: move %i', async (call) => {
  copyNothingIn(call, 4096);
  const options = { folioBytes: [4096], batchBytes: [MiB], threads: [1], seconds: 0.01, quick: true };
  await expect(tune(options)).rejects.toMatchObject({ code: 'EIO' });
});
