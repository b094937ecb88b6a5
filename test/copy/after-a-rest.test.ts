import { setTimeout as sleep } from 'node:timers/promises';
import { CopyEngine, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ATTACHED, DETACHED, openRing, workerState } from '#src/copy/worker/job-ring.js';
import { fillRandom, isSame } from '../support/bytes.js';
import { holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';
import { MANNERS } from '../support/manners.js';
import { watchWorkers } from '../support/threads.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
const BYTES = 40 * MiB;

describe.each(MANNERS)('after a rest: $schedule, $caller', (manner) => {
  it('a call waits for no thread, neither a blocking one', async () => {
    using holds = holdThreads();
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '128M', minParallelBytes: 0 });
    const { words } = openRing(engine.memory.buffer, RING);
    const isThere = (index: number) => Atomics.load(words, workerState(index)) !== DETACHED;
    const [to, from] = [engine.allocate(BYTES), engine.allocate(BYTES)];
    for (const call of ['copy', 'copySync'] as const) {
      fillRandom(from.subarray(0, 5000), call.length);
      await until(() => ![0, 1, 2].some(isThere));
      // None of them comes back before it is let go.
      const late = [0, 1, 2].map((index) =>
        holds.at({ operation: 'store', array: words, index: workerState(index), value: ATTACHED }),
      );
      expect(await engine[call](to, from)).toMatchObject({ bytes: BYTES, threads: 1, workerNs: 0 });
      expect(isSame(to, from)).toBe(true);
      for (const hold of late) hold.go();
      // Then they do.
      while ((await engine.copy(to, from)).workerNs === 0);
    }
  });

  it('threads join a call that is under way', async () => {
    using holds = holdThreads();
    await using engine = await CopyEngine.create({ ...manner, threads: 1, memory: '128M', minParallelBytes: 0 });
    const { words } = openRing(engine.memory.buffer, RING);
    const [to, from] = [engine.allocate(BYTES), engine.allocate(BYTES)];
    const [yours, mine] = [0, 1].map(() => new Uint8Array(new SharedArrayBuffer(BYTES))) as [Uint8Array, Uint8Array];
    for (const [target, source] of [
      [to, from],
      [yours, mine],
    ]) {
      fillRandom(source.subarray(0, 5000), 2);
      await until(() => Atomics.load(words, workerState(0)) === DETACHED);
      using late = holds.at({ operation: 'store', array: words, index: workerState(0), value: ATTACHED });
      // The calling thread copies; while it is between two turns the worker comes.
      const copying = engine.copy(target, source);
      await late.held();
      late.go();
      const { threads, failed } = await copying;
      expect(failed).toEqual([]);
      expect(isSame(target, source)).toBe(true);
      expect(threads).toBeLessThanOrEqual(2);
    }
  });
});

it('threads live as long as their engine', async () => {
  using workers = watchWorkers();
  await using engine = await CopyEngine.create({ threads: 3, memory: '16M', minParallelBytes: 0 });
  const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
  const first = new Set(workers.alive);
  for (let rest = 0; rest < 3; rest++) {
    await sleep(250);
    await engine.copy(to, from);
  }
  expect(new Set(workers.alive)).toEqual(first);
});
