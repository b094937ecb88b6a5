import { CopyEngine, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { fillRandom, isSame } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';
import { MANNERS } from '../support/manners.js';

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

it('a misspelt option is refused, and nothing is copied', async () => {
  await using engine = await CopyEngine.create({ memory: '16M', threads: 1 });
  const [to, from] = [engine.allocate(4096), engine.allocate(4096)];
  fillRandom(from, 1);
  const error = await errorOf(() => engine.copy(to, from, { Signal: AbortSignal.abort() } as object));
  expect(error).toMatchObject({ code: 'EINVAL', message: "EINVAL: options: must be signal, helpLater, got 'Signal'" });
  expect(to.every((byte) => byte === 0)).toBe(true);
});
