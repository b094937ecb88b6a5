import { CopyEngine, type CopyPair, KiB } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { MANNERS } from '../support/manners.js';

/** A buffer that can grow, by a constructor that the types of ES2023 don't have. */
const growable = (bytes: number, maxByteLength: number) =>
  Reflect.construct(SharedArrayBuffer, [bytes, { maxByteLength }]) as SharedArrayBuffer & { grow(bytes: number): void };

const cases = [0, 'auto'].flatMap((minParallelBytes) => MANNERS.map((manner) => ({ ...manner, minParallelBytes })));

describe.each(cases)('$schedule, $caller, from $minParallelBytes bytes on', (options) => {
  // One for both calls, which have buffers of their own: to start threads takes longer than either.
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...options, threads: 2, memory: '16M' });
  });
  afterAll(() => engine.close());

  it.each(['copyBatch', 'copyBatchSync'] as const)('%s: a buffer grows after the batch was begun', async (call) => {
    const buffer = growable(8 * KiB, 512 * KiB);
    const other = new Uint8Array(new SharedArrayBuffer(256 * KiB));
    const from = new Uint8Array(new SharedArrayBuffer(256 * KiB));
    fillRandom(from, 1);
    const pairs: CopyPair[] = [
      { to: new Uint8Array(buffer, 0, 4 * KiB), from: from.subarray(0, 4 * KiB) },
      { to: other.subarray(0, 4 * KiB), from: from.subarray(4 * KiB, 8 * KiB) },
      {
        // Read when both buffers have their place.
        get to() {
          if (buffer.byteLength < 512 * KiB) buffer.grow(512 * KiB);
          return new Uint8Array(buffer, 64 * KiB, 100);
        },
        from: from.subarray(0, 100),
      },
      { to: other.subarray(8 * KiB, 12 * KiB), from: from.subarray(8 * KiB, 12 * KiB) },
    ];
    expect(await engine[call](pairs)).toMatchObject({ items: 4, bytes: 12 * KiB + 100, failed: [] });
    const [grown, still] = [new Uint8Array(512 * KiB), new Uint8Array(256 * KiB)];
    grown.set(from.subarray(0, 4 * KiB));
    grown.set(from.subarray(0, 100), 64 * KiB);
    still.set(from.subarray(4 * KiB, 8 * KiB));
    still.set(from.subarray(8 * KiB, 12 * KiB), 8 * KiB);
    expect(isSame(new Uint8Array(buffer), grown)).toBe(true);
    expect(isSame(other, still)).toBe(true);
  });
});
