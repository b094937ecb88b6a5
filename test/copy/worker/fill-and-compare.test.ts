import { KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createLineTables } from '#src/copy/line-tables.js';
import { openNative } from '#src/copy/streaming.js';
import { tableAt } from '#src/copy/worker/line-table.js';
import { compileWalker } from '#src/copy/worker/methods.js';
import type { NativeWalker } from '#src/copy/worker/native-walker.js';
import { Instance, Memory } from '#src/wasm.js';
import { fillRandom } from '../../support/bytes.js';
import { errorOf } from '../../support/errors.js';
import { HAS_NATIVE } from '../../support/native.js';

/* The loops that fill and compare by themselves, with lists of the test's own: what engines never ask for, too. */

const PIECE = 256 * KiB;
const STOP = 64;
const LEFT = 128;
const FOUND = 192;
const POISON = 4096;
const LIST = 64 * KiB;
const ARENA = MiB;
const NOTHING = 2 ** 32 - 1;
const NO_LIMIT = 2 ** 32 - 1;

type Triple = readonly [to: number, from: number, bytes: number];
type Walk = (...numbers: number[]) => number;

function openMemory(triples: readonly Triple[]) {
  const memory = new Memory({ initial: 64, maximum: 64, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  words[FOUND / 4] = -1;
  return { memory, bytes, words, triples };
}

/** The loops in WebAssembly over a list of 32-bit words. */
function openWasm(triples: readonly Triple[]) {
  const opened = openMemory(triples);
  const { exports } = new Instance(compileWalker(), { env: { memory: opened.memory } });
  const list = new Uint32Array(opened.memory.buffer, LIST, triples.length * 3);
  list.set(triples.flat());
  const end = LIST + triples.length * 12;
  return {
    ...opened,
    list,
    at: (i: number) => LIST + i * 12,
    fill: (byte: number, limit = NO_LIMIT) => (exports.fill as Walk)(LIST, end, STOP, LEFT, limit, byte) >>> 0,
    compare: (limit = NO_LIMIT) => (exports.compare as Walk)(LIST, end, STOP, POISON, LEFT, limit, FOUND) >>> 0,
  };
}

/** Those in C over a list of doubles. */
function openC(triples: readonly Triple[]) {
  const opened = openMemory(triples);
  const walker = openNative().walker as NativeWalker;
  const tables = createLineTables(opened.memory.buffer, walker);
  tables.open(0, []);
  const area = new Uint8Array(tables.area);
  const list = new Float64Array(opened.memory.buffer, LIST, triples.length * 3);
  list.set(triples.flat());
  const end = LIST + triples.length * 24;
  return {
    ...opened,
    list,
    at: (i: number) => LIST + i * 24,
    fill: (byte: number, limit = NO_LIMIT) =>
      walker.fillLine(area, tableAt(0), opened.bytes, LIST, end, STOP, POISON, LEFT, limit, true, byte),
    compare: (limit = NO_LIMIT) =>
      walker.compareLine(area, tableAt(0), opened.bytes, LIST, end, STOP, POISON, LEFT, limit, FOUND),
  };
}

const LOOPS = [{ name: 'WebAssembly', open: openWasm }, ...(HAS_NATIVE ? [{ name: 'C', open: openC }] : [])];

describe.each(LOOPS)('the loop that fills, in $name,', ({ open }) => {
  const triples: Triple[] = [
    [ARENA + 3, 0, 2 * PIECE + 5],
    [2 * MiB, 0, 0],
    [2 * MiB + 1, 0, 100],
  ];

  it('notes each descriptor as done, and fills no other byte', () => {
    const { fill, at, bytes, list, words } = open(triples);
    fillRandom(bytes.subarray(ARENA), 1);
    const expected = Buffer.from(bytes.subarray(ARENA));
    for (const [to, , length] of triples) expected.fill(200, to - ARENA, to - ARENA + length);
    expect(fill(200)).toBe(at(3));
    expect(expected.equals(bytes.subarray(ARENA))).toBe(true);
    expect([list[2], list[5], list[8], words[LEFT / 4]]).toEqual([0, 0, 0, 0]);
  });

  it('returns between two pieces, and goes on there', () => {
    const { fill, at, bytes, list } = open(triples);
    expect(fill(7, PIECE - 1)).toBe(at(0));
    expect([list[0], list[2]]).toEqual([ARENA + 3 + PIECE, PIECE + 5]);
    expect([bytes[ARENA + 2 + PIECE], bytes[ARENA + 3 + PIECE]]).toEqual([7, 0]);
    expect(fill(8)).toBe(at(3));
    expect([bytes[ARENA + 2 + PIECE], bytes[ARENA + 3 + PIECE], bytes[2 * MiB + 100]]).toEqual([7, 8, 8]);
  });

  it('leaves all that it is told to', () => {
    const { fill, at, bytes, list, words } = open(triples);
    words[STOP / 4] = 1;
    expect(fill(7)).toBe(at(3));
    expect([list[2], list[8], words[LEFT / 4]]).toEqual([2 * PIECE + 5, 100, 1]);
    expect(bytes.subarray(ARENA).every((byte) => byte === 0)).toBe(true);
  });
});

describe.each(LOOPS)('the loop that compares, in $name,', ({ open }) => {
  const A = ARENA + 3;
  const B = 2 * MiB + 60;
  const triples: Triple[] = [
    [A, B, 2 * PIECE + 5],
    [A, B, 0],
    [A + 3 * PIECE, B + 3 * PIECE, 100],
  ];

  it('notes what is equal, and names nothing', () => {
    const { compare, at, list, words } = open(triples);
    expect(compare()).toBe(at(3));
    expect([list[2], list[5], list[8], words[LEFT / 4]]).toEqual([0, 0, 0, 0]);
    expect(words[FOUND / 4] >>> 0).toBe(NOTHING);
  });

  it.each([0, 1, 63, 64, PIECE - 1, PIECE, PIECE + 100, 2 * PIECE + 4])('stays at a difference: %d', (offset) => {
    const { compare, at, bytes, list, words } = open(triples);
    bytes[B + offset] = 1;
    bytes[B + 2 * PIECE + 4] = 1;
    expect(compare()).toBe(at(3));
    expect(Array.from(list.subarray(0, 3))).toEqual([A + offset, B + offset, 2 * PIECE + 5 - offset]);
    // What comes after it is left, and that is no failure.
    expect([list[8], words[LEFT / 4]]).toEqual([100, 0]);
    expect(words[FOUND / 4] >>> 0).toBe(at(0));
    // As somebody does whom the unit is offered to anew.
    expect(compare()).toBe(at(3));
    expect(list[0]).toBe(A + offset);
  });

  it('leaves out what comes after a difference that another has found, and takes the word down, never up', () => {
    const { compare, at, bytes, list, words } = open(triples);
    words[FOUND / 4] = at(2);
    expect(compare()).toBe(at(3));
    expect([list[2], list[8], words[LEFT / 4], words[FOUND / 4]]).toEqual([0, 100, 0, at(2)]);
    list.set(triples[0]);
    bytes[B + 5] = 1;
    expect(compare()).toBe(at(3));
    expect([list[0], words[FOUND / 4]]).toEqual([A + 5, at(0)]);
    list.set(triples[0]);
    words[FOUND / 4] = 8;
    expect(compare()).toBe(at(3));
    expect([list[0], words[FOUND / 4]]).toEqual([A, 8]);
  });

  it('returns between two pieces, and leaves all that it is told to', () => {
    const { compare, at, list, words } = open(triples);
    expect(compare(PIECE - 1)).toBe(at(0));
    expect([list[0], list[1], list[2]]).toEqual([A + PIECE, B + PIECE, PIECE + 5]);
    words[STOP / 4] = 1;
    expect(compare()).toBe(at(3));
    expect([list[2], list[8], words[LEFT / 4]]).toEqual([PIECE + 5, 100, 1]);
  });

  it.each([
    ['one side', A + PIECE],
    ['the other', B + PIECE],
  ])('leaves a descriptor as it is that has a poisoned frame on %s, and no other', (_, address) => {
    const { compare, at, list, words } = open(triples);
    const pfn = Math.floor(address / 4096);
    words[POISON / 4] = 1;
    words[(POISON + 64) / 4 + (pfn >>> 5)] = 1 << (pfn & 31);
    expect(compare()).toBe(at(3));
    expect([list[0], list[2], list[8], words[LEFT / 4]]).toEqual([A, 2 * PIECE + 5, 0, 1]);
  });
});

describe.runIf(HAS_NATIVE)('the loops in C', () => {
  const bad: [string, Triple][] = [
    ['beyond the memory', [4 * MiB - 10, ARENA, 11]],
    ['before it', [-8, ARENA, 8]],
    ['that is no number', [Number.NaN, ARENA, 8]],
    ['between two bytes', [ARENA + 0.5, ARENA, 8]],
  ];

  it.each(bad)('refuse a range %s, after what is before it', async (_, wrong) => {
    const before: Triple = [ARENA, 2 * MiB, 100];
    for (const run of ['fill', 'compare'] as const) {
      const { [run]: walk, list, bytes } = openC([before, wrong, [ARENA + 4096, ARENA + 8192, 50]]);
      expect(await errorOf(() => walk(1))).toMatchObject({ code: 'EFAULT' });
      expect([list[2], list[8]]).toEqual([run === 'fill' ? 0 : expect.any(Number), 50]);
      expect([bytes[ARENA + 4096], bytes[4 * MiB - 1]]).toEqual([0, 0]);
    }
  });

  it('refuse a source beyond the memory if they read it', async () => {
    const triple: Triple = [ARENA, 4 * MiB - 10, 11];
    expect(await errorOf(() => openC([triple]).compare())).toMatchObject({ code: 'EFAULT' });
    const { fill, at } = openC([triple]);
    expect(fill(1)).toBe(at(1));
  });

  it('take nothing but numbers, and a word of the memory for what is found', async () => {
    const walker = openNative().walker as NativeWalker;
    const { bytes, memory } = openMemory([]);
    const tables = createLineTables(memory.buffer, walker);
    tables.open(0, []);
    const area = new Uint8Array(tables.area);
    const rest = [LIST, LIST, STOP, POISON, LEFT, NO_LIMIT] as const;
    const wrong = 'no' as unknown as number;
    expect(await errorOf(() => walker.fillLine(area, 0, bytes, ...rest, true, wrong))).toMatchObject({
      code: 'EINVAL',
    });
    expect(await errorOf(() => walker.compareLine(area, 0, bytes, ...rest, wrong))).toMatchObject({ code: 'EINVAL' });
    for (const found of [4 * MiB, 4 * MiB - 2, 193]) {
      expect(await errorOf(() => walker.compareLine(area, 0, bytes, ...rest, found))).toMatchObject({ code: 'EFAULT' });
    }
  });
});
