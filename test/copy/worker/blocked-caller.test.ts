import { existsSync } from 'node:fs';
import { CopyEngine, MiB } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { ATTACHED, DETACHED, DONE, openRing, workerState, workerTid } from '#src/copy/worker/job-ring.js';
import { expectCopied, fillRandom } from '../../support/bytes.js';
import { holdThreads } from '../../support/holds.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
const OPTIONS = { caller: 'waits', memory: '64M', minParallelBytes: 0 } as const;
/** Only there can a thread that blocks tell whether others live. */
const isLinux = existsSync('/proc/self/task');

/** Of those that a caller waits and looks with. */
type Wait = (array: Int32Array, index: number, value: number, timeout?: number) => 'ok' | 'not-equal' | 'timed-out';
type Load = (array: Int32Array, index: number) => number;

/** Puts `fake` in the place of an operation of this thread. */
function replace<Operation extends 'wait' | 'load'>(
  operation: Operation,
  fake: Operation extends 'wait' ? Wait : Load,
) {
  vi.spyOn(Atomics, operation).mockImplementation(fake as never);
}

afterEach(() => vi.restoreAllMocks());

it.runIf(isLinux)('a blocked caller sleeps while it waits for a unit, and sees that worker die too', async () => {
  using holds = holdThreads();
  await using engine = await CopyEngine.create({ ...OPTIONS, threads: 2 });
  const { words, slots } = openRing(engine.memory.buffer, RING);
  const [to, from] = [engine.allocate(16 * MiB), engine.allocate(16 * MiB)];
  fillRandom(from, 1);
  // Worker 1 has a unit and stands before its first byte; worker 0 has counted its own.
  using owner = holds.at({ operation: 'compareExchange', array: words, value: 2, when: 'after' });
  using counted = holds.at({ operation: 'sub', array: words, when: 'after' });
  /** Waits for the end of the job, and those that returned at once. */
  let waits = 0;
  let spins = 0;
  let isCounted = false;
  const wait: Wait = Atomics.wait;
  replace('wait', (array, index, value, timeout) => {
    const done = index === slots[0].base + DONE;
    if (done && waits++ === 0) {
      while (!owner.isHeld || !counted.isHeld);
      counted.end();
    }
    // That unit is counted twice, so the count comes to 0 without that of worker 1, which now dies too.
    if (done && !isCounted && Atomics.load(words, index) === 1) {
      isCounted = true;
      owner.end();
    }
    const woken = wait(array, index, value, timeout);
    if (done && woken === 'not-equal' && ++spins === 1000) throw new Error('the caller spins');
    return woken;
  });
  expect(engine.copySync(to, from)).toMatchObject({ bytes: 16 * MiB, failed: [] });
  expect(isCounted).toBe(true);
  expectCopied([{ to, from }]);
});

it.runIf(isLinux)('a blocked caller takes no worker that is just coming for the dead one before it', async () => {
  using holds = holdThreads();
  await using engine = await CopyEngine.create({ ...OPTIONS, threads: 1 });
  const { words, slots } = openRing(engine.memory.buffer, RING);
  const [to, from] = [engine.allocate(16 * MiB), engine.allocate(16 * MiB)];
  fillRandom(from, 2);
  const [state, tid] = [workerState(0), workerTid(0)];
  const thread = words[tid];
  using claim = holds.at({ operation: 'compareExchange', array: words, value: 1, when: 'after' });
  /** 1 while it is about to attach, 2 from then on. */
  let coming = 0;
  const wait: Wait = Atomics.wait;
  const load: Load = Atomics.load;
  replace('wait', (array, index, value, timeout) => {
    const woken = wait(array, index, value, timeout);
    if (index === slots[0].base + DONE && woken === 'timed-out' && coming === 0) {
      // As if another had borne the number, whose thread is gone, and this one were about to attach.
      coming = 1;
      words[tid] = 2 ** 30;
      words[state] = DETACHED;
    }
    return woken;
  });
  replace('load', (array, index) => {
    if (coming === 1 && index === state) {
      coming = 2;
      words[tid] = thread;
      words[state] = ATTACHED;
      claim.go();
    }
    return load(array, index);
  });
  expect(engine.copySync(to, from)).toMatchObject({ threads: 1, failed: [] });
  expect(coming).toBe(2);
  expect(words[state]).toBe(ATTACHED);
  expectCopied([{ to, from }]);
});
