import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { CopyEngine, MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { errorOf } from '../support/errors.js';
import { INDEX } from '../support/paths.js';
import { watchWorkers } from '../support/threads.js';

const sab = (bytes: number, fill = 0) => new Uint8Array(new SharedArrayBuffer(bytes)).fill(fill);

describe('an engine', () => {
  it('checks every pair of a batch that is partly in foreign memory', async () => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '16M', caller: 'waits', minParallelBytes: 0 });
    const foreign = () => ({ to: sab(64), from: sab(64, 1) });
    const wrong = [
      { to: new Uint8Array(64), from: sab(64) },
      { to: sab(64), from: sab(65) },
      { to: new Uint8Array(engine.memory.buffer, PAGE_SIZE, 64), from: sab(64) },
      null,
    ];
    for (const pair of wrong) {
      const good = foreign();
      const error = await errorOf(() => engine.copyBatch([good, pair] as never));
      expect(error).toMatchObject({ name: 'ErrnoError', message: expect.stringContaining('item 1') });
      expect(good.to.every((byte) => byte === 0)).toBe(true);
    }
  });

  it('does not hear the buffers of an engine in another thread', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData).then(async ({ CopyEngine }) => {
        const engine = await CopyEngine.create({ threads: 2, memory: '16M', caller: 'waits', minParallelBytes: 0 });
        const [to, from] = [0, 2].map((fill) => new Uint8Array(new SharedArrayBuffer(300000)).fill(fill));
        let wrong = 0;
        for (let call = 0; call < 300; call++) {
          to.fill(0);
          await engine.copy(to, from);
          if (to.includes(0)) wrong++;
        }
        await engine.close();
        parentPort.postMessage(wrong);
      });`;
    const worker = new Worker(source, { eval: true, workerData: INDEX });
    const answer = once(worker, 'message');
    await using engine = await CopyEngine.create({ threads: 2, memory: '16M', caller: 'waits', minParallelBytes: 0 });
    const [to, from] = [sab(300_000), sab(300_000, 7)];
    for (let call = 0; call < 300; call++) {
      to.fill(0);
      await engine.copy(to, from);
      expect(to.includes(0)).toBe(false);
    }
    expect((await answer)[0]).toBe(0);
  });

  it('copies between a memory of 4 GiB and a buffer of the user, in its workers', async () => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '4064M', caller: 'waits', minParallelBytes: 0 });
    const low = engine.allocate(3 * MiB);
    engine.allocate(4_040 * MiB);
    const high = engine.allocate(3 * MiB);
    const mine = sab(3 * MiB, 9);
    for (const ours of [low, high]) {
      expect(await engine.copy(ours, mine)).toMatchObject({ bytes: 3 * MiB, failed: [] });
      expect(ours.every((byte) => byte === 9)).toBe(true);
      ours.fill(4);
      expect(await engine.copy(mine, ours)).toMatchObject({ bytes: 3 * MiB, failed: [] });
      expect(mine.every((byte) => byte === 4)).toBe(true);
      mine.fill(9);
    }
  });

  it('closes while its threads are still starting', async () => {
    for (let delay = 0; delay < 40; delay += 5) {
      const engine = await CopyEngine.create({ threads: 1, memory: '1M', caller: 'waits' });
      engine.threads = 6;
      await setTimeout(delay);
      await engine.close();
    }
  });

  it('shares one signal among a hundred calls without a warning', async () => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '64M', minParallelBytes: 0 });
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const controller = new AbortController();
    const [to, from] = [engine.allocate(25 * MiB), engine.allocate(25 * MiB)];
    const part = (view: Uint8Array, call: number) => view.subarray((call * MiB) / 4, ((call + 1) * MiB) / 4);
    const calls = Array.from({ length: 100 }, (_, call) =>
      engine.copy(part(to, call), part(from, call), { signal: controller.signal }),
    );
    controller.abort();
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(50);
    await setTimeout(10);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('copies although all its threads were ended while it was parked', async () => {
    using workers = watchWorkers();
    await using engine = await CopyEngine.create({ threads: 3, memory: '16M', caller: 'waits', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(4 * MiB), engine.allocate(4 * MiB)];
    for (let round = 0; round < 3; round++) {
      from.fill(round + 1);
      await setTimeout(150);
      await Promise.all(Array.from(workers.alive, (worker) => worker.terminate()));
      expect((await engine.copy(to, from)).failed).toEqual([]);
      expect(to.every((byte) => byte === round + 1)).toBe(true);
    }
  });

  it('frees what it allocated and nothing else', async () => {
    const memory = PhysicalMemory.create({ nodes: ['16M'] });
    await using engine = await CopyEngine.create({ memory, threads: 1 });
    const view = engine.allocate(8192);
    const ring = new Uint8Array(memory.buffer, 4 * MiB, 4096);
    const other = new Uint8Array(memory.buffer, memory.allocContig(1) * PAGE_SIZE, PAGE_SIZE);
    for (const wrong of [ring, other, view.subarray(0, 5000), view.subarray(1)]) {
      expect(() => engine.free(wrong)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    }
    engine.free(view);
    expect(() => engine.free(view)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
