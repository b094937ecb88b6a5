import { CopyEngine, KiB, MiB } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { createCopyItems } from '#src/copy/batch/items.js';
import { survey } from '#src/copy/batch/survey.js';
import { minParallelBytes } from '#src/copy/threshold.js';

/** What a look at `count` items of `bytes` tells, with a gap between each and the next unless they touch. */
function seen(count: number, bytes: number, touches = false) {
  const items = createCopyItems(count);
  for (let i = 0; i < count; i++) {
    items.to[i] = i * bytes + (touches ? 0 : (i % 2) * bytes);
    items.from[i] = 2 ** 31 + i * bytes;
    items.bytes[i] = bytes;
  }
  return survey(items);
}

describe('the bytes from which threads take part', () => {
  it('are few in an asynchronous call, whatever its items: they bound a turn of the event loop', () => {
    for (const batch of [seen(1, 64 * MiB), seen(1000, 4096), seen(0, 0)])
      expect(minParallelBytes(batch, undefined)).toBe(MiB);
  });

  it('are many in a blocking call after a rest, and fewer where items stay small after merging', () => {
    for (const restMs of [1, Number.POSITIVE_INFINITY]) {
      expect(minParallelBytes(seen(1, 64 * MiB), restMs)).toBe(96 * MiB);
      expect(minParallelBytes(seen(1000, 64 * KiB), restMs)).toBe(96 * MiB);
      expect(minParallelBytes(seen(1000, 60 * KiB), restMs)).toBe(16 * MiB);
      expect(minParallelBytes(seen(1000, 4096), restMs)).toBe(16 * MiB);
      expect(minParallelBytes(seen(1000, 4096, true), restMs)).toBe(96 * MiB);
    }
  });

  it('are fewer in blocking calls in a row', () => {
    for (const restMs of [0, 0.99]) {
      expect(minParallelBytes(seen(1, 64 * MiB), restMs)).toBe(16 * MiB);
      expect(minParallelBytes(seen(1000, 4096), restMs)).toBe(4 * MiB);
    }
  });
});

describe('a rest', () => {
  it('is the time since the last blocking call of the engine ended, be it small', async () => {
    await using engine = await CopyEngine.create({ memory: 64 * MiB, threads: 1, caller: 'waits' });
    const [to, from] = [engine.allocate(16 * MiB), engine.allocate(16 * MiB)];
    const small = { to: to.subarray(0, 64), from: from.subarray(0, 64) };
    await engine.ready();
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    // The worker copies what the calling thread doesn't, which waits.
    const byWorker = (restMs: number) => {
      now += restMs;
      return engine.copySync(to, from).workerNs > 0;
    };
    expect(byWorker(0)).toBe(false);
    expect(byWorker(0.5)).toBe(true);
    expect(byWorker(1.5)).toBe(false);
    now += 5;
    engine.copySync(small.to, small.from);
    expect(byWorker(0.5)).toBe(true);
    now += 5;
    engine.copyBatchSync([small]);
    expect(byWorker(0.5)).toBe(true);
  });
});
