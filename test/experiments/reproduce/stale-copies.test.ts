import { Machine, MiB, type Migrator, PAGE_SIZE } from 'mtcopy';
import { EXPERIMENTS } from 'mtcopy/experiments';
import { afterEach, expect, it, vi } from 'vitest';
import { COPIES_NOTHING } from '../../support/migrators.js';

const { contention, breakdown, 'batch-limit': batchLimit } = EXPERIMENTS;
const SCALE = { quick: true, bytes: 4 * MiB, seconds: 0.01, bound: 1, warmUps: 0 };

afterEach(() => vi.restoreAllMocks());

/** Has the one of the demotions, or of what is moved for another reason, copied by a migrator that only says so. */
function pretendIn(call: number, reason: string): void {
  const { migrateFolios } = Machine.prototype;
  let calls = 0;
  vi.spyOn(Machine.prototype, 'migrateFolios').mockImplementation(function (this: Machine, mm, list, options) {
    const pretends = options.reason === reason && calls++ === call;
    return migrateFolios.call(this, mm, list, pretends ? { ...options, migrator: COPIES_NOTHING } : options);
  });
}

// Memory comes back to frames that hold what it had there: bytes that nobody has copied look as if they were.
it.each([4, 7])('contention finds a demotion that copies nothing: call %i', async (call) => {
  pretendIn(call, 'demotion');
  await expect(contention.measure(SCALE, {})).rejects.toMatchObject({ code: 'EIO' });
});

it.each([8, 40])('contention finds a call of the storm that copies nothing: call %i', async (call) => {
  const { movePages } = Machine.prototype;
  let calls = 0;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, mm, list, options) {
    return movePages.call(this, mm, list, calls++ === call ? { ...options, migrator: COPIES_NOTHING } : options);
  });
  await expect(contention.measure(SCALE, {})).rejects.toMatchObject({ code: 'EIO' });
});

it.each([2, 3])('breakdown finds page cache that nothing maps and nobody copied: call %i', async (call) => {
  pretendIn(call, 'compaction');
  await expect(breakdown.measure({ ...SCALE, bytes: MiB }, {})).rejects.toMatchObject({ code: 'EIO' });
});

/** Copies what a CPU stores to, which is at the begin of each page, and says that it has copied all. */
function copiesStoresAlone({ memory: { bytes } }: Machine): Migrator {
  return {
    name: 'begins',
    copyFolios({ items: { to, from, bytes: sizes }, copied }) {
      for (let i = 0; i < to.length; i++) {
        for (let at = 0; at < sizes[i]; at += PAGE_SIZE) bytes.copyWithin(to[i] + at, from[i] + at, from[i] + at + 64);
      }
      copied.fill(1);
      return 0;
    },
  };
}

it.each([3])('batch-limit finds memory under a CPU of which a part was not copied: call %i', async (call) => {
  const { movePages } = Machine.prototype;
  let calls = 0;
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, mm, list, options) {
    const pretends = this.cpus.count > 0 && calls++ === call;
    // A copy in the flow in which it may be: what copies whole batches needs one that has them.
    const own = { ...options, flow: 'pre-copy', migrator: copiesStoresAlone(this) } as const;
    return movePages.call(this, mm, list, pretends ? own : options);
  });
  await expect(batchLimit.measure(SCALE, {})).rejects.toMatchObject({ code: 'EIO' });
});
