import { setMaxListeners } from 'node:events';
import { CopyAbortError, CopyEngine, type CopyPair, type CopyResult, KiB, MiB, PAGE_SIZE } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRing, STOP } from '#src/copy/worker/job-ring.js';
import { expectCopied, fillRandom, isAll, isSame, pairsOf } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { holdThreads } from '../support/holds.js';
import { MANNERS } from '../support/manners.js';
import { spin } from '../support/threads.js';

const SIZES = [MiB, ...new Array(300).fill(4096), 3 * MiB, 0, ...new Array(300).fill(9000), 70_001];
const TOTAL = SIZES.reduce((sum, size) => sum + size, 0);

/** What went wrong is an abort that tells the truth; returns how many items it left. */
function expectAbort(error: unknown, pairs: readonly CopyPair[], reason?: unknown): number {
  expect(error).toBeInstanceOf(CopyAbortError);
  const abort = error as CopyAbortError;
  expect(abort).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
  expectPartial(abort.result, pairs);
  return abort.result.failed.length;
}

function expectPartial(result: CopyResult, pairs: readonly CopyPair[]): void {
  const left = result.failed.reduce((sum, { index }) => sum + pairs[index].to.byteLength, 0);
  expect(result.failed.every(({ code }) => code === 'ECANCELED')).toBe(true);
  expect(result.items + result.failed.length).toBe(pairs.length);
  const all = pairs.reduce((sum, { to }) => sum + to.byteLength, 0);
  // All that is missing belongs to items that failed; some of those are copied in part.
  expect(result.bytes).toBeGreaterThanOrEqual(all - left);
  expect(result.bytes).toBeLessThanOrEqual(all);
  expectCopied(pairs, result.failed);
}

describe.each(MANNERS)('abort: $schedule, $caller', (manner) => {
  // One for all tests: to start threads takes longer than most of them.
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ ...manner, threads: 3, memory: '192M', minParallelBytes: 0 });
  });
  afterAll(() => engine.close());

  it('before the call: nothing is copied', async () => {
    const [to, from] = [engine.allocate(TOTAL), engine.allocate(TOTAL)];
    fillRandom(from, 1);
    const pairs = pairsOf(to, from, SIZES);
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    const error = await errorOf(() => engine.copyBatch(pairs, { signal }));
    expect(expectAbort(error, pairs, reason)).toBe(pairs.length);
    expect(error).toMatchObject({ result: { bytes: 0, items: 0, threads: 0, workerNs: 0 } });
    expectAbort(await errorOf(() => engine.copy(to, from, { signal })), [{ to, from }], reason);
    // Nothing to copy is all copied.
    expect(await engine.copyBatch([], { signal })).toMatchObject({ bytes: 0, items: 0, failed: [] });
    expect(isAll(to, 0)).toBe(true);
    expect(await errorOf(() => engine.copy(to, to.subarray(1), { signal }))).toMatchObject({ code: 'EINVAL' });
  });

  it.each([false, true])('in the turn of the call: nothing is copied (a frame is poisoned: %s)', async (isPoisoned) => {
    const [to, from] = [engine.allocate(TOTAL), engine.allocate(TOTAL)];
    fillRandom(from, 1);
    const pfn = engine.allocate(1).byteOffset / PAGE_SIZE;
    if (isPoisoned) engine.memory.poison(pfn);
    const pairs = pairsOf(to, from, SIZES);
    for (const call of [
      (signal: AbortSignal) => engine.copyBatch(pairs, { signal }),
      (signal: AbortSignal) => engine.copyBatch([{ to, from }], { signal }),
    ]) {
      const controller = new AbortController();
      const copying = call(controller.signal);
      controller.abort();
      const error = await errorOf(() => copying);
      expect(error).toMatchObject({ name: 'AbortError', cause: controller.signal.reason });
      expect(error).toMatchObject({ result: { bytes: 0, items: 0 } });
      expect((error as CopyAbortError).result.failed.every(({ code }) => code === 'ECANCELED')).toBe(true);
      expect(isAll(to, 0)).toBe(true);
    }
    if (isPoisoned) engine.memory.unpoison(pfn);
  });

  it('at any moment: what is not named as left is copied, and other calls are too', async () => {
    const from = engine.allocate(TOTAL);
    const [to, elsewhere] = [engine.allocate(TOTAL), engine.allocate(2 * MiB)];
    fillRandom(from, 2);
    const pairs = pairsOf(to, from, SIZES);
    const others = pairsOf(elsewhere, from, new Array(20).fill(100 * KiB));
    let aborted = 0;
    const rounds = 40;
    for (let round = 0; round < rounds; round++) {
      to.fill(0);
      elsewhere.fill(0);
      const controller = new AbortController();
      const copying = engine.copyBatch(pairs, { signal: controller.signal });
      const other = engine.copyBatch(others);
      spin((Math.random() * round) / 10);
      if (round % 2) await new Promise((resolve) => setImmediate(resolve));
      controller.abort('stop');
      const outcome = await copying.catch((error: unknown) => error);
      if (outcome instanceof Error) {
        expect(expectAbort(outcome, pairs, 'stop')).toBeGreaterThan(0);
        aborted++;
      } else {
        expect(outcome).toMatchObject({ bytes: TOTAL, failed: [] });
        expectCopied(pairs);
      }
      expect((await other).failed).toEqual([]);
      expectCopied(others);
    }
    console.info(`${manner.schedule}, ${manner.caller}: ${rounds} aborts, ${aborted} of them in mid-copy`);
    // Half of them come in the turn of the call.
    expect(aborted).toBeGreaterThan(0);
  });

  it('of calls that wait for their turn lets those behind them go on', async () => {
    const [to, from] = [engine.allocate(24 * MiB), engine.allocate(24 * MiB)];
    fillRandom(from, 3);
    const controller = new AbortController();
    const { signal } = controller;
    setMaxListeners(0, signal);
    const pairs = pairsOf(to, from, new Array(30).fill(700 * KiB));
    // More than there are slots, then as many that will be aborted, then some that must still get theirs.
    const calls = pairs.map((pair, i) => engine.copyBatch([pair], i >= 8 && i < 22 ? { signal } : {}));
    controller.abort();
    const outcomes = await Promise.allSettled(calls);
    for (const [i, { status }] of outcomes.entries()) if (i < 8 || i >= 22) expect(status).toBe('fulfilled');
    expectCopied(
      pairs,
      outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [{ index }] : [])),
    );
  });

  it('after the call: nothing changes, and no listener is left', async () => {
    const [to, from] = [engine.allocate(TOTAL), engine.allocate(TOTAL)];
    fillRandom(from, 4);
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const result = await engine.copy(to, from, { signal });
    expect(listeners).toBe(0);
    controller.abort();
    expect(result).toMatchObject({ bytes: TOTAL, items: 1, failed: [] });
    expectCopied([{ to, from }]);
    expect((await engine.copy(to, from)).failed).toEqual([]);
  });
});

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
const PIECE = 256 * KiB;

describe('an abort that comes after some pieces', () => {
  it.each([
    ['typed arrays over the memory of the engine', 'typed-array', true],
    ['typed arrays over other memory', 'typed-array', false],
  ] as const)('ends the copy before the next: %s', async (_, method, isOwn) => {
    using holds = holdThreads();
    const options = { method, caller: 'waits', threads: 1, memory: '128M' } as const;
    await using engine = await CopyEngine.create(options);
    const ring = openRing(engine.memory.buffer, RING);
    const bytes = 40 * MiB;
    const view = () => (isOwn ? engine.allocate(bytes) : new Uint8Array(new SharedArrayBuffer(bytes)));
    const [to, from] = [view(), view()];
    fillRandom(from.subarray(0, 10 * PIECE), 5);
    const reason = new Error('enough');
    const controller = new AbortController();
    // The worker stops at its look before the seventh piece.
    using look = holds.at({ operation: 'load', array: ring.words, index: ring.slots[0].base + STOP, nth: 7 });
    const copying = engine.copy(to, from, { signal: controller.signal });
    await look.held();
    controller.abort(reason);
    look.go();
    const error = await errorOf(() => copying);
    expect(error).toMatchObject({ name: 'AbortError', cause: reason });
    expect(error).toMatchObject({ result: { bytes: 6 * PIECE, items: 0, failed: [{ index: 0, code: 'ECANCELED' }] } });
    expect(isSame(to.subarray(0, 6 * PIECE), from.subarray(0, 6 * PIECE))).toBe(true);
    expect(isAll(to.subarray(6 * PIECE), 0)).toBe(true);
  });

  it('is heard between two units of the walker', async () => {
    using holds = holdThreads();
    const options = { caller: 'waits', threads: 1, memory: '128M' } as const;
    await using engine = await CopyEngine.create(options);
    const ring = openRing(engine.memory.buffer, RING);
    const [to, from] = [engine.allocate(40 * MiB), engine.allocate(40 * MiB)];
    fillRandom(from, 6);
    const controller = new AbortController();
    // The worker stops before it claims its fourth unit: three of 1 MiB are copied.
    using claim = holds.at({ operation: 'compareExchange', array: ring.words, value: 1, nth: 4 });
    const copying = engine.copy(to, from, { signal: controller.signal });
    await claim.held();
    controller.abort();
    claim.go();
    expect(await errorOf(() => copying)).toMatchObject({ name: 'AbortError', result: { bytes: 3 * MiB, items: 0 } });
    expect(isSame(to.subarray(0, 3 * MiB), from.subarray(0, 3 * MiB))).toBe(true);
    expect(to.subarray(3 * MiB).every((byte) => byte === 0)).toBe(true);
  });
});

it('the reason of a timeout is the cause', async () => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
  const signal = AbortSignal.timeout(1);
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  const error = await errorOf(() => engine.copy(to, from, { signal }));
  expect(error).toMatchObject({ name: 'AbortError', cause: { name: 'TimeoutError' } });
});
