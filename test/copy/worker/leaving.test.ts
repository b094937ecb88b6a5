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
  const copy = (part: number) => engine.copyBatch(pairs.slice(part * 8, part * 8 + 8));
  const claim = (worker: number, nth: number) =>
    holds.at({ operation: 'compareExchange', array: words, value: worker + 1, nth });
  // Worker 1 stops before it reads whether it is to leave: all workers are woken, and there is nothing to copy yet.
  using state = holds.at({ operation: 'load', array: words, index: workerState(1) });
  engine.threads = 2;
  await state.held();
  // Two calls, in slots 0 and 1. Worker 0 stops before its first list.
  using first = claim(0, 1);
  const before = announced(1);
  const calls = [copy(0), copy(1)];
  await first.held();
  // A busy host may publish it in a later turn.
  await until(() => announced(1) !== before);
  engine.threads = 1;
  expect(Atomics.load(words, workerState(1))).toBe(LEAVING);
  // It goes on, and stops again with slot 0 behind it and a list of slot 1 before it.
  using second = claim(1, 2);
  state.go();
  await second.held();
  first.go();
  await calls[0];
  // Wanted again, a call in slot 0 that may count on it, and told to leave once more.
  engine.threads = 2;
  const earlier = announced(0);
  calls.push(copy(2));
  await until(() => announced(0) !== earlier);
  engine.threads = 1;
  second.go();
  for (const { failed } of await Promise.all(calls)) expect(failed).toEqual([]);
  expectCopied(pairs);
  await until(() => Atomics.load(words, workerState(1)) === DETACHED);
  engine.threads = 2;
  expect((await engine.copyBatch(pairs)).failed).toEqual([]);
});
