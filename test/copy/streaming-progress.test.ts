import type { Worker } from 'node:worker_threads';
import { CopyAbortError, CopyEngine, KiB, PAGE_SIZE } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { MANNERS } from '../support/manners.js';
import { HAS_NATIVE } from '../support/native.js';
import { spin, watchWorkers } from '../support/threads.js';

/* What a result says was copied past the caches is there, as the calling thread sees it, which has copied none of it. */

const SOAK_SECONDS = Number(process.env.MTCOPY_SOAK_SECONDS ?? 0);
/** Rounds of both schedules together; a soak has ten times as many. */
const ABORTS = SOAK_SECONDS ? 10_000 : 1000;
/** Rounds in which a thread is killed, which takes as long to start as a hundred rounds; a soak has as many as it has time for. */
const KILLS = SOAK_SECONDS ? ABORTS : 10;
const KILL_MS = SOAK_SECONDS ? SOAK_SECONDS * 250 : 20_000;
/** More than a group of what is noted together, and one of several pieces. */
const SIZES = [...new Array(40).fill(24 * KiB), 600 * KiB, ...new Array(100).fill(PAGE_SIZE)];
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0);

const WAITING = MANNERS.filter(({ caller }) => caller === 'waits');

/** A batch whose sources say which round it is, at the end of each page. */
async function openBatch(options: (typeof MANNERS)[number]) {
  const engine = await CopyEngine.create({
    ...{ ...options, threads: 2, memory: '16M', minParallelBytes: 0, method: 'streaming' },
  });
  const [to, from] = [engine.allocate(TOTAL), engine.allocate(TOTAL)];
  const words = new Int32Array(engine.memory.buffer);
  const offsets = SIZES.map((_, i) => SIZES.slice(0, i).reduce((sum, size) => sum + size, 0));
  const items = {
    to: Uint32Array.from(offsets, (offset) => to.byteOffset + offset),
    from: Uint32Array.from(offsets, (offset) => from.byteOffset + offset),
    bytes: Uint32Array.from(SIZES),
  };
  const lastWords = (address: number, i: number) =>
    Array.from({ length: SIZES[i] / PAGE_SIZE }, (_, page) => (address + (page + 1) * PAGE_SIZE) / 4 - 1);
  const sources = SIZES.flatMap((_, i) => lastWords(items.from[i], i));
  const targets = SIZES.map((_, i) => lastWords(items.to[i], i));
  return {
    engine,
    items,
    tag(round: number) {
      for (const word of sources) words[word] = round;
    },
    /** Pages of items that are not among those that were left, and have what an earlier round has copied. */
    stale(round: number, left: ReadonlySet<number>) {
      const wrong = targets.flatMap((pages, i) => (left.has(i) ? [] : pages.filter((word) => words[word] !== round)));
      return wrong.length;
    },
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe.runIf(HAS_NATIVE).each(WAITING)('past the caches, $schedule:', (manner) => {
  it('what an abort says was copied is there', async () => {
    await using batch = await openBatch(manner);
    const { engine, items } = batch;
    let stale = 0;
    let cut = 0;
    // On a busy host hardly one comes in the middle: until one has.
    for (let round = 1; round <= ABORTS / WAITING.length || (cut === 0 && round < 20 * ABORTS); round++) {
      batch.tag(round);
      const controller = new AbortController();
      const copying = engine.copyBatch(items, { signal: controller.signal });
      if (round % 4) await turn();
      spin(Math.random() * 0.15);
      controller.abort();
      const outcome = await copying.catch((error: unknown) => error);
      const { failed, items: whole } = outcome instanceof CopyAbortError ? outcome.result : await copying;
      if (whole > 0 && failed.length > 0) cut++;
      stale += batch.stale(round, new Set(failed.map(({ index }) => index)));
    }
    console.info(`${manner.schedule}: ${cut} of ${ABORTS / WAITING.length} aborts came in mid-copy`);
    expect(stale).toBe(0);
    expect(cut).toBeGreaterThan(0);
  });

  it(
    'what a thread had copied that was killed is there, and what it had not',
    async () => {
      using workers = watchWorkers();
      await using batch = await openBatch(manner);
      const { engine, items } = batch;
      const until = performance.now() + KILL_MS;
      let stale = 0;
      let killed = 0;
      for (let round = 1; round <= KILLS && performance.now() < until; round++) {
        batch.tag(round);
        await engine.ready();
        const copying = engine.copyBatch(items);
        if (round % 4) await turn();
        spin(Math.random() * 0.15);
        const [victim] = workers.alive as ReadonlySet<Worker>;
        const ended = victim.terminate();
        const { failed } = await copying;
        stale += batch.stale(round, new Set()) + failed.length;
        await ended;
        killed++;
      }
      console.info(`${manner.schedule}: ${killed} threads killed`);
      expect(stale).toBe(0);
      expect(killed).toBeGreaterThan(0);
    },
    KILL_MS + 120_000,
  );
});
