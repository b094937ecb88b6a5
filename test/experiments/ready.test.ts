import { CopyEngine } from 'mtcopy';
import { copyManners, sweepCopies, withCopies } from 'mtcopy/experiments';
import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => vi.restoreAllMocks());

/** Copies and waits for threads, in their order. */
function watchEngines(): string[] {
  const seen: string[] = [];
  const { copyBatch, ready } = CopyEngine.prototype;
  vi.spyOn(CopyEngine.prototype, 'copyBatch').mockImplementation(function (this: CopyEngine, ...args) {
    seen.push('copy');
    return copyBatch.apply(this, args);
  });
  vi.spyOn(CopyEngine.prototype, 'ready').mockImplementation(function (this: CopyEngine) {
    seen.push('ready');
    return ready.call(this);
  });
  return seen;
}

it('copies that are timed begin once all threads are there', async () => {
  const seen = watchEngines();
  const lists = { folioBytes: [4096], threads: [2], frames: ['sequential'], schedules: ['dynamic'] } as const;
  await sweepCopies({ ...lists, methods: ['auto'], callers: ['waits'], total: 8192, runs: 2, warmUps: 0 });
  expect(seen).toEqual(['copy', 'ready', 'copy', 'copy', 'ready', 'copy']);
});

it('those of tune too, but for the calling thread alone, which has none', async () => {
  const seen = watchEngines();
  const manners = copyManners([2]).slice(0, 2);
  await withCopies(manners, { folioBytes: 4096, batchBytes: 8 * 2 ** 20 }, async ([alone, parallel]) => {
    await alone.run();
    await parallel.run();
  });
  expect(seen).toEqual(['copy', 'copy', 'copy', 'ready', 'copy']);
});
