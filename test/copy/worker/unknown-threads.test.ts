import { CopyEngine, MiB } from 'mtcopy';
import { afterEach, expect, it, vi } from 'vitest';
import { ATTACHED, openRing, workerState, workerTid } from '#src/copy/worker/job-ring.js';
import { fillRandom, isSame } from '../../support/bytes.js';
import { holdThreads } from '../../support/holds.js';
import { until } from '../../support/machines.js';
import { MANNERS } from '../../support/manners.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

afterEach(() => {
  vi.restoreAllMocks();
});

it.each(MANNERS)(
  'where no /proc tells, a call that blocks takes no worker for dead: $schedule, $caller',
  async (manner) => {
    using holds = holdThreads();
    await using engine = await CopyEngine.create({ ...manner, threads: 1, memory: '64M', minParallelBytes: 0 });
    const { words } = openRing(engine.memory.buffer, RING);
    const [to, from] = [engine.allocate(8 * MiB), engine.allocate(8 * MiB)];
    fillRandom(from, 1);
    // The worker stands before its last step of a unit, and so holds the call up until it is let go.
    using last = holds.at({ operation: 'sub', array: words });
    const { wait } = Atomics;
    let looks = 0;
    vi.spyOn(Atomics, 'wait').mockImplementation((...args: unknown[]) => {
      // Each time the caller looks whether its workers are alive.
      if (last.isHeld && ++looks <= 3) return 'timed-out';
      if (last.isHeld) last.go();
      return Reflect.apply(wait, Atomics, args);
    });
    const copy = async () => {
      engine.threads = 1;
      await until(() => Atomics.load(words, workerState(0)) === ATTACHED);
      // What a worker leaves there that cannot read its number.
      Atomics.store(words, workerTid(0), 0);
      return engine.copySync(to, from);
    };
    let result = await copy();
    // A caller that helps may be done before the worker has had a unit.
    while (looks === 0) result = await copy();
    expect(looks).toBeGreaterThan(3);
    expect(Atomics.load(words, workerState(0))).toBe(ATTACHED);
    expect(result).toMatchObject({
      bytes: 8 * MiB,
      failed: [],
      threads: manner.caller === 'helps' ? expect.any(Number) : 1,
    });
    expect(result.workerNs).toBeGreaterThan(0);
    expect(isSame(to, from)).toBe(true);
  },
);
