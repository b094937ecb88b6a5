import { BroadcastChannel } from 'node:worker_threads';
import { CopyEngine, KiB, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { compileWalker } from '#src/copy/worker/methods.js';
import { expectCopied, fillRandom, isSame, pairsOf } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';

afterEach(() => vi.restoreAllMocks());

/** More than an engine has slots, and a memory room for engines. */
const TIMES = 30;

it.each(['copyBatch', 'copyBatchSync'] as const)(
  'an exception in publishing takes no slot with it: %s',
  async (call) => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '16M', minParallelBytes: 0 });
    const [to, from] = [0, 1].map(() => new Uint8Array(new SharedArrayBuffer(MiB))) as [Uint8Array, Uint8Array];
    fillRandom(from, 1);
    const post = vi.spyOn(BroadcastChannel.prototype, 'postMessage');
    post.mockImplementation(() => {
      throw new RangeError('no memory for a message');
    });
    for (let time = 0; time < TIMES; time++) {
      expect(await errorOf(() => engine[call]([{ to, from }]))).toMatchObject({ message: 'no memory for a message' });
    }
    expect(post).toHaveBeenCalledTimes(TIMES);
    post.mockRestore();
    expect(await engine[call]([{ to, from }])).toMatchObject({ bytes: MiB, failed: [] });
    expect(isSame(to, from)).toBe(true);
  },
);

it('an exception in publishing ends what was published before it, and only then the call', async () => {
  await using engine = await CopyEngine.create({ threads: 2, memory: '16M', minParallelBytes: 0 });
  // More items than a slot has room for: several messages.
  const bytes = new SharedArrayBuffer(2 * MiB);
  const pairs = pairsOf(new Uint8Array(bytes, 0, MiB), new Uint8Array(bytes, MiB), new Array(30_000).fill(20), 3);
  const { postMessage } = BroadcastChannel.prototype;
  let posts = 0;
  const post = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(function (
    this: BroadcastChannel,
    message,
  ) {
    if (++posts === 3) throw new RangeError('no memory for a message');
    return postMessage.call(this, message);
  });
  for (let time = 0; time < TIMES; time++) {
    posts = 0;
    await expect(engine.copyBatch(pairs)).rejects.toThrow('no memory for a message');
    const left = new Uint8Array(bytes).slice();
    await new Promise((resolve) => setTimeout(resolve, 2));
    expect(isSame(new Uint8Array(bytes), left)).toBe(true);
  }
  post.mockRestore();
  fillRandom(new Uint8Array(bytes, MiB), 1);
  expect((await engine.copyBatch(pairs)).failed).toEqual([]);
  expectCopied(pairs);
});

it('an engine that cannot be made gives its area back', async () => {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  compileWalker();
  for (let time = 0; time < TIMES; time++) {
    const unref = vi.spyOn(BroadcastChannel.prototype, 'unref').mockImplementation(() => {
      throw new Error('no channel');
    });
    await expect(CopyEngine.create({ memory, threads: 1 })).rejects.toThrow('no channel');
    unref.mockRestore();
  }
  await using engine = await CopyEngine.create({ memory, threads: 1 });
  expect((await engine.copy(engine.allocate(5), engine.allocate(5))).bytes).toBe(5);
});

it.each(['dynamic', 'static'] as const)(
  'what is copied again for a poisoned neighbour can be aborted: %s',
  async (schedule) => {
    const options = { schedule, caller: 'helps', threads: 1, memory: '400M', minParallelBytes: 0 } as const;
    await using engine = await CopyEngine.create(options);
    const [to, from] = [engine.allocate(128 * MiB), engine.allocate(128 * MiB)];
    // Neighbours, which are merged; one frame gets poisoned once the call has been checked.
    const sizes = [...new Array(64).fill(4 * KiB), 120 * MiB];
    const pairs = pairsOf(to, from, sizes);
    const controller = new AbortController();
    const copying = engine.copyBatch(pairs, { signal: controller.signal });
    engine.memory.poison(from.byteOffset / PAGE_SIZE + 70);
    controller.abort();
    const error = await copying.catch((reason) => reason);
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(error.result.bytes).toBeLessThan(128 * MiB);
  },
);
