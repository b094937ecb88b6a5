import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KiB, MiB } from 'mtcopy';
import { expect, it } from 'vitest';
import { createLineTables } from '#src/copy/line-tables.js';
import { openNative } from '#src/copy/streaming.js';
import { COUNT, HEADER_BYTES, tableAt, USERS } from '#src/copy/worker/line-table.js';
import type { NativeWalker } from '#src/copy/worker/native-walker.js';
import { Memory } from '#src/wasm.js';
import { fillRandom } from '../../support/bytes.js';
import { until } from '../../support/machines.js';
import { HAS_NATIVE } from '../../support/native.js';

const STOP = 64;
const SLOT = 2;
const LIST = MiB;
const FIRST = 32 * MiB;
const SECOND = 64 * MiB;
const BUFFER = 256 * KiB;
/** The same 256 KiB over and over: many seconds, if nobody says stop. */
const ITEMS = 500_000;

const COPIER = `
  const { buffer, area, table, path } = require('node:worker_threads').workerData;
  const loaded = { exports: {} };
  process.dlopen(loaded, path);
  const end = ${LIST + ITEMS * 24};
  const bytes = [new Uint8Array(area), table, new Uint8Array(buffer)];
  loaded.exports.walkLine(...bytes, ${LIST}, end, ${STOP}, 4096, 256, 2 ** 32 - 1, true);
`;

it.runIf(HAS_NATIVE)(
  'a thread that is ended in the loop is among the users of its table until it is out of it',
  async () => {
    const { path, walker } = openNative();
    const { buffer } = new Memory({ initial: 256, maximum: 256, shared: true });
    const words = new Int32Array(buffer);
    const tables = createLineTables(buffer, walker as NativeWalker);
    const [to, from] = [new SharedArrayBuffer(BUFFER), new SharedArrayBuffer(BUFFER)];
    fillRandom(new Uint8Array(from), 1);
    tables.open(SLOT, [
      { base: FIRST, buffer: to },
      { base: SECOND, buffer: from },
    ]);
    const list = new Float64Array(buffer, LIST, ITEMS * 3);
    for (let i = 0; i < ITEMS; i++) list.set([FIRST, SECOND, BUFFER], i * 3);
    const header = new Int32Array(tables.area, tableAt(SLOT), HEADER_BYTES / 4);
    const worker = new Worker(COPIER, {
      eval: true,
      workerData: { buffer, area: tables.area, table: tableAt(SLOT), path },
    });
    let isOver = false;
    const over = once(worker, 'exit').then(() => {
      isOver = true;
    });
    await until(() => list[2] === 0);
    expect(Atomics.load(header, USERS)).toBe(1);
    const ended = worker.terminate();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect([isOver, Atomics.load(header, USERS)]).toEqual([false, 1]);
    Atomics.store(words, STOP / 4, 1);
    // Comes back once the thread is out, and only then.
    tables.close(SLOT);
    const noted = list.lastIndexOf(0);
    expect([header[COUNT], header[USERS]]).toEqual([0, 0]);
    new Uint8Array(to).fill(0);
    await Promise.all([ended, over]);
    expect(new Uint8Array(to).every((byte) => byte === 0)).toBe(true);
    expect(list.lastIndexOf(0)).toBe(noted);
    expect(noted).toBeLessThan(ITEMS * 3 - 1);
  },
);
