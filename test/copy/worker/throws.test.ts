import { BroadcastChannel } from 'node:worker_threads';
import { CopyEngine, MiB } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { ATTACHED, DOORBELL, openRing, workerInbox, workerState } from '#src/copy/worker/job-ring.js';
import { expectCopied, fillRandom } from '../../support/bytes.js';
import { holdThreads } from '../../support/holds.js';
import { until } from '../../support/machines.js';
import { stayAwake } from '../../support/threads.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

/** Workers are told of buffers by messages, for typed arrays. */
const OPTIONS = {
  method: 'typed-array',
  caller: 'waits',
  threads: 1,
  memory: '64M',
  minParallelBytes: 0,
} as const;

afterEach(() => vi.restoreAllMocks());

/** A destination and a source, neither of which begins with its buffer. */
function buffers(): [Uint8Array, Uint8Array] {
  const [to, from] = [new SharedArrayBuffer(2 * MiB), new SharedArrayBuffer(2 * MiB)];
  fillRandom(new Uint8Array(from), 2);
  return [new Uint8Array(to, 64, MiB), new Uint8Array(from, 64, MiB)];
}

/** Has workers get what is no buffer: they come no further than the first write. */
function sendNoBuffers(): void {
  const { postMessage } = BroadcastChannel.prototype;
  vi.spyOn(BroadcastChannel.prototype, 'postMessage').mockImplementation(function (this: BroadcastChannel, message) {
    const { foreign, ...job } = message as { foreign: { base: number }[] };
    const none = foreign.map(({ base }) => ({ base, buffer: { byteLength: 2 * MiB } }));
    postMessage.call(this, { ...job, foreign: none });
  });
}

it('a worker that threw in the middle of a unit goes on with none of it when its thread serves again', async () => {
  using holds = holdThreads();
  await using engine = await CopyEngine.create(OPTIONS);
  const { words } = openRing(engine.memory.buffer, RING);
  const isAttached = (worker: number) => Atomics.load(words, workerState(worker)) === ATTACHED;
  const [to, from] = [engine.allocate(16 * MiB), engine.allocate(16 * MiB)];
  fillRandom(from, 1);
  sendNoBuffers();
  using again = holds.at({ operation: 'store', array: words, index: workerState(0), value: ATTACHED });
  const [first, second] = buffers();
  expect(await engine.copy(first, second)).toMatchObject({ bytes: MiB, failed: [] });
  using _ = stayAwake(engine);
  await again.held();
  vi.restoreAllMocks();
  // Another worker has the same unit of the next job.
  engine.threads = 2;
  await until(() => isAttached(1));
  // It sleeps: one that still looks at the slots may find half of the next job, and the claim below one that it doesn't get.
  using asleep = holds.at({ operation: 'wait', array: words, index: DOORBELL, thread: words[workerInbox(1)] });
  await asleep.held();
  using claim = holds.at({ operation: 'compareExchange', array: words, value: 2, when: 'after' });
  using counted = holds.at({ operation: 'sub', array: words, when: 'after', nth: 31 });
  let isOver = false;
  const copying = engine.copy(to, from).finally(() => {
    isOver = true;
  });
  asleep.go();
  await claim.held();
  again.go();
  await counted.held();
  counted.go();
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(isOver).toBe(false);
  claim.go();
  await copying;
  expectCopied([{ to, from }]);
});

it('a caller that blocks sees that a worker threw, and copies what it has left', async () => {
  await using engine = await CopyEngine.create(OPTIONS);
  sendNoBuffers();
  // Without the look it would wait for ever.
  let waits = 0;
  const wait = Atomics.wait as (array: Int32Array, index: number, value: number, timeout?: number) => string;
  vi.spyOn(Atomics, 'wait').mockImplementation(((array: Int32Array, index: number, value: number, timeout?: number) => {
    if (++waits === 50) throw new Error('the call does not end');
    return wait(array, index, value, timeout);
  }) as never);
  const [to, from] = buffers();
  expect(engine.copySync(to, from)).toMatchObject({ bytes: MiB, failed: [] });
  expectCopied([{ to, from }]);
});
