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
/** The last items of its two groups: 256 KiB close one. */
const LAST = [10, 13];
const LIST = 64 * KiB;
const TO = MiB;
const FROM = 2 * MiB;
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
  for (let round = 1; round <= ${ROUNDS}; round++) {
    for (let i = 0; i < ${ITEMS}; i++) {
      words[${(FROM + ITEM) / 4 - 1} + i * ${ITEM / 4}] = round;
      words.set([${TO} + i * ${ITEM}, ${FROM} + i * ${ITEM}, ${ITEM}], ${LIST / 4} + i * 3);
    }
    Atomics.store(words, ${ROUND}, round);
    if (loaded.exports.walk(memory, ${LIST}, end, 128, 4096, 256, 2 ** 32 - 1) !== end) throw new Error('not copied');
  }
  Atomics.store(words, ${ROUND}, -1);
`;

it.runIf(HAS_NATIVE)('bytes that a list says are copied are there, as another thread sees it', async () => {
  const { buffer } = new Memory({ initial: 64, maximum: 64, shared: true });
  const words = new Uint32Array(buffer);
  const worker = new Worker(COPIER, { eval: true, workerData: { buffer, path: openNative().path } });
  const ended = new Promise<unknown>((resolve) => worker.once('exit', resolve).once('error', resolve));
  const left = (i: number) => Atomics.load(words, LIST / 4 + i * 3 + 2);
  let seen = 0;
  const wrong: string[] = [];
  for (let round = 0; round !== 2 ** 32 - 1; round = Atomics.load(words, ROUND)) {
    if (round === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    // The last of each group: its bytes are the newest.
    for (const i of LAST) {
      if (left(i) !== 0) continue;
      const there = Atomics.load(words, (TO + (i + 1) * ITEM) / 4 - 1);
      // Both of one round: none has begun in between.
      if (round === 0 || Atomics.load(words, ROUND) !== round) continue;
      seen++;
      if (there !== round) wrong.push(`item ${i} of round ${round} has what round ${there} copied`);
    }
  }
  expect(await ended).toBe(0);
  console.info(`${seen} times bytes were said to be copied, in ${ROUNDS} rounds`);
  expect(wrong).toEqual([]);
  expect(seen).toBeGreaterThan(0);
});
