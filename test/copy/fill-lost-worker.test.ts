import { CopyEngine, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { FOUND, openRing } from '#src/copy/worker/job-ring.js';
import { isAll } from '../support/bytes.js';
import { holdThreads, raceHeld } from '../support/holds.js';
import { MANNERS } from '../support/manners.js';
import { METHODS } from '../support/native.js';
import { spin, watchWorkers } from '../support/threads.js';

const BYTES = 24 * MiB + 5;
const ROUNDS = 5;

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;

describe.each(MANNERS)('a worker dies: $schedule, $caller,', (manner) => {
  it.each(METHODS)('%s: what it left is filled, and compared', async (method) => {
    using workers = watchWorkers();
    const options = { ...manner, method, threads: 3, memory: '64M', minParallelBytes: 0 } as const;
    await using engine = await CopyEngine.create(options);
    const [a, b] = [engine.allocate(BYTES), engine.allocate(BYTES)];
    const killOne = () => {
      spin(Math.random());
      const [victim] = workers.alive;
      return victim?.terminate();
    };
    for (let round = 1; round <= ROUNDS; round++) {
      const filling = engine.fill(a, round);
      const end = killOne();
      expect(await filling).toMatchObject({ bytes: BYTES, items: 1, failed: [] });
      expect(isAll(a, round)).toBe(true);
      await end;
      engine.fillSync(b, round);
      const first = Math.floor((BYTES * round) / (ROUNDS + 1));
      for (let at = first; at < BYTES; at += MiB) b[at] = 0;
      const comparing = engine.compare(a, b);
      const secondEnd = killOne();
      expect(await comparing).toBe(first);
      await secondEnd;
      expect(engine.compareSync(a, b)).toBe(first);
    }
  });
});

it.each(['dynamic', 'static'] as const)(
  'one that dies before it can say what it has found loses no difference: %s',
  async (schedule) => {
    using holds = holdThreads();
    const options = { schedule, method: 'typed-array', caller: 'waits', threads: 2, memory: '64M' } as const;
    await using engine = await CopyEngine.create(options);
    const ring = openRing(engine.memory.buffer, RING);
    const [a, b] = [engine.allocate(BYTES), engine.allocate(BYTES)];
    const first = 3 * MiB + 7;
    b[first] = 1;
    let died = 0;
    for (const when of ['before', 'after'] as const) {
      using hold = holds.at({
        operation: 'compareExchange',
        array: ring.words,
        index: ring.slots[0].base + FOUND,
        when,
      });
      const comparing = engine.compare(a, b);
      if (await raceHeld(hold, comparing)) {
        await hold.end();
        died++;
      }
      expect(await comparing).toBe(first);
      await engine.ready();
    }
    expect(died).toBe(2);
  },
);
