import { CopyEngine, GiB, PAGE_SIZE } from 'mtcopy';
import { expect, it } from 'vitest';
import { createCutter } from '#src/copy/batch/cut-jobs.js';
import { batchOf } from '../../support/batches.js';
import { bytesOf, fillRandom } from '../../support/bytes.js';

const DYNAMIC = { isStatic: false, distribution: 'auto', unitBytes: 'auto' } as const;

const room = (count: number) => ({
  descriptors: new Float64Array(count * 3),
  source: new Uint32Array(count),
  lists: new Int32Array(66),
});

it('one item, however large, fits a job: its pieces grow', () => {
  const items = { to: Float64Array.of(0), from: Float64Array.of(2 ** 45), bytes: Float64Array.of(100 * GiB) };
  const target = room(8192);
  const { count, next, units } = createCutter(batchOf(items), DYNAMIC).cut(target, 0, 2);
  expect(next).toBe(1);
  expect(units).toBeGreaterThan(32);
  let end = 0;
  for (let i = 0; i < count; i++) {
    expect(target.descriptors[i * 3]).toBe(end);
    end += target.descriptors[i * 3 + 2];
  }
  expect(end).toBe(100 * GiB);
});

it('neighbours that merge into a few descriptors are looked at some at a time', () => {
  const at = (base: number) => Float64Array.from({ length: 100_000 }, (_, i) => base + i * 1024);
  const items = { to: at(0), from: at(2 ** 32), bytes: new Float64Array(100_000).fill(1024) };
  const cutter = createCutter(batchOf(items), DYNAMIC);
  for (let first = 0, jobs = 0; first < 100_000; jobs++) {
    const { next } = cutter.cut(room(8192), first, 2);
    expect(next - first).toBeLessThanOrEqual(32_768);
    expect(next).toBeGreaterThan(first);
    expect(jobs).toBeLessThan(10);
    first = next;
  }
});

it('items at the ends of buffers that lie side by side on the line are not one', async () => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M', minParallelBytes: 0 });
  const views = [1, 2, 3, 4].map(() => new Uint8Array(new SharedArrayBuffer(2 * PAGE_SIZE)));
  for (const [seed, view] of views.entries()) fillRandom(view, seed);
  const [c, d, a, b] = views;
  const last = (view: Uint8Array) => view.subarray(-100);
  const first = (view: Uint8Array) => view.subarray(0, 100);
  // The first two only have the buffers placed in this order; the others would be one range of c and d, from a and b.
  const pairs = [
    { to: c.subarray(200, 300), from: d.subarray(500, 600) },
    { to: a.subarray(200, 300), from: b.subarray(500, 600) },
    { to: last(c), from: last(a) },
    { to: first(d), from: first(b) },
  ];
  expect(await engine.copyBatch(pairs)).toMatchObject({ bytes: 400, failed: [] });
  for (const { to, from } of pairs) expect(bytesOf(to)).toEqual(bytesOf(from));
});
