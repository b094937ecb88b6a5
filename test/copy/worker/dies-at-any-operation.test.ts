import { CopyEngine, KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { ATTACHED, DONE, openRing, workerState } from '#src/copy/worker/job-ring.js';
import { expectCopied, fillRandom, pairsOf } from '../../support/bytes.js';
import { holdThreads, raceHeld } from '../../support/holds.js';
import { until } from '../../support/machines.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
const OPERATIONS = ['compareExchange', 'sub', 'store', 'notify', 'add', 'load'] as const;
/** Some items of a few units; their last item is longer than one. */
const SIZES = [...new Array(40).fill(4096), 700 * KiB, 100 * KiB, 5, 3 * MiB];
const BATCH = SIZES.reduce((sum, size) => sum + size + 1, 0);
/** The operations of a kind that a worker is ended at, one a call; of loads, which are many, every fifth. */
const MOST = 16;
/** Calls in a row that are over before a worker has come to such an operation, after which there is taken to be none. */
const GIVE_UP = 5;

describe.each(['dynamic', 'static'] as const)('a worker that dies, %s,', (schedule) => {
  it.each(OPERATIONS)('at any Atomics.%s of a copy leaves nothing undone', async (operation) => {
    using holds = holdThreads();
    // A caller that waits: all is the workers' to do.
    const options = { schedule, caller: 'waits', threads: 2, memory: '32M', minParallelBytes: 0 } as const;
    await using engine = await CopyEngine.create(options);
    const ring = openRing(engine.memory.buffer, RING);
    const [to, from] = [engine.allocate(BATCH), engine.allocate(BATCH)];
    fillRandom(from, 1);
    const pairs = pairsOf(to, from, SIZES, 1);
    let died = 0;
    let missed = 0;
    while (died < MOST && missed < GIVE_UP) {
      // Both are there again, one to die and one to go on.
      await engine.ready();
      while ((await engine.copyBatch(pairs)).threads < 2);
      to.fill(0);
      using hold = holds.at({ operation, array: ring.words, nth: 1 + died * (operation === 'load' ? 5 : 1) });
      const copying = engine.copyBatch(pairs);
      if (await raceHeld(hold, copying)) {
        await hold.end();
        died++;
        missed = 0;
      } else {
        hold.go();
        missed++;
      }
      expect(await copying).toMatchObject({ failed: [], items: pairs.length });
      expectCopied(pairs);
    }
    console.info(`${schedule}: died at ${died} of its Atomics.${operation}`);
    expect(died).toBeGreaterThan(0);
  });
});

it('a worker that dies after it has counted a unit, and before it closed it, ends no job too early', async () => {
  using holds = holdThreads();
  const options = { caller: 'waits', threads: 2, memory: '64M', minParallelBytes: 0 } as const;
  await using engine = await CopyEngine.create(options);
  const { words, slots } = openRing(engine.memory.buffer, RING);
  const [to, from] = [engine.allocate(16 * MiB), engine.allocate(16 * MiB)];
  fillRandom(from, 2);
  // Worker 1 has a unit and stands before its first byte; worker 0 has counted its own.
  using owner = holds.at({ operation: 'compareExchange', array: words, value: 2, when: 'after' });
  using counted = holds.at({ operation: 'sub', array: words, when: 'after' });
  let isOver = false;
  const copying = engine.copy(to, from).finally(() => {
    isOver = true;
  });
  await Promise.all([owner.held(), counted.held()]);
  await counted.end();
  // That unit is copied and counted again, so the count comes to 0 without that of worker 1.
  await until(() => Atomics.load(words, slots[0].base + DONE) === 1);
  // What was taken for left would be copied again, by the thread that comes in its place.
  await until(() => Atomics.load(words, workerState(0)) === ATTACHED);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(isOver).toBe(false);
  owner.go();
  expect(await copying).toMatchObject({ bytes: 16 * MiB, failed: [] });
  expectCopied([{ to, from }]);
});
