import { setImmediate as turn } from 'node:timers/promises';
import { CopyEngine, type CopyItems, KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createCopyItems } from '#src/copy/batch/items.js';
import { seededRandom, shuffle } from '#src/random.js';

/*
 * Whether worker threads were given a call shows in their time: 0 where the calling thread copies at once. All that they are
 * given is theirs, with a caller that waits, unless they have left for want of calls: then the next try finds them there.
 */

type Way = 'copy' | 'copySync' | 'copyBatch' | 'copyBatchSync' | 'scattered';

const BYTES = 96 * MiB;
const TRIES = 50;

/** A page to every page of `to`, from the pages of `from` in any order: next to none merge. */
function scattered(to: Uint8Array, from: Uint8Array): CopyItems {
  const items = createCopyItems(to.length / 4096);
  items.bytes.fill(4096);
  const places = shuffle(
    items.to.map((_, i) => i),
    seededRandom(1),
  );
  for (const [i, place] of places.entries()) {
    items.to[i] = to.byteOffset + i * 4096;
    items.from[i] = from.byteOffset + place * 4096;
  }
  return items;
}

/** An engine, for calls of `most` bytes at most: as many are what it copies in between. */
async function open(minParallelBytes: number | string, most: number) {
  const engine = await CopyEngine.create({
    threads: 1,
    caller: 'waits',
    memory: 2 * most + 64 * MiB,
    minParallelBytes,
  });
  const views = [engine.allocate(most), engine.allocate(most)] as const;
  const copy = async (way: Way, bytes: number) => {
    const [to, from] = views.map((view) => view.subarray(0, bytes)) as [Uint8Array, Uint8Array];
    if (way === 'scattered') return engine.copyBatchSync(scattered(to, from));
    return way === 'copyBatch' || way === 'copyBatchSync' ? engine[way]([{ to, from }]) : engine[way](to, from);
  };
  return {
    /** Whether the workers have a part in a call of so many bytes. */
    async isShared(way: Way, bytes: number): Promise<boolean> {
      for (let tries = 0; tries < TRIES; tries++) {
        if ((await copy(way, bytes)).workerNs > 0) return true;
        // The calls that block let nobody come back.
        await turn();
      }
      return false;
    },
    /** Whether the calling thread alone copies one, although the workers have just copied something else. */
    async isAlone(way: Way, bytes: number): Promise<boolean> {
      const large = [{ to: views[0], from: views[1] }];
      await engine.copyBatch(large);
      const { workerNs, threads } = await copy(way, bytes);
      return workerNs === 0 && threads === 1;
    },
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

describe('by default', () => {
  it.each([
    ['copy', MiB],
    ['copyBatch', MiB],
    ['copySync', 96 * MiB],
    ['copyBatchSync', 96 * MiB],
    ['scattered', 16 * MiB],
  ] as const)(
    'worker threads get a call from some size on, and the calling thread smaller ones: %s, %i bytes',
    async (way, bytes) => {
      await using engine = await open('auto', BYTES);
      expect(await engine.isAlone(way, bytes - 4 * KiB)).toBe(true);
      expect(await engine.isShared(way, bytes)).toBe(true);
    },
  );
});

describe.each(['copy', 'copyBatch', 'copySync', 'copyBatchSync'] as const)('minParallelBytes, %s:', (way) => {
  it('a number of bytes, or a size in words, is the limit of every call', async () => {
    for (const minParallelBytes of [2 * MiB, '2M']) {
      await using engine = await open(minParallelBytes, 2 * MiB);
      expect(await engine.isAlone(way, 2 * MiB - 1)).toBe(true);
      expect(await engine.isShared(way, 2 * MiB)).toBe(true);
    }
  });

  it('0 gives every call to worker threads', async () => {
    await using engine = await open(0, 1);
    expect(await engine.isShared(way, 1)).toBe(true);
  });

  it('Infinity gives them none', async () => {
    await using engine = await open(Number.POSITIVE_INFINITY, BYTES);
    expect(await engine.isAlone(way, BYTES)).toBe(true);
  });
});
