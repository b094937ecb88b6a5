import { CopyEngine, type CopyItems, type CopyResult, KiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { openLists } from '#src/copy/batch/lists.js';
import { runTrusted } from '#src/copy/engine.js';
import { seededRandom, shuffle } from '#src/random.js';
import { fillRandom } from '../support/bytes.js';
import { errorOf } from '../support/errors.js';

/* Calls at the same time, each with lists long enough to be kept for others, in memory of its own. */

const CALLS = 6;
const ROUNDS = 8;
/** So many that they are put in order too. */
const ITEMS = 20_000;
const BYTES = 48;

function itemsOf(to: Uint8Array, from: Uint8Array, seed: number): CopyItems {
  const places = (view: Uint8Array, base: number) =>
    shuffle(
      Uint32Array.from({ length: ITEMS }, (_, i) => i),
      seededRandom(base),
    ).map((i) => view.byteOffset + i * BYTES);
  return { to: places(to, seed), from: places(from, seed + 1000), bytes: new Uint32Array(ITEMS).fill(BYTES) };
}

/** Items of which not all bytes are where they belong. */
function wrongOf(bytes: Uint8Array, { to, from }: CopyItems): number[] {
  const wrong: number[] = [];
  for (let i = 0; i < ITEMS; i++) {
    const one = Buffer.from(bytes.buffer as unknown as ArrayBuffer, to[i], BYTES);
    if (!one.equals(Buffer.from(bytes.buffer as unknown as ArrayBuffer, from[i], BYTES))) wrong.push(i);
  }
  return wrong;
}

const failedOf = ({ failed }: CopyResult) => failed.map(({ index }) => index);

// First: nothing else is kept yet.
it('a call of a migrator gives back the arrays that it took', async () => {
  await using engine = await CopyEngine.create({ memory: '64M', threads: 1, minParallelBytes: 0 });
  const [to, from] = [engine.allocate(ITEMS * BYTES), engine.allocate(ITEMS * BYTES)];
  fillRandom(from, 1);
  const items = itemsOf(to, from, 1);
  const takeOne = () => {
    const lists = openLists();
    const { buffer } = lists.words(ITEMS);
    lists.release();
    return buffer;
  };
  const kept = takeOne();
  expect(takeOne() === kept).toBe(true);
  await runTrusted(engine, { kind: 'copy' }, items, 'waits', 'cached');
  expect(wrongOf(engine.memory.bytes, items)).toEqual([]);
  expect(takeOne() === kept).toBe(true);
});

it(`${CALLS} calls at once, of items and of pairs, over and over, copy their own items, and tell of their own failures`, async () => {
  await using engine = await CopyEngine.create({ memory: '64M', threads: 2, minParallelBytes: 0 });
  const { memory } = engine;
  const calls = Array.from({ length: CALLS }, (_, call) => {
    const [to, from] = [engine.allocate(ITEMS * BYTES), engine.allocate(ITEMS * BYTES)];
    fillRandom(from, call + 1);
    return { to, from };
  });
  // Its items from there are left out of one call, by their positions in it.
  memory.poison(Math.floor(calls[2].from.byteOffset / (4 * KiB)) + 3);
  let copied = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const { to } of calls) to.fill(0);
    const lists = calls.map(({ to, from }, call) => itemsOf(to, from, round * CALLS + call));
    const aborter = new AbortController();
    const promises = lists.map((items, call) => {
      if (call === 0) return errorOf(() => engine.copyBatch(items, { signal: aborter.signal }));
      if (call % 2 === 0) return engine.copyBatch(items);
      const view = (address: number) => new Uint8Array(memory.buffer, address, BYTES);
      return engine.copyBatch(Array.from(items.to, (to, i) => ({ to: view(to), from: view(items.from[i]) })));
    });
    setImmediate(() => aborter.abort());
    const results = (await Promise.all(promises)) as CopyResult[];
    const aborted = (results[0] as unknown as { result?: CopyResult }).result;
    for (const [call, items] of lists.entries()) {
      const result = call === 0 ? (aborted ?? results[0]) : results[call];
      const failed = new Set(call === 0 && !aborted ? [] : failedOf(result));
      // An item that failed may have been copied in part.
      expect(wrongOf(memory.bytes, items).filter((i) => !failed.has(i))).toEqual([]);
      copied += ITEMS - failed.size;
      if (call === 0) continue;
      expect(failed.size > 0).toBe(call === 2);
      for (const i of failed) expect(memory.isPoisoned(items.from[i], BYTES)).toBe(true);
      expect(result.failed.every(({ code }) => code === 'EHWPOISON')).toBe(true);
    }
  }
  expect(copied).toBeGreaterThan((CALLS - 1) * ROUNDS * (ITEMS - 200));
});
