import { CopyEngine, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { fillRandom, isSame, pairsOf } from '../support/bytes.js';
import { MANNERS } from '../support/manners.js';

describe('the result', () => {
  it('of a copy inline: one thread, no worker time', async () => {
    await using engine = await CopyEngine.create({ threads: 4, memory: '16M', minParallelBytes: MiB });
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    fillRandom(from, 1);
    const [small, source] = [to.subarray(0, MiB - 1), from.subarray(0, MiB - 1)];
    const inline = { bytes: MiB - 1, items: 1, failed: [], threads: 1, workerNs: 0, wallNs: expect.any(Number) };
    expect(await engine.copy(small, source)).toEqual(inline);
    expect(engine.copySync(small, source)).toEqual(inline);
    expect(engine.copyBatchSync(pairsOf(to, from, [5, 0, 7]))).toEqual({ ...inline, bytes: 12, items: 3 });
    expect(isSame(small, source)).toBe(true);
  });

  it('of nothing', async () => {
    await using engine = await CopyEngine.create({ threads: 2, memory: '16M', minParallelBytes: 0 });
    expect(await engine.copyBatch([])).toMatchObject({ bytes: 0, items: 0, failed: [], workerNs: 0 });
    const empty = engine.allocate(0);
    expect(engine.copySync(empty, engine.allocate(0))).toMatchObject({ bytes: 0, items: 1, failed: [] });
  });

  it.each(MANNERS)('of a parallel copy: $schedule, $caller', async (manner) => {
    await using engine = await CopyEngine.create({ ...manner, threads: 3, memory: '64M', minParallelBytes: 0 });
    const [to, from] = [engine.allocate(24 * MiB), engine.allocate(24 * MiB)];
    const pairs = pairsOf(to, from, new Array(24).fill(MiB));
    let workerNs = 0;
    for (let call = 0; call < 20; call++) {
      const result = call % 2 ? engine.copyBatchSync(pairs) : await engine.copyBatch(pairs);
      expect(result).toMatchObject({ bytes: 24 * MiB, items: 24, failed: [] });
      expect(result.threads).toBeGreaterThanOrEqual(1);
      // A caller that helps is one more than the workers.
      expect(result.threads).toBeLessThanOrEqual(manner.caller === 'helps' ? 4 : 3);
      expect(Number.isInteger(result.wallNs) && result.wallNs > 0).toBe(true);
      expect(Number.isInteger(result.workerNs)).toBe(true);
      if (manner.caller === 'waits') expect(result.workerNs).toBeGreaterThan(0);
      expect(result.workerNs).toBeLessThanOrEqual(result.wallNs * 3 * 1.2);
      workerNs += result.workerNs;
    }
    expect(workerNs).toBeGreaterThan(0);
    // Lists that are fixed beforehand have an owner each.
    if (manner.schedule === 'static') {
      const lists = manner.caller === 'helps' ? 4 : 3;
      for (let took = 0; took < lists; ) {
        took = (await engine.copyBatch(pairs)).threads;
        expect(took).toBeLessThanOrEqual(lists);
      }
    }
  });

  it('follows the number of threads', async () => {
    const options = { schedule: 'static', caller: 'waits', memory: '16M', minParallelBytes: 0 } as const;
    await using engine = await CopyEngine.create({ ...options, threads: 1 });
    const [to, from] = [engine.allocate(MiB), engine.allocate(MiB)];
    let before = 1;
    for (const threads of [1, 4, 2, 3]) {
      engine.threads = threads;
      expect(engine.threads).toBe(threads);
      // Those that are new join when they have started, and who comes late from one job may find no list of the next left: at
      // last there is a copy that all of them had a part in, and before none that more had.
      let took = 0;
      while (took < threads) {
        took = (await engine.copy(to, from)).threads;
        expect(took).toBeLessThanOrEqual(Math.max(threads, before));
      }
      before = threads;
    }
    engine.threads = 'auto';
    expect(engine.threads).toBeGreaterThanOrEqual(1);
  });
});
