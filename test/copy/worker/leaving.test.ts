import { CopyEngine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { ANNOUNCED, DETACHED, LEAVING, openRing, workerState } from '#src/copy/worker/job-ring.js';
import { expectCopied, fillRandom, pairsOf } from '../../support/bytes.js';
import { holdThreads } from '../../support/holds.js';
import { until } from '../../support/machines.js';
import { stayAwake } from '../../support/threads.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

it('a worker that was told to leave while it copied, and was wanted again, is counted on for no list', async () => {
  using holds = holdThreads();
  const options = { schedule: 'static', caller: 'waits', threads: 2, memory: '64M', minParallelBytes: 0 } as const;
  await using engine = await CopyEngine.create(options);
  using _ = stayAwake(engine);
  const { words, slots } = openRing(engine.memory.buffer, RING);
  const announced = (slot: number) => Atomics.load(words, slots[slot].base + ANNOUNCED);
  const [to, from] = [engine.allocate(24 * MiB), engine.allocate(24 * MiB)];
  fillRandom(from, 1);
  const pairs = pairsOf(to, from, new Array(24).fill(MiB));
  const over = new Set<number>();
  const copy = async (part: number) => {
    expect((await engine.copyBatch(pairs.slice(part * 8, part * 8 + 8))).failed).toEqual([]);
    over.add(part);
  };
  const calls: Promise<void>[] = [];
  // One call after the other: of two that are made at once either may be published first, and a busy host may do it later.
  const publish = async (part: number, slot: number) => {
    const before = announced(slot);
    calls.push(copy(part));
    await until(() => announced(slot) !== before);
  };
  // Both workers stop before they read whether they are to leave: all are woken, and there is nothing to copy yet. One that
  // was on its way around the slots could find the second call first, or have a ticket from before the first.
  const awake = (worker: number) => holds.at({ operation: 'load', array: words, index: workerState(worker) });
  using stays = awake(0);
  using leaves = awake(1);
  engine.threads = 2;
  await Promise.all([stays.held(), leaves.held()]);
  await publish(0, 0);
  await publish(1, 1);
  engine.threads = 1;
  expect(Atomics.load(words, workerState(1))).toBe(LEAVING);
  // Worker 1 goes on, and stops again with slot 0 behind it and a list of slot 1 before it, which it claims by its number + 1.
  const lists = words.subarray(slots[1].owners, slots[1].owners + 2);
  using list = holds.at({ operation: 'compareExchange', array: lists, value: 2 });
  leaves.go();
  await list.held();
  stays.go();
  await until(() => over.has(0));
  // Wanted again, and a call in slot 0, where it won't look any more, ends while it stands. Told to leave once more.
  engine.threads = 2;
  await publish(2, 0);
  await until(() => over.has(2));
  engine.threads = 1;
  list.go();
  await Promise.all(calls);
  expectCopied(pairs);
  await until(() => Atomics.load(words, workerState(1)) === DETACHED);
  engine.threads = 2;
  expect((await engine.copyBatch(pairs)).failed).toEqual([]);
});
