import { setImmediate as turn } from 'node:timers/promises';
import { CopyEngine, type CopyItems, KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createBatch } from '#src/copy/batch/batch.js';
import { createCutter } from '#src/copy/batch/cut-jobs.js';
import { createCopyItems } from '#src/copy/batch/items.js';
import type { EngineMemory } from '#src/copy/batch/line.js';
import { openLists } from '#src/copy/batch/lists.js';
import { hasTurn, inTurns } from '#src/copy/turns.js';
import { seededRandom, shuffle } from '#src/random.js';
import { type Steps, takeAll } from '#src/steps.js';
import { holdThreads } from '../support/holds.js';
import { spin } from '../support/threads.js';

const DYNAMIC = { isStatic: false, distribution: 'auto', unitBytes: 'auto' } as const;

/** So many steps, each of which takes the time of a fifth of a turn's share; they note the turn they had. */
function* steps(count: number, turns: number[], current: () => number): Steps<string> {
  for (let step = 0; step < count; step++) {
    turns.push(current());
    spin(0.1);
    yield;
  }
  return 'done';
}

/** Counts turns of the event loop until it is disposed of. */
function countTurns() {
  let turns = 0;
  let isOver = false;
  const next = () => {
    turns++;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  return {
    current: () => turns,
    [Symbol.dispose]: () => {
      isOver = true;
    },
  };
}

/** How many of the numbers are the same, at most. */
function most(turns: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const at of turns) counts.set(at, (counts.get(at) ?? 0) + 1);
  return Math.max(...counts.values());
}

describe('steps', () => {
  it('are taken at once while a turn has time, and else in turns to come', async () => {
    await turn();
    expect(inTurns(steps(0, [], () => 0))).toBe('done');
    await turn();
    using counter = countTurns();
    const turns: number[] = [];
    expect(await inTurns(steps(60, turns, counter.current))).toBe('done');
    expect(turns).toHaveLength(60);
    // Five fill a turn's share; a thread that loses its core has fewer. The first begins in a turn that is under way.
    expect(most(turns)).toBeLessThanOrEqual(6);
  });

  it('of many calls share one turn, and take turns', async () => {
    await turn();
    using counter = countTurns();
    const turns: number[] = [];
    const ends: number[] = [];
    const calls = Array.from({ length: 20 }, async (_, call) => {
      await inTurns(steps(call === 0 ? 60 : 3, turns, counter.current));
      ends.push(call);
    });
    expect(hasTurn()).toBe(false);
    await Promise.all(calls);
    expect(turns).toHaveLength(60 + 19 * 3);
    expect(most(turns)).toBeLessThanOrEqual(6);
    // The long one lets the others go first.
    expect(ends.at(-1)).toBe(0);
  });

  it('that throw reject, at once or later, and hold nobody up', async () => {
    await turn();
    const fail = function* (after: number): Steps<never> {
      for (let step = 0; step < after; step++) {
        spin(0.1);
        yield;
      }
      throw new Error(`after ${after}`);
    };
    expect(() => inTurns(fail(0))).toThrow('after 0');
    const late = Promise.resolve(inTurns(fail(20)));
    const other = inTurns(steps(10, [], () => 0));
    await expect(late).rejects.toThrow('after 20');
    expect(await other).toBe('done');
  });
});

/** Pages or parts of them, each in its own place, in any order; those of odd sizes are checked by sorting them. */
function items(count: number, bytes: number): CopyItems {
  const places = (seed: number) =>
    shuffle(
      Uint32Array.from({ length: count }, (_, i) => i),
      seededRandom(seed),
    );
  const all = createCopyItems(count);
  for (const [i, place] of places(1).entries()) all.to[i] = place * bytes;
  // Reads and writes lie between one another, so that nothing is known of them by their ends.
  for (const [i, place] of places(2).entries()) all.from[i] = (count + place) * bytes;
  all.to[0] = 2 * count * bytes;
  all.bytes.fill(bytes);
  return all;
}

const ANYWHERE: EngineMemory = {
  buffer: new SharedArrayBuffer(0),
  is: () => false,
  holds: (address, bytes) => address + bytes < 2 ** 32,
  isPoisoned: () => false,
  describe: () => '',
};

function count(all: Steps<unknown>): number {
  let yields = 0;
  while (!all.next().done) yields++;
  return yields;
}

describe('a batch of 100,000 items', () => {
  const COUNT = 100_000;
  it.each([
    ['pages', items(COUNT, 4096), 3],
    ['other sizes, which are sorted', items(COUNT, 1000), 3 + 8],
    ['addresses that must be looked at one by one', { ...items(COUNT, 4096), bytes: items(COUNT, 4095).bytes }, 3],
  ] as const)('is checked some thousand at a time: %s', (_, batch, passes) => {
    const rules = { memory: ANYWHERE, method: 'auto' } as const;
    expect(count(createBatch(rules, batch, openLists()))).toBeGreaterThanOrEqual((passes * COUNT) / 8192);
  });

  it('of pairs is read 512 at a time', () => {
    const buffer = new SharedArrayBuffer(2 * COUNT);
    const pairs = Array.from({ length: COUNT }, (_, i) => ({
      to: new Uint8Array(buffer, i, 1),
      from: new Uint8Array(buffer, COUNT + i, 1),
    }));
    expect(count(createBatch({ memory: ANYWHERE, method: 'auto' }, pairs, openLists()))).toBeGreaterThanOrEqual(
      COUNT / 512,
    );
  });

  it('is ordered some thousand at a time', () => {
    const batch = takeAll(createBatch({ memory: ANYWHERE, method: 'auto' }, items(COUNT, 4096), openLists()));
    expect(count(createCutter(batch, DYNAMIC).prepare(1))).toBeGreaterThanOrEqual((2 * COUNT) / 8192);
  });
});

it('100,000 pairs are looked at over many turns of the event loop, and eight calls share them', async () => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const view = engine.allocate(4 * MiB);
  using counter = countTurns();
  const turns: number[] = [];
  const pair = (i: number) => ({
    get to() {
      turns.push(counter.current());
      return view.subarray(i, i + 1);
    },
    from: view.subarray(2 * MiB + i, 2 * MiB + i + 1),
  });
  const pairs = Array.from({ length: 100_000 }, (_, i) => pair(i));
  const calls = Array.from({ length: 8 }, () => engine.copyBatch(pairs));
  await Promise.all(calls);
  expect(turns.length).toBeGreaterThanOrEqual(8 * pairs.length);
  // Half a millisecond has time for 20,000 at the very best; without turns it would be all 800,000.
  expect(most(turns)).toBeLessThan(40_000);
});

it('taking a list over is part of the share of the turn in which the call is made', async () => {
  await using engine = await CopyEngine.create({ threads: 1, memory: '16M' });
  const view = engine.allocate(2);
  let reads = 0;
  const pair = {
    get to() {
      reads++;
      return view.subarray(0, 1);
    },
    from: view.subarray(1),
  };
  const slow = new Proxy([pair], {
    get(list, key, receiver) {
      if (key === '0') spin(2);
      return Reflect.get(list, key, receiver);
    },
  });
  await turn();
  const copying = engine.copyBatch(slow);
  expect(reads).toBe(0);
  await copying;
  expect(reads).toBe(1);
});

it('calls of several engines share one turn', async () => {
  const STEP = 512;
  const open = () => CopyEngine.create({ threads: 1, memory: '1M' });
  await using first = await open();
  await using second = await open();
  await using third = await open();
  await using fourth = await open();
  await turn();
  using counter = countTurns();
  const turns: number[] = [];
  const copy = (engine: CopyEngine) => {
    const view = engine.allocate(40 * STEP);
    const pair = (i: number) => ({
      get to() {
        // A step takes longer than the share of a turn, however fast the machine is.
        if (i % STEP === 0) {
          turns.push(counter.current());
          spin(0.6);
        }
        return view.subarray(i, i + 1);
      },
      from: view.subarray(20 * STEP + i, 20 * STEP + i + 1),
    });
    return engine.copyBatch(Array.from({ length: 20 * STEP }, (_, i) => pair(i)));
  };
  await Promise.all([first, second, third, fourth].map(copy));
  expect(turns).toHaveLength(4 * 20);
  // One, and one more where the first call is made in a turn that is under way. If each engine had a share it would be four.
  expect(most(turns)).toBeLessThanOrEqual(2);
});

it('a caller that helps copies its list for a share of a turn at a time', async () => {
  using holds = holdThreads();
  const options = { schedule: 'static', caller: 'helps', threads: 1, memory: '512M' } as const;
  await using engine = await CopyEngine.create(options);
  const [to, from] = [engine.allocate(200 * MiB, { populate: true }), engine.allocate(200 * MiB)];
  from.fill(1);
  to.fill(0);
  // The worker stands before its own list, so that all that arrives is the caller's work.
  using claim = holds.at({ operation: 'compareExchange', value: 1 });
  const copying = engine.copy(to, from);
  const pieces = () => {
    let count = 0;
    for (let at = 0; at < to.length; at += 256 * KiB) count += to[at];
    return count;
  };
  const between: number[] = [];
  for (let before = pieces(); before < 400; before += between.at(-1) as number) {
    await turn();
    between.push(pieces() - before);
  }
  claim.go();
  expect(await copying).toMatchObject({ bytes: 200 * MiB, threads: 2 });
  // All at once it would be 400; the machine's best is 80 in half a millisecond.
  expect(Math.max(...between)).toBeLessThan(200);
});
