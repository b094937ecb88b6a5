import { PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { DmaEngine } from '#src/dma/engine.js';
import { SEQUENCE_MASK } from '#src/dma/worker/ring.js';
import { errnoName } from '#src/errno.js';
import { at } from '../support/dma.js';
import { errno } from '../support/errors.js';

const memory = PhysicalMemory.create({ nodes: ['16M'] });
const [to, from] = memory.allocFolios(2, 4).map((pfn) => pfn * 4096);

async function open(options: object = {}) {
  const engine = await DmaEngine.create({ memory, ...options });
  return { engine, channel: engine.request(), [Symbol.asyncDispose]: () => engine.close() };
}

it('are in progress until they are complete, and failed ones are known', async () => {
  await using made = await open();
  const { engine, channel } = made;
  engine.faults = { descriptor: () => 'read' };
  const failed = channel.submit(channel.prepMemcpy(to, from, 4096));
  engine.faults = undefined;
  const good = channel.submit(channel.prepMemcpy(to, from, 4096, true));
  expect([failed, good].map((cookie) => channel.txStatus(cookie))).toEqual(['DMA_IN_PROGRESS', 'DMA_IN_PROGRESS']);
  expect(channel.poll()).toBe(0);
  channel.issuePending();
  while (channel.inFlight > 0) await channel.completions(10_000);
  expect([failed, good].map((cookie) => channel.txStatus(cookie))).toEqual(['DMA_ERROR', 'DMA_COMPLETE']);
});

it('are not begun before they are issued', async () => {
  await using made = await open();
  const { channel } = made;
  await channel.ready();
  channel.submit(channel.prepMemcpy(to, from, 4096, true));
  channel.issuePending();
  const second = channel.submit(channel.prepMemcpy(to, from, 4096, true));
  while (channel.inFlight > 1) await channel.completions(10_000);
  expect(await channel.completions(20)).toBe(false);
  expect(channel.txStatus(second)).toBe('DMA_IN_PROGRESS');
  channel.issuePending();
  expect(await channel.completions(10_000)).toBe(true);
});

it('are refused while the queue is full, and taken once there is room', async () => {
  await using made = await open({ queueDepth: 3 });
  const { channel } = made;
  let complete = 0;
  const submitted = new Set<number>();
  for (let i = 0; i < 50; i++) {
    let prepared = channel.prepMemcpy(to + i, from + i, 1, false, () => complete++);
    while (prepared === 0) {
      expect(channel.inFlight).toBe(3);
      channel.issuePending();
      await channel.completions(10_000);
      prepared = channel.prepMemcpy(to + i, from + i, 1, false, () => complete++);
    }
    submitted.add(channel.submit(prepared));
  }
  channel.issuePending();
  while (channel.inFlight > 0) expect(await channel.completions(10_000)).toBe(true);
  expect([complete, submitted.size]).toEqual([50, 50]);
});

it('keep their cookies apart where those begin anew', async () => {
  await using made = await open({ device: 'dsa', queueDepth: 5, firstSequence: SEQUENCE_MASK - 9 });
  const { channel } = made;
  const cookies: number[] = [];
  const called: number[] = [];
  at(memory, to, 64).fill(0);
  at(memory, from, 64).fill(9);
  for (let i = 0; i < 40; i++) {
    const cookie = channel.submit(channel.prepMemcpy(to + i, from + i, 1, true, (done) => called.push(done)));
    cookies.push(cookie);
    expect(channel.txStatus(cookie)).toBe('DMA_IN_PROGRESS');
    channel.issuePending();
    if (channel.room === 0) while (channel.inFlight > 0) await channel.completions(10_000);
  }
  expect(cookies.slice(8, 12)).toEqual([SEQUENCE_MASK, SEQUENCE_MASK + 1, 1, 2]);
  expect(called.toSorted((a, b) => a - b)).toEqual(cookies.toSorted((a, b) => a - b));
  expect(at(memory, to, 64)).toEqual(new Uint8Array(64).fill(9, 0, 40));
  for (const cookie of cookies) expect(channel.txStatus(cookie)).toBe('DMA_COMPLETE');
  expect(() => channel.txStatus(31)).toThrow(errno('EINVAL'));
});

it('are submitted once, and only the one that was prepared last', async () => {
  await using made = await open();
  const { channel } = made;
  expect(() => channel.submit(1)).toThrow(errno('EINVAL'));
  const calls: string[] = [];
  channel.prepMemcpy(to, from, 4096, true, () => calls.push('dropped'));
  const prepared = channel.prepMemcpy(to, from, 64, true, () => calls.push('kept'));
  expect(() => channel.submit(prepared + 1)).toThrow(errno('EINVAL'));
  channel.submit(prepared);
  expect(() => channel.submit(prepared)).toThrow(errno('EINVAL'));
  channel.issuePending();
  await channel.completions(10_000);
  expect(calls).toEqual(['kept']);
});

it('must be ranges of 32 bits', async () => {
  await using made = await open();
  for (const [target, source, bytes] of [
    [-1, from, 1],
    [to, 2 ** 32, 1],
    [to, from, 0],
    [to, from, 1.5],
    [Number.NaN, from, 1],
  ]) {
    expect(() => made.channel.prepMemcpy(target, source, bytes)).toThrow(errno('EINVAL'));
  }
});

it('say what went wrong with them', async () => {
  await using made = await open();
  const { engine, channel } = made;
  const outcomes: [number, string | undefined][] = [];
  const run = async (source: number, target = to) => {
    const note = (_: number, result: number, code: number) => outcomes.push([result, errnoName(code)]);
    channel.submit(channel.prepMemcpy(target, source, 8192, true, note));
    channel.issuePending();
    await channel.completions(10_000);
  };
  const before = at(memory, to, 8192).slice();
  at(memory, from, 8192).fill(77);
  memory.poison(from / 4096 + 1);
  await run(from);
  memory.unpoison(from / 4096 + 1);
  await run(4096);
  await run(from, 4096);
  await run(2 ** 32 - 4096);
  for (const fault of ['read', 'write', 'abort'] as const) {
    engine.faults = { descriptor: () => fault };
    await run(from);
  }
  expect(outcomes).toEqual([
    [1, 'EHWPOISON'],
    [1, 'EFAULT'],
    [2, 'EFAULT'],
    [1, 'EFAULT'],
    [1, 'EIO'],
    [2, 'EIO'],
    [3, 'EIO'],
  ]);
  expect(at(memory, to, 8192)).toEqual(before);
});

describe('that are terminated', () => {
  it.each(['none', 'silence'] as const)('are called back as aborted, and the channel goes on: %s', async (fault) => {
    await using made = await open();
    const { engine, channel } = made;
    const results: number[] = [];
    const submit = () => channel.submit(channel.prepMemcpy(to, from, 4096, true, (_, result) => results.push(result)));
    engine.faults = { descriptor: () => fault };
    await channel.ready();
    if (fault === 'silence') {
      submit();
      channel.issuePending();
    }
    submit();
    const last = submit();
    channel.prepMemcpy(to, from, 4096);
    await channel.terminate();
    expect(results).toEqual(fault === 'silence' ? [3, 3, 3] : [3, 3]);
    expect(channel.txStatus(last)).toBe('DMA_ERROR');
    expect(channel.inFlight).toBe(0);
    engine.faults = undefined;
    results.length = 0;
    at(memory, from).fill(123);
    submit();
    channel.issuePending();
    await channel.completions(10_000);
    expect(results).toEqual([0]);
    expect(at(memory, to)[4095]).toBe(123);
  });

  it('and were only submitted are never copied', async () => {
    await using made = await open();
    const { channel } = made;
    await channel.ready();
    at(memory, to).fill(1);
    at(memory, from).fill(2);
    channel.submit(channel.prepMemcpy(to, from, 4096));
    await channel.terminate();
    channel.submit(channel.prepMemcpy(to + 4096, from, 4096, true));
    channel.issuePending();
    await channel.completions(10_000);
    expect(at(memory, to)[0]).toBe(1);
    expect(at(memory, to + 4096)[0]).toBe(2);
  });
});
