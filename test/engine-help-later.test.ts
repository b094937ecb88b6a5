import { CopyEngine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { fillRandom, isSame, MANNERS } from './support.js';

it.each(MANNERS)(
  'what the program does after a call comes before its own share: $schedule, $caller',
  async (manner) => {
    await using engine = await CopyEngine.create({ ...manner, memory: '64M', threads: 2, minParallelBytes: 0 });
    const from = engine.allocate(16 * MiB);
    const to = engine.allocate(16 * MiB);
    for (let round = 1; round <= 20; round++) {
      fillRandom(from.subarray(0, 4096), round);
      const turns: string[] = [];
      setImmediate(() => turns.push('turn'));
      const copied = engine.copy(to, from, { helpLater: true }).then((result) => {
        turns.push('copied');
        return result;
      });
      await Promise.resolve().then(() => turns.push('microtask'));
      const { bytes, failed } = await copied;
      expect([bytes, failed]).toEqual([16 * MiB, []]);
      expect(isSame(to, from)).toBe(true);
      expect(turns).toEqual(['microtask', 'turn', 'copied']);
    }
  },
);
