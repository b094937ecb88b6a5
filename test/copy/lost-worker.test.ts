import type { Worker } from 'node:worker_threads';
import { CopyEngine, type CopyPair, type CopyResult, KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { bytesOf, expectCopied, fillRandom, pairsOf } from '../support/bytes.js';
import { MANNERS } from '../support/manners.js';
import { spin, watchWorkers } from '../support/threads.js';

const SOAK_SECONDS = Number(process.env.MTCOPY_SOAK_SECONDS ?? 0);
/** Time for each of the twelve stress tests, in milliseconds; a soak takes longer. */
const STRESS_MS = SOAK_SECONDS ? SOAK_SECONDS * 40 : 300;
/** Rounds of each at most: by then one worker has died, and all of them have, at once and after the first bytes. */
const ROUNDS = SOAK_SECONDS ? Number.POSITIVE_INFINITY : 4;
/** Rounds of the others: each way to call once, or over and over in a soak. */
const OTHER_ROUNDS = SOAK_SECONDS ? 60 : 3;
const TIMEOUT = STRESS_MS * 4 + 30_000;
const SIZES = [5 * MiB, ...new Array(60).fill(4096), 2_000_001, ...new Array(40).fill(9000), 64 * KiB, 3 * MiB, 0, 5];
const BATCH = SIZES.reduce((sum, size) => sum + size + 1, 0);

const manners = MANNERS.flatMap((manner) =>
  (['async', 'sync', 'foreign'] as const).map((call) => ({ ...manner, call })),
);

function pick(workers: ReadonlySet<Worker>): Worker {
  const list = Array.from(workers);
  return list[Math.floor(Math.random() * list.length)];
}

/** Expects every byte there: what a thread has left the others copy. */
function expectWhole(pairs: readonly CopyPair[], result: CopyResult): void {
  const all = pairs.reduce((sum, { to }) => sum + to.byteLength, 0);
  expect(result).toMatchObject({ failed: [], items: pairs.length, bytes: all });
  expectCopied(pairs);
}

/** Holds this thread until the copy has begun to arrive, and then for a random moment. */
function awaitFirstBytes(pairs: readonly CopyPair[]): void {
  const hasBegun = () =>
    pairs.some(({ to, from }) => {
      const [target, source] = [bytesOf(to), bytesOf(from)];
      return target.length > 0 && target[0] === source[0] && target[1] === source[1] && target[2] === source[2];
    });
  for (const until = performance.now() + 3; !hasBegun() && performance.now() < until; );
  spin(Math.random() * 0.3);
}

describe.each(manners)('a worker dies: $schedule, $caller, $call', ({ call, ...manner }) => {
  it(
    'in the middle of a copy, at any moment, over and over',
    async () => {
      using workers = watchWorkers();
      await using engine = await CopyEngine.create({ ...manner, threads: 4, memory: '32M', minParallelBytes: 0 });
      const from = engine.allocate(BATCH);
      const to = call === 'foreign' ? new Uint8Array(new SharedArrayBuffer(BATCH)) : engine.allocate(BATCH);
      const elsewhere = engine.allocate(4 * MiB);
      fillRandom(from, 1);
      const pairs = pairsOf(to, from, SIZES, 1);
      const others = pairsOf(elsewhere, from, new Array(4).fill(MiB));
      let killed = 0;
      let batches = 0;
      const note = (batch: readonly CopyPair[], result: CopyResult) => {
        expectWhole(batch, result);
        batches++;
      };
      const until = performance.now() + STRESS_MS;
      for (let round = 0; round < ROUNDS && performance.now() < until; round++) {
        to.fill(0);
        elsewhere.fill(0);
        // With a blocking call, another one is what the worker dies in: the blocked one must not wait for it in vain.
        const inFlight = call === 'sync' ? others : pairs;
        const copying = engine.copyBatch(inFlight);
        if (round % 4) awaitFirstBytes(inFlight);
        const victims = round % 3 === 2 ? Array.from(workers.alive) : [pick(workers.alive)];
        const ends = victims.map((victim) => victim.terminate());
        if (call === 'sync') note(pairs, engine.copyBatchSync(pairs));
        note(inFlight, await copying);
        await Promise.all(ends);
        killed += victims.length;
        // The next one has everybody again.
        to.fill(0);
        expect((await engine.copyBatch(pairs)).failed).toEqual([]);
        expectCopied(pairs);
        expect(workers.alive.size).toBe(4);
      }
      console.info(`${manner.schedule}, ${manner.caller}, ${call}: ${killed} workers killed in ${batches} batches`);
    },
    TIMEOUT,
  );
});

describe('a worker that dies', () => {
  it.each(MANNERS)('$schedule, $caller: with all others at once', async (manner) => {
    using workers = watchWorkers();
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '64M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(BATCH), engine.allocate(BATCH)];
    fillRandom(from, 3);
    const pairs = pairsOf(to, from, SIZES, 1);
    for (let round = 0; round < OTHER_ROUNDS; round++) {
      to.fill(0);
      const copying = round % 3 === 0 ? undefined : engine.copyBatch(pairs);
      const ends = Array.from(workers.alive, (worker) => worker.terminate());
      const result = copying ? await copying : engine.copyBatchSync(pairs);
      expectWhole(pairs, result);
      await Promise.all(ends);
      to.fill(0);
      const next = await engine.copyBatch(pairs);
      expect(next.failed).toEqual([]);
      expectCopied(pairs);
      expect(workers.alive.size).toBe(3);
    }
  });

  it.each(MANNERS)('$schedule, $caller: while several calls are in flight', async (manner) => {
    using workers = watchWorkers();
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '64M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(12 * MiB), engine.allocate(12 * MiB)];
    fillRandom(from, 4);
    const all = pairsOf(to, from, new Array(200).fill(50_000), 7);
    for (let round = 0; round < OTHER_ROUNDS; round++) {
      to.fill(0);
      const batches = Array.from({ length: 20 }, (_, i) => all.slice(i * 10, i * 10 + 10));
      const calls = batches.map((pairs) => engine.copyBatch(pairs));
      spin(Math.random());
      const end = pick(workers.alive).terminate();
      for (const [i, call] of calls.entries()) expectWhole(batches[i], await call);
      await end;
    }
  });

  it.each(MANNERS)('$schedule, $caller: while nobody copies', async (manner) => {
    using workers = watchWorkers();
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '64M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    fillRandom(from, 5);
    // Workers that serve, and then workers that have left because nobody copied for a while.
    for (const idleMs of [0, 150]) {
      await new Promise((resolve) => setTimeout(resolve, idleMs));
      await pick(workers.alive).terminate();
      expect((await engine.copy(to, from)).failed).toEqual([]);
      expectCopied([{ to, from }]);
      await pick(workers.alive).terminate();
      to.fill(0);
      expect(engine.copySync(to, from).failed).toEqual([]);
      expectCopied([{ to, from }]);
    }
  });
});
