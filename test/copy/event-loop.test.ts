import { setImmediate } from 'node:timers/promises';
import { CopyEngine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';

it.each([
  { threads: 1, caller: 'helps' },
  { threads: 2, caller: 'helps' },
  { threads: 2, caller: 'waits' },
] as const)(
  'turns while a large copy runs, and an abort ends it: $threads threads, caller $caller',
  async (options) => {
    await using engine = await CopyEngine.create({ ...options, memory: '512M' });
    const [to, from] = [engine.allocate(240 * MiB), engine.allocate(240 * MiB)];
    from.fill(5);
    let isOver = false;
    const copying = engine.copy(to, from).finally(() => {
      isOver = true;
    });
    let turns = 0;
    for (; !isOver; turns++) await setImmediate();
    expect((await copying).failed).toEqual([]);
    expect(turns).toBeGreaterThan(5);
    const controller = new AbortController();
    const aborted = engine.copy(to, from, { signal: controller.signal });
    await setImmediate();
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError', result: { items: 0, failed: [{ index: 0 }] } });
  },
);
