import { CopyEngine, type CopyPair, type CopyResult, KiB, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { expectCopied, fillRandom, pairsOf } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { MANNERS } from '../support/manners.js';

const CALLS = 200;
const sizeOf = (call: number) => [0, 13, 4096, 40_000, 150_001, 70 * KiB][call % 6];

/** One or several calls that copy the pairs; every fifth blocks, and is checked at once. */
function startCall(engine: CopyEngine, call: number, pairs: CopyPair[]): Promise<CopyResult>[] {
  if (call % 10 === 9) {
    const { to, from } = pairs[0];
    expect(engine.copySync(to, from).failed).toEqual([]);
    expectCopied(pairs.slice(0, 1));
    return [engine.copyBatch(pairs.slice(1))];
  }
  if (call % 10 === 4) {
    expect(engine.copyBatchSync(pairs)).toMatchObject({ items: pairs.length, failed: [] });
    expectCopied(pairs);
    return [];
  }
  return call % 2 ? [engine.copyBatch(pairs)] : pairs.map(({ to, from }) => engine.copy(to, from));
}

describe.each(MANNERS)('$schedule, $caller', (manner) => {
  it(`${CALLS} calls in flight while the number of threads changes`, async () => {
    const options = { ...manner, threads: 1, memory: '64M', minParallelBytes: 1000 };
    await using engine = await CopyEngine.create(options);
    const [to, from] = [engine.allocate(24 * MiB), engine.allocate(24 * MiB)];
    fillRandom(from, 1);
    const all = pairsOf(
      to,
      from,
      Array.from({ length: CALLS * 3 }, (_, i) => sizeOf(i >> 1)),
      3,
    );
    const calls: Promise<CopyResult>[] = [];
    for (let call = 0; call < CALLS; call++) {
      if (call === 50) engine.threads = 4;
      if (call === 120) engine.threads = 2;
      calls.push(...startCall(engine, call, all.slice(call * 3, call * 3 + 3)));
      // Some turns of the event loop in between, so that calls end and begin at any time.
      if (call % 40 === 39) await new Promise((resolve) => setImmediate(resolve));
    }
    const results = await Promise.all(calls);
    expect(results.flatMap(({ failed }) => failed)).toEqual([]);
    expectCopied(all);
    console.info(`${manner.schedule}, ${manner.caller}: ${all.length} items in ${calls.length} calls in flight`);
  });

  it('calls that wait for their turn meet fewer threads than when they came', async () => {
    await using engine = await CopyEngine.create({ ...manner, threads: 4, memory: '64M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(12 * MiB), engine.allocate(12 * MiB)];
    fillRandom(from, 2);
    const pairs = pairsOf(to, from, new Array(24).fill(400 * KiB));
    const calls = pairs.map((pair) => engine.copyBatch([pair]));
    engine.threads = 2;
    await Promise.all(calls);
    expectCopied(pairs);
    engine.threads = 1;
    await engine.copyBatch(pairs);
  });

  it('close waits for the copies in flight', async () => {
    const engine = await CopyEngine.create({ ...manner, threads: 2, memory: '64M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(20 * MiB), engine.allocate(20 * MiB)];
    fillRandom(from, 3);
    const pairs = pairsOf(to, from, new Array(40).fill(500 * KiB));
    let isOver = 0;
    const calls = pairs.map(async (pair) => {
      await engine.copyBatch([pair]);
      isOver++;
    });
    const closing = [engine.close(), engine.close()];
    expect(await errorOf(() => engine.copySync(to, from))).toMatchObject({ code: 'ESHUTDOWN' });
    await Promise.all(closing);
    expect(isOver).toBe(40);
    await Promise.all(calls);
    expectCopied(pairs);
    await engine.close();
    expect(await errorOf(() => engine.copy(to, from))).toMatchObject({ code: 'ESHUTDOWN' });
  });
});

it('copies what was asked for, although the list is changed at once', async () => {
  await using engine = await CopyEngine.create({ threads: 2, memory: '16M', minParallelBytes: 0 });
  const [to, from] = [engine.allocate(5 * MiB), engine.allocate(5 * MiB)];
  fillRandom(from, 4);
  // More than are read in the turn of the call.
  const pairs = pairsOf(to, from, new Array(50_000).fill(100));
  const list = pairs.slice();
  const copying = engine.copyBatch(list);
  list.fill({ to: from.subarray(0, 1), from: to.subarray(0, 1) });
  list.length = 7;
  expect(await copying).toMatchObject({ items: 50_000, bytes: 5_000_000, failed: [] });
  expectCopied(pairs);
});

it('more calls than there are slots: each is woken for one, over and over', async () => {
  await using engine = await CopyEngine.create({ threads: 3, caller: 'waits', memory: '16M', minParallelBytes: 0 });
  const view = () => new Uint8Array(new SharedArrayBuffer(10_000));
  for (let round = 0; round < 200; round++) {
    const pairs = Array.from({ length: 20 }, () => ({ to: view(), from: view().fill(round) }));
    const results = await Promise.all(pairs.map(({ to, from }) => engine.copy(to, from)));
    expect(results.every(({ bytes }) => bytes === 10_000)).toBe(true);
    expectCopied(pairs);
  }
});

it('copies what was asked for, although the arrays are filled anew at once', async () => {
  const memory = PhysicalMemory.create({ nodes: ['64M', '64M'] });
  await using engine = await CopyEngine.create({ memory, threads: 2, caller: 'waits', minParallelBytes: 0 });
  const address = (pfn: number) => pfn * PAGE_SIZE;
  const from = memory.allocFolios(16384, 0, { node: 0, frames: 'shuffled' }).map(address);
  const to = memory.allocFolios(16384, 0, { node: 1, frames: 'shuffled' }).map(address);
  const words = new Uint32Array(memory.buffer);
  for (const [i, start] of from.entries()) words[start / 4] = i + 1;
  // More calls than there are slots: the last ones wait while their arrays change. One's are on shared memory.
  const calls = Array.from({ length: 16 }, (_, call) => {
    const part = (all: Uint32Array) => all.slice(call * 1024, (call + 1) * 1024);
    const shared = new Uint32Array(new SharedArrayBuffer(4096));
    shared.set(part(to));
    const items = {
      to: call === 3 ? shared : part(to),
      from: part(from),
      bytes: new Uint32Array(1024).fill(PAGE_SIZE),
    };
    const copying = engine.copyBatch(items);
    items.to.fill(0);
    items.from.fill(0);
    return copying;
  });
  for (const { failed } of await Promise.all(calls)) expect(failed).toEqual([]);
  expect(to.findIndex((start, i) => words[start / 4] !== i + 1)).toBe(-1);
});
