import { CopyEngine, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';

/** The same bytes by another SharedArrayBuffer object, as a view has that comes back from another thread. */
const comeBack = (view: Uint8Array) => structuredClone(view) as Uint8Array<SharedArrayBuffer>;

describe('a view that came back from another thread', () => {
  let engine: CopyEngine;
  beforeAll(async () => {
    engine = await CopyEngine.create({ threads: 2, memory: '16M', minParallelBytes: 0 });
  });
  afterAll(() => engine.close());

  /** Every way of calling for one pair. */
  const calls = (to: Uint8Array, from: Uint8Array) => [
    () => engine.copy(to, from),
    () => engine.copySync(to, from),
    () => engine.copyBatch([{ to, from }]),
    () => engine.copyBatchSync([{ to, from }]),
  ];

  it('is on the memory of the engine: its ranges overlap those of other views', async () => {
    const view = engine.allocate(MiB);
    fillRandom(view, 1);
    const again = comeBack(view);
    expect(again.buffer).not.toBe(view.buffer);
    for (const [to, from] of [
      [view.subarray(0, 5000), again.subarray(4999, 9999)],
      [again.subarray(0, 5000), view.subarray(4999, 9999)],
      [again.subarray(0, 5000), comeBack(view).subarray(4999, 9999)],
    ]) {
      const before = view.slice();
      for (const call of calls(to, from)) {
        expect(await errorOf(call)).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('overlaps') });
      }
      expect(isSame(view, before)).toBe(true);
    }
    const pairs = [
      { to: view.subarray(0, 100), from: view.subarray(1000, 1100) },
      { to: again.subarray(50, 150), from: view.subarray(2000, 2100) },
    ];
    const error = await errorOf(() => engine.copyBatch(pairs));
    expect(error).toMatchObject({ message: expect.stringContaining('to of item 1 overlaps to of item 0') });
  });

  it('cannot reach what is reserved', async () => {
    const all = comeBack(new Uint8Array(engine.memory.buffer));
    const view = engine.allocate(PAGE_SIZE);
    const reserved = all.subarray(2 * PAGE_SIZE, 3 * PAGE_SIZE);
    for (const call of [...calls(reserved, view), ...calls(view, reserved)]) {
      expect(await errorOf(call)).toMatchObject({ code: 'EFAULT' });
    }
  });

  it('meets poison', async () => {
    const [to, from] = [engine.allocate(MiB), comeBack(engine.allocate(MiB))];
    fillRandom(from, 2);
    const pfn = from.byteOffset / PAGE_SIZE + 7;
    engine.memory.poison(pfn);
    const [copy, copySync, copyBatch, copyBatchSync] = calls(to, from);
    for (const call of [copy, copySync]) expect(await errorOf(call)).toMatchObject({ code: 'EHWPOISON' });
    for (const call of [copyBatch, copyBatchSync]) {
      expect(await call()).toMatchObject({ failed: [{ index: 0, code: 'EHWPOISON' }] });
    }
    engine.memory.unpoison(pfn);
    for (const call of calls(to, from)) {
      to.fill(0);
      expect(await call()).toMatchObject({ bytes: MiB, failed: [] });
      expect(isSame(to, from)).toBe(true);
    }
  });

  it("is copied by the engine's own method", async () => {
    await using strict = await CopyEngine.create({ memory: engine.memory, threads: 1, method: 'memory.copy' });
    const [to, from] = [comeBack(strict.allocate(MiB)), comeBack(strict.allocate(MiB))];
    fillRandom(from, 3);
    for (const call of [() => strict.copy(to, from), () => strict.copyBatchSync([{ to, from }])]) {
      to.fill(0);
      expect(await call()).toMatchObject({ bytes: MiB });
      expect(isSame(to, from)).toBe(true);
    }
  });

  it('can be freed, once', () => {
    const view = engine.allocate(3 * PAGE_SIZE);
    engine.free(comeBack(view));
    expect(() => engine.free(view)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => engine.free(comeBack(view))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

it('another buffer of the same length is another memory, whatever it holds', async () => {
  const memory = PhysicalMemory.create({ nodes: ['8M'] });
  await using engine = await CopyEngine.create({ memory, threads: 1 });
  const own = engine.allocate(PAGE_SIZE);
  fillRandom(own, 4);
  // A snapshot of everything, with whatever the engine could know its memory by.
  const other = new SharedArrayBuffer(memory.buffer.byteLength);
  new Uint8Array(other).set(memory.bytes);
  const view = new Uint8Array(other, own.byteOffset, PAGE_SIZE);
  view.fill(9);
  expect(await engine.copy(own, view)).toMatchObject({ bytes: PAGE_SIZE });
  expect(own.every((byte) => byte === 9)).toBe(true);
  expect(() => engine.free(view)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});
