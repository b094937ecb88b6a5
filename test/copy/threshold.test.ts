import { KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
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
      expect(minParallelBytes(batch, false)).toBe(MiB);
  });

  it('are many in a blocking call, and fewer where items stay small after merging', () => {
    expect(minParallelBytes(seen(1, 64 * MiB), true)).toBe(96 * MiB);
    expect(minParallelBytes(seen(1000, 64 * KiB), true)).toBe(96 * MiB);
    expect(minParallelBytes(seen(1000, 60 * KiB), true)).toBe(16 * MiB);
    expect(minParallelBytes(seen(1000, 4096), true)).toBe(16 * MiB);
    expect(minParallelBytes(seen(1000, 4096, true), true)).toBe(96 * MiB);
  });
});
