import { BroadcastChannel } from 'node:worker_threads';
import { CopyEngine, KiB, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { expectCopied, fillRandom, isSame, pairsOf } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { holdThreads } from '../support/holds.js';

afterEach(() => vi.restoreAllMocks());

/** Workers are told of buffers by messages, for typed arrays. */
const SENT = { method: 'typed-array', memory: '16M', minParallelBytes: 0 } as const;
/** More than an engine has slots, and a memory room for engines. */
const TIMES = 30;

it.each(['copyBatch', 'copyBatchSync'] as const)(
  'an exception in publishing takes no slot with it: %s',
  async (call) => {
    await using engine = await CopyEngine.create({ ...SENT, threads: 2 });
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
  using holds = holdThreads();
  await using engine = await CopyEngine.create({ ...SENT, threads: 1, caller: 'waits' });
  // More items than a slot has room for: several messages.
  const bytes = new SharedArrayBuffer(2 * MiB);
  fillRandom(new Uint8Array(bytes, MiB), 1);
  const pairs = pairsOf(new Uint8Array(bytes, 0, MiB), new Uint8Array(bytes, MiB), new Array(30_000).fill(20), 3);
  const { postMessage } = BroadcastChannel.prototype;
  let posts = 0;
  const post = vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(function (
    this: BroadcastChannel,
    message,
  ) {
    if (++posts === 2) throw new RangeError('no memory for a message');
    return postMessage.call(this, message);
  });
  // The worker has a unit of the first job.
  using claim = holds.at({ operation: 'compareExchange', value: 1, when: 'after' });
  let isOver = false;
  const copying = engine.copyBatch(pairs).finally(() => {
    isOver = true;
  });
  copying.catch(() => {});
  await claim.held();
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(posts).toBe(2);
  expect(isOver).toBe(false);
  claim.go();
  await expect(copying).rejects.toThrow('no memory for a message');
  post.mockRestore();
  expect((await engine.copyBatch(pairs)).failed).toEqual([]);
  expectCopied(pairs);
});

it('an engine that cannot be made gives its area back', async () => {
  const memory = PhysicalMemory.create({ nodes: ['16M'] });
  await CopyEngine.create({ memory, threads: 1 }).then((engine) => engine.close());
  for (let time = 0; time < TIMES; time++) {
    // The last thing that an engine is made of.
    const timer = vi.spyOn(globalThis, 'setTimeout').mockImplementation(() => {
      throw new Error('no timer');
    });
    const error = await CopyEngine.create({ memory, threads: 1 }).catch((reason) => reason);
    timer.mockRestore();
    expect(error).toMatchObject({ message: 'no timer' });
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
