import { CopyEngine, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { FOUND, openRing, STOP } from '#src/copy/worker/job-ring.js';
import { isAll } from '../support/bytes.js';
import { type HoldPoint, holdThreads, raceHeld } from '../support/holds.js';
import { MANNERS } from '../support/manners.js';
import { METHODS } from '../support/native.js';

const BYTES = 12 * MiB + 5;
/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
/** Calls that may be over before a worker has come to anything of theirs. */
const MOST = 200;

describe.each(MANNERS)('a worker dies: $schedule, $caller,', (manner) => {
  it.each(METHODS)('%s: what it left is filled, and compared', async (method) => {
    using holds = holdThreads();
    const options = { ...manner, method, threads: 2, memory: '64M', minParallelBytes: 0 } as const;
    await using engine = await CopyEngine.create(options);
    const { words, slots } = openRing(engine.memory.buffer, RING);
    const owners = words.subarray(slots[0].owners, slots[0].owners + 256);
    const stop = words.subarray(slots[0].base + STOP, slots[0].base + STOP + 1);
    /** In the middle of a unit, which it has begun, where the loop is one of JavaScript; else with one that it has claimed. */
    const point: HoldPoint =
      method === 'typed-array'
        ? { operation: 'load', array: stop, nth: 2 }
        : { operation: 'compareExchange', array: owners, when: 'after' };
    /** Calls until a worker has died in the middle of one, which must come to its right end as all others. */
    const dieIn = async <Result>(call: () => Promise<Result>, check: (result: Result) => void) => {
      for (let round = 0, died = false; !died; round++) {
        expect(round, 'calls that no worker has come to').toBeLessThan(MOST);
        await engine.ready();
        using hold = holds.at(point);
        const calling = call();
        died = await raceHeld(hold, calling);
        if (died) await hold.end();
        check(await calling);
      }
    };
    const [a, b] = [engine.allocate(BYTES), engine.allocate(BYTES)];
    let byte = 0;
    await dieIn(
      () => engine.fill(a, ++byte),
      (result) => {
        expect(result).toMatchObject({ bytes: BYTES, items: 1, failed: [] });
        expect(isAll(a, byte)).toBe(true);
      },
    );
    engine.fillSync(b, byte);
    const first = Math.floor(BYTES / 3);
    for (let at = first; at < BYTES; at += MiB) b[at] = 0;
    await dieIn(
      () => engine.compare(a, b),
      (found) => expect(found).toBe(first),
    );
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
