import { Worker } from 'node:worker_threads';
import { KiB, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { openNative } from '#src/copy/streaming.js';
import { Memory } from '#src/wasm.js';
import { HAS_NATIVE } from '../../support/native.js';

/** Rounds in which another thread copies the same list, each time other bytes. */
const ROUNDS = 10_000;
/** A group and a little more: what is noted first is noted while the rest is copied. */
const ITEMS = 14;
const ITEM = 24 * KiB;
const LIST = 64 * KiB;
const TO = MiB;
const FROM = 2 * MiB;
/** Where the stop word is. In every other round an item says stop there, another one each time: the list is cut short behind it. */
const STOP = 128;
const stopAt = (round: number) => (round % 2 === 1 ? (round >> 1) % ITEMS : ITEMS);
/** The word that says which round it is. */
const ROUND = 16;

/** Writes the round's number where each source ends, and says which it is before it copies. */
const COPIER = `
  const { buffer, path } = require('node:worker_threads').workerData;
  const loaded = { exports: {} };
  process.dlopen(loaded, path);
  const memory = new Uint8Array(buffer);
  const words = new Uint32Array(buffer);
  const end = ${LIST + ITEMS * 12};
  let idle = 0;
  for (let round = 1; round <= ${ROUNDS}; round++) {
    const stop = round % 2 === 1 ? (round >> 1) % ${ITEMS} : ${ITEMS};
    for (let i = 0; i < ${ITEMS}; i++) {
      words[${(FROM + ITEM) / 4 - 1} + i * ${ITEM / 4}] = round;
      words.set([${TO} + i * ${ITEM}, ${FROM} + i * ${ITEM}, ${ITEM}], ${LIST / 4} + i * 3);
    }
    if (stop < ${ITEMS}) words.set([${STOP}, ${FROM + ITEM - 4} + stop * ${ITEM}, 4], ${LIST / 4} + stop * 3);
    Atomics.store(words, ${STOP / 4}, 0);
    Atomics.store(words, ${ROUND}, round);
    if (loaded.exports.walk(memory, ${LIST}, end, ${STOP}, 4096, 256, 2 ** 32 - 1) !== end) throw new Error('not copied');
    // What was noted can be looked at for a moment.
    for (let i = 0; i < 2000; i++) idle ^= memory[i];
  }
  Atomics.store(words, ${ROUND}, -1);
`;

it.runIf(HAS_NATIVE)('bytes that a list says are copied are there, as another thread sees it', async () => {
  const { buffer } = new Memory({ initial: 64, maximum: 64, shared: true });
  const words = new Uint32Array(buffer);
  const worker = new Worker(COPIER, { eval: true, workerData: { buffer, path: openNative().path } });
  const ended = new Promise<unknown>((resolve) => worker.once('exit', resolve).once('error', resolve));
  const left = (i: number) => Atomics.load(words, LIST / 4 + i * 3 + 2);
  /** The item that was noted last: its bytes are the newest. */
  const newest = () => {
    let i = ITEMS - 1;
    while (i >= 0 && left(i) !== 0) i--;
    return i;
  };
  let seen = 0;
  let cut = 0;
  const wrong: string[] = [];
  for (let round = 0; round !== 2 ** 32 - 1; round = Atomics.load(words, ROUND)) {
    if (round === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const last = newest();
    const stop = stopAt(round);
    // The item that has said stop has no bytes of its own: those before it are the newest.
    const i = last === stop ? last - 1 : last;
    if (i < 0) continue;
    const there = Atomics.load(words, (TO + (i + 1) * ITEM) / 4 - 1);
    // Both of one round: none has begun in between.
    if (round === 0 || Atomics.load(words, ROUND) !== round) continue;
    seen++;
    if (last === stop) cut++;
    if (there !== round) wrong.push(`item ${i} of round ${round} has what round ${there} copied`);
  }
  expect(await ended).toBe(0);
  console.info(
    `${seen} times bytes were said to be copied, ${cut} of them by a list that was cut short, in ${ROUNDS} rounds`,
  );
  expect(wrong).toEqual([]);
  expect(Math.min(seen - cut, cut)).toBeGreaterThan(0);
});
