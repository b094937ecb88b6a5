import { CopyEngine, MiB } from 'mtcopy';
import { expect } from 'vitest';
import { openRing, STOP } from '#src/copy/worker/job-ring.js';
import { holdThreads, raceHeld } from './holds.js';
import type { MANNERS } from './manners.js';

/** Where the ring of the first engine on a memory is. */
const RING = 4 * MiB;
/** Calls that may be over before a worker has come to anything of theirs. */
const MOST = 200;

/** A call that was aborted while a worker stood between two pieces of it, if one came to that; its result, or its error. */
type Raced = (call: (signal: AbortSignal) => Promise<unknown>) => Promise<{ outcome: unknown; isHeld: boolean }>;

/**
 * Has calls aborted while a worker stands in the middle of a unit: one piece is through, and at the next it looks whether to stop.
 *
 * @param scenario makes one call by `raced`, of two views that are all 0, and answers whether a worker was held; it is run anew
 * until one was
 */
export async function inTheMiddle(
  manner: (typeof MANNERS)[number],
  scenario: (engine: CopyEngine, raced: Raced, a: Uint8Array, b: Uint8Array) => Promise<boolean>,
): Promise<void> {
  using holds = holdThreads();
  const options = { ...manner, method: 'typed-array', threads: 2, memory: '32M', minParallelBytes: 0 } as const;
  await using engine = await CopyEngine.create(options);
  const { words, slots } = openRing(engine.memory.buffer, RING);
  const raced: Raced = async (call) => {
    using hold = holds.at({ operation: 'load', array: words, index: slots[0].base + STOP, nth: 2 });
    const controller = new AbortController();
    const calling = call(controller.signal).catch((error: unknown) => error);
    const isHeld = await raceHeld(hold, calling);
    controller.abort();
    hold.go();
    return { outcome: await calling, isHeld };
  };
  const [a, b] = [engine.allocate(8 * MiB), engine.allocate(8 * MiB)];
  for (let tries = 1; !(await scenario(engine, raced, a.fill(0), b)); tries++) {
    expect(tries, 'calls that no worker has come to').toBeLessThan(MOST);
  }
}
