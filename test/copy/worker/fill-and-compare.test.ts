import { KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createLineTables } from '#src/copy/line-tables.js';
import { openNative } from '#src/copy/streaming.js';
import {
  FOUND as FOUND_WORD,
  LEFT as LEFT_WORD,
  METHOD_FOREIGN,
  METHOD_TYPED_ARRAY,
  OPERATION_COMPARE,
  OPERATION_FILL,
  openRing,
  RING_PAGES,
  STOP as STOP_WORD,
  writeWork,
} from '#src/copy/worker/job-ring.js';
import { tableAt } from '#src/copy/worker/line-table.js';
import { openLine } from '#src/copy/worker/line-views.js';
import { compileWalker, createCopyRange } from '#src/copy/worker/methods.js';
import type { NativeWalker } from '#src/copy/worker/native-walker.js';
import { PoisonMap } from '#src/memory/poison-map.js';
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
/** Bytes of the memory that loops get; behind it there is room for a ring. */
const END = 4 * MiB;
const NOTHING = 2 ** 32 - 1;
const NO_LIMIT = 2 ** 32 - 1;

type Triple = readonly [to: number, from: number, bytes: number];
type Walk = (...numbers: number[]) => number;

function openMemory(triples: readonly Triple[]) {
  const memory = new Memory({ initial: 64, maximum: 64, shared: true });
  return { ...wordsOf(new Int32Array(memory.buffer), STOP / 4, LEFT / 4, FOUND / 4), ...viewsOf(memory), triples };
}

function viewsOf(memory: InstanceType<typeof Memory>) {
  const map = new PoisonMap(memory.buffer, POISON);
  return { memory, bytes: new Uint8Array(memory.buffer, 0, END), poison: (pfn: number) => map.set(pfn) };
}

/** What a job's words say: whether to stop, what is left, and where a difference was found. */
function wordsOf(words: Int32Array, stop: number, left: number, found: number) {
  words[found] = -1;
  return {
    stop: () => {
      words[stop] = 1;
    },
    left: () => words[left],
    found: () => words[found] >>> 0,
    find: (address: number) => {
      words[found] = address;
    },
  };
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

/** Those over typed arrays, in the slot of a ring: of words of 32 bits, or of doubles on a line. */
function openTypedArrays(triples: readonly Triple[], method: number) {
  const pages = 64 + Math.ceil((RING_PAGES * 4) / 64);
  const memory = new Memory({ initial: pages, maximum: pages, shared: true });
  const ring = openRing(memory.buffer, END);
  const slot = ring.slots[0];
  const poisoned = new PoisonMap(memory.buffer, POISON);
  const line = openLine(new Uint8Array(memory.buffer), []);
  const range = createCopyRange({
    memory,
    module: compileWalker(),
    native: undefined,
    poisonAddress: POISON,
    isPoisoned: (address, length) => poisoned.touches(address, length),
    words: ring.words,
    lineOf: () => line,
  });
  const { descriptors } = method === METHOD_FOREIGN ? slot.wide : slot.narrow;
  const list = descriptors.subarray(0, triples.length * 3);
  list.set(triples.flat());
  const at = (i: number) => slot.descriptorsAddress + i * 3 * list.BYTES_PER_ELEMENT;
  const run = (operation: number, byte: number, limit: number) => {
    const { words } = ring;
    const before = [words[slot.base + LEFT_WORD], words[slot.base + FOUND_WORD]];
    writeWork(ring, slot, { operation, method, byte });
    // A thread that comes later finds what is there.
    [words[slot.base + LEFT_WORD], words[slot.base + FOUND_WORD]] = before;
    return at(range(slot, 0, triples.length, limit));
  };
  return {
    ...wordsOf(ring.words, slot.base + STOP_WORD, slot.base + LEFT_WORD, slot.base + FOUND_WORD),
    ...viewsOf(memory),
    triples,
    list,
    at,
    fill: (byte: number, limit = NO_LIMIT) => run(OPERATION_FILL, byte, limit),
    compare: (limit = NO_LIMIT) => run(OPERATION_COMPARE, 0, limit),
  };
}

const LOOPS = [
  { name: 'WebAssembly', open: openWasm },
  { name: 'typed arrays', open: (triples: readonly Triple[]) => openTypedArrays(triples, METHOD_TYPED_ARRAY) },
  { name: 'typed arrays on a line', open: (triples: readonly Triple[]) => openTypedArrays(triples, METHOD_FOREIGN) },
  ...(HAS_NATIVE ? [{ name: 'C', open: openC }] : []),
];

describe.each(LOOPS)('the loop that fills, in $name,', ({ open }) => {
  const triples: Triple[] = [
    [ARENA + 3, 0, 2 * PIECE + 5],
    [2 * MiB, 0, 0],
    [2 * MiB + 1, 0, 100],
  ];

  it('notes each descriptor as done, and fills no other byte', () => {
    const { fill, at, bytes, list, ...job } = open(triples);
    fillRandom(bytes.subarray(ARENA), 1);
    const expected = Buffer.from(bytes.subarray(ARENA));
    for (const [to, , length] of triples) expected.fill(200, to - ARENA, to - ARENA + length);
    expect(fill(200)).toBe(at(3));
    expect(expected.equals(bytes.subarray(ARENA))).toBe(true);
    expect([list[2], list[5], list[8], job.left()]).toEqual([0, 0, 0, 0]);
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
    const { fill, at, bytes, list, ...job } = open(triples);
    job.stop();
    expect(fill(7)).toBe(at(3));
    expect([list[2], list[8], job.left()]).toEqual([2 * PIECE + 5, 100, 1]);
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
    const { compare, at, list, ...job } = open(triples);
    expect(compare()).toBe(at(3));
    expect([list[2], list[5], list[8], job.left()]).toEqual([0, 0, 0, 0]);
    expect(job.found()).toBe(NOTHING);
  });

  it.each([0, 1, 63, 64, PIECE - 1, PIECE, PIECE + 100, 2 * PIECE + 4])('stays at a difference: %d', (offset) => {
    const { compare, at, bytes, list, ...job } = open(triples);
    bytes[B + offset] = 1;
    bytes[B + 2 * PIECE + 4] = 1;
    expect(compare()).toBe(at(3));
    expect(Array.from(list.subarray(0, 3))).toEqual([A + offset, B + offset, 2 * PIECE + 5 - offset]);
    // What comes after it is left, and that is no failure.
    expect([list[8], job.left()]).toEqual([100, 0]);
    expect(job.found()).toBe(at(0));
    // As somebody does whom the unit is offered to anew.
    expect(compare()).toBe(at(3));
    expect(list[0]).toBe(A + offset);
  });

  it('leaves out what comes after a difference that another has found, and takes the word down, never up', () => {
    const { compare, at, bytes, list, ...job } = open(triples);
    job.find(at(2));
    expect(compare()).toBe(at(3));
    expect([list[2], list[8], job.left(), job.found()]).toEqual([0, 100, 0, at(2)]);
    list.set(triples[0]);
    bytes[B + 5] = 1;
    expect(compare()).toBe(at(3));
    expect([list[0], job.found()]).toEqual([A + 5, at(0)]);
    list.set(triples[0]);
    job.find(8);
    expect(compare()).toBe(at(3));
    expect([list[0], job.found()]).toEqual([A, 8]);
  });

  it('returns between two pieces, and leaves all that it is told to', () => {
    const { compare, at, list, ...job } = open(triples);
    expect(compare(PIECE - 1)).toBe(at(0));
    expect([list[0], list[1], list[2]]).toEqual([A + PIECE, B + PIECE, PIECE + 5]);
    job.stop();
    expect(compare()).toBe(at(3));
    expect([list[2], list[8], job.left()]).toEqual([PIECE + 5, 100, 1]);
  });

  it.each([
    ['one side', A + PIECE],
    ['the other', B + PIECE],
  ])('leaves a descriptor as it is that has a poisoned frame on %s, and no other', (_, address) => {
    const { compare, at, list, ...job } = open(triples);
    const pfn = Math.floor(address / 4096);
    job.poison(pfn);
    expect(compare()).toBe(at(3));
    expect([list[0], list[2], list[8], job.left()]).toEqual([A, 2 * PIECE + 5, 0, 1]);
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
      expect([list[2], list[8]]).toEqual([0, 50]);
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
