import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { CopyEngine, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ATTACHED, DETACHED, openRing, UNITS, workerState } from '#src/copy/worker/job-ring.js';
import { fillRandom, isSame } from '../support/bytes.js';
import { holdThreads } from '../support/holds.js';
import { until } from '../support/machines.js';
import { MANNERS } from '../support/manners.js';
import { block, watchWorkers } from '../support/threads.js';

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

  it('a thread that joins a call under way has a part in it', async () => {
    using holds = holdThreads();
    await using engine = await CopyEngine.create({ ...manner, threads: 2, memory: '256M', minParallelBytes: 0 });
    const { words, slots } = openRing(engine.memory.buffer, RING);
    // Far more than the calling thread copies in the few turns that it has below.
    const [to, from] = [engine.allocate(100 * MiB), engine.allocate(100 * MiB)];
    fillRandom(from.subarray(-5000), 3);
    const isThere = (index: number) => Atomics.load(words, workerState(index)) !== DETACHED;
    await until(() => !isThere(0) && !isThere(1));
    const beforeItComes = (index: number) =>
      holds.at({ operation: 'store', array: words, index: workerState(index), value: ATTACHED });
    using first = beforeItComes(0);
    using second = beforeItComes(1);
    engine.threads = 2;
    for (const late of [first, second]) await late.held();
    const copying = engine.copy(to, from);
    while (Atomics.load(words, slots[0].base + UNITS) === 0) await turn();
    // One of the two comes, while the calling thread copies nothing.
    first.go();
    for (let looks = 0; slots[0].cpuNs[0] === 0 && looks < 300; looks++) block(10);
    expect(slots[0].cpuNs[0]).toBeGreaterThan(0);
    second.go();
    const { workerNs, failed } = await copying;
    expect(workerNs).toBeGreaterThan(0);
    expect(failed).toEqual([]);
    expect(isSame(to, from)).toBe(true);
  });

  it('threads come while a call is under way', async () => {
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
