import { existsSync } from 'node:fs';
import { CopyEngine, MiB } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { DONE, openRing } from '#src/copy/worker/job-ring.js';
import { expectCopied, fillRandom } from '../../support/bytes.js';
import { holdThreads } from '../../support/holds.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
const OPTIONS = { caller: 'waits', memory: '64M', minParallelBytes: 0 } as const;
/** Only there can a thread that blocks tell whether others live. */
const isLinux = existsSync('/proc/self/task');

type Wait = (array: Int32Array, index: number, value: number, timeout?: number) => 'ok' | 'not-equal' | 'timed-out';

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
  vi.spyOn(Atomics, 'wait').mockImplementation(((array: Int32Array, index: number, value: number, timeout?: number) => {
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
  }) as never);
  expect(engine.copySync(to, from)).toMatchObject({ bytes: 16 * MiB, failed: [] });
  expect(isCounted).toBe(true);
  expectCopied([{ to, from }]);
});
