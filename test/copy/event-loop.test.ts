import { setImmediate } from 'node:timers/promises';
import { CopyEngine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { holdThreads } from '../support/holds.js';

it.each(['auto', 'waits'] as const)(
  'turns while threads copy, and an abort in a turn of it ends the copy: caller %s',
  async (caller) => {
    using holds = holdThreads();
    await using engine = await CopyEngine.create({ threads: 1, caller, memory: '128M' });
    const [to, from] = [engine.allocate(40 * MiB), engine.allocate(40 * MiB)];
    from.fill(5);
    let isOver = false;
    // The thread stops before its first unit: the call can't be over before it is let go.
    using claim = holds.at({ operation: 'compareExchange', value: 1 });
    const copying = engine.copy(to, from).finally(() => {
      isOver = true;
    });
    await claim.held();
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    expect(isOver).toBe(false);
    claim.go();
    expect((await copying).bytes).toBe(40 * MiB);
    const controller = new AbortController();
    using again = holds.at({ operation: 'compareExchange', value: 1 });
    const aborted = engine.copy(to, from, { signal: controller.signal });
    await again.held();
    controller.abort();
    again.go();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError', result: { items: 0, failed: [{ index: 0 }] } });
  },
);
