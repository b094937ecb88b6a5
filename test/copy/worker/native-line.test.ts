import fc from 'fast-check';
import { KiB, MiB } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { createLineTables } from '#src/copy/line-tables.js';
import { openNative } from '#src/copy/streaming.js';
import { COUNT, HEADER_BYTES, tableAt, USERS } from '#src/copy/worker/line-table.js';
import type { NativeWalker } from '#src/copy/worker/native-walker.js';
import { Memory } from '#src/wasm.js';
import { fillRandom } from '../../support/bytes.js';
import { errorOf } from '../../support/errors.js';
import { HAS_NATIVE } from '../../support/native.js';

/* The loop in C over any buffers by itself, with a list of the test's own: what engines never ask for, too. */

const walker = openNative().walker as NativeWalker;

const STOP = 64;
const LEFT = 128;
const POISON = 4096;
const LIST = 64 * KiB;
const SLOT = 3;
const NO_LIMIT = 2 ** 32 - 1;
/** Where on the line the two buffers beside the memory are. */
const FIRST = 8 * MiB;
const SECOND = 16 * MiB;
const BUFFER = 256 * KiB + 40;

type Triple = readonly [to: number, from: number, bytes: number];

function open(triples: readonly Triple[]) {
  const { buffer } = new Memory({ initial: 32, maximum: 32, shared: true });
  const memory = new Uint8Array(buffer);
  const words = new Int32Array(buffer);
  const [a, b] = [new SharedArrayBuffer(BUFFER), new SharedArrayBuffer(BUFFER)];
  fillRandom(memory.subarray(MiB), 1);
  fillRandom(new Uint8Array(a), 2);
  fillRandom(new Uint8Array(b), 3);
  const tables = createLineTables(buffer, walker);
  tables.open(SLOT, [
    { base: FIRST, buffer: a },
    { base: SECOND, buffer: b },
  ]);
  const list = new Float64Array(buffer, LIST, triples.length * 3);
  list.set(triples.flat());
  const area = new Uint8Array(tables.area);
  const end = LIST + triples.length * 24;
  const run = (past = true, limit = NO_LIMIT, from = LIST) =>
    walker.walkLine(area, tableAt(SLOT), memory, from, end, STOP, POISON, LEFT, limit, past);
  /** All bytes as they lie on the line, without what is between. */
  const parts = () => [memory.subarray(MiB), new Uint8Array(a), new Uint8Array(b)].map((part) => Buffer.from(part));
  return { memory, words, list, end, tables, run, parts, left: (i: number) => list[i * 3 + 2] };
}

/** Where an address is among the parts, and where in that. */
const placed = (address: number): [number, number] =>
  address >= SECOND ? [2, address - SECOND] : address >= FIRST ? [1, address - FIRST] : [0, address - MiB];

function copied(parts: Buffer[], triples: readonly Triple[]): Buffer[] {
  for (const [to, from, bytes] of triples) {
    const [target, targetAt] = placed(to);
    const [source, sourceAt] = placed(from);
    parts[target].set(parts[source].subarray(sourceAt, sourceAt + bytes), targetAt);
  }
  return parts;
}

describe.runIf(HAS_NATIVE)('the loop in C over any buffers', () => {
  it.each([true, false])('copies every byte and no other, between any two of them (past the caches: %s)', (past) => {
    const start = fc.constantFrom(MiB, FIRST, SECOND);
    const draw = fc.array(
      fc.record({
        to: start,
        from: start,
        bytes: fc.oneof(fc.nat(130), fc.nat(4 * KiB)),
        toShift: fc.nat(63),
        fromShift: fc.nat(63),
      }),
      { minLength: 1, maxLength: 25, size: 'max' },
    );
    fc.assert(
      fc.property(draw, (items) => {
        const triples = items.map(
          ({ to, from, bytes, toShift, fromShift }, i): Triple => [
            to + i * 10 * KiB + toShift,
            from + i * 10 * KiB + 5 * KiB + fromShift,
            bytes,
          ],
        );
        const { run, end, parts, left } = open(triples);
        const expected = copied(parts(), triples);
        expect(run(past)).toBe(end);
        expect(parts().every((part, i) => part.equals(expected[i]))).toBe(true);
        expect(triples.every((_, i) => left(i) === 0)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('copies to and from the last byte of each', () => {
    const triples: Triple[] = [
      [FIRST + BUFFER - 100, SECOND + BUFFER - 100, 100],
      [2 * MiB - 5000, FIRST + 3, 5000],
      [SECOND, FIRST, BUFFER - 100],
    ];
    const { run, end, parts, left } = open(triples);
    const expected = copied(parts(), triples);
    expect(run()).toBe(end);
    expect(parts().every((part, i) => part.equals(expected[i]))).toBe(true);
    expect([left(0), left(1), left(2)]).toEqual([0, 0, 0]);
  });

  it.each([
    ['a destination beyond its buffer', [FIRST + BUFFER - 10, SECOND, 11]],
    ['a source beyond its buffer', [SECOND, FIRST + BUFFER - 10, 11]],
    ['a range from one buffer to the next', [FIRST, MiB, FIRST]],
    ['a destination between two', [FIRST - 10, MiB, 5]],
    ['a source after the last', [MiB, 2 ** 52, 5]],
    ['a negative address', [-8, MiB, 8]],
    ['an address that is no number', [Number.NaN, MiB, 8]],
    ['an address without an end', [MiB, Number.POSITIVE_INFINITY, 8]],
    ['a negative length', [FIRST, SECOND, -8]],
    ['a length that is no number', [FIRST, SECOND, Number.NaN]],
    ['a length without an end', [FIRST, SECOND, Number.POSITIVE_INFINITY]],
    ['a destination between two bytes', [FIRST + 0.5, SECOND, 8]],
    ['a source between two bytes', [FIRST, SECOND + 0.5, 8]],
    ['a length between none and one', [FIRST, 0, 0.5]],
  ] as [string, Triple][])('refuses %s, after what is before it', async (_, wrong) => {
    const before: Triple = [FIRST, SECOND, 4096];
    const { run, parts, left } = open([before, wrong, [FIRST + 8192, SECOND + 8192, 4096]]);
    const expected = copied(parts(), [before]);
    expect(await errorOf(() => run())).toMatchObject({ code: 'EFAULT' });
    expect([left(0), left(2)]).toEqual([0, 4096]);
    expect(parts().every((part, i) => part.equals(expected[i]))).toBe(true);
  });

  it('refuses a part of a byte although there is poison, which it looks for from the first frame on', async () => {
    const { run, words } = open([[FIRST, 0, 0.5]]);
    words[POISON / 4] = 1;
    expect(await errorOf(() => run())).toMatchObject({ code: 'EFAULT' });
  });

  it('believes no buffer that says itself how long it is', async () => {
    const { tables, run, list } = open([[FIRST, MiB, 8]]);
    const liar = new SharedArrayBuffer(BUFFER);
    Object.defineProperty(liar, 'byteLength', { value: BUFFER + 8 });
    tables.close(SLOT);
    tables.open(SLOT, [{ base: FIRST, buffer: liar }]);
    list[0] = FIRST + BUFFER;
    expect(await errorOf(() => run())).toMatchObject({ code: 'EFAULT' });
    list[0] = FIRST + BUFFER - 8;
    run();
    expect(list[2]).toBe(0);
  });

  it('reaches as much of one that grows as it had when the table was opened', async () => {
    const { tables, run, list } = open([[FIRST + 64, MiB, 8]]);
    const growing = (bytes: number) =>
      Reflect.construct(SharedArrayBuffer, [bytes, { maxByteLength: 64 * KiB }]) as SharedArrayBuffer & {
        grow(bytes: number): void;
      };
    for (const first of [0, 64]) {
      const buffer = growing(first);
      tables.close(SLOT);
      tables.open(SLOT, [{ base: FIRST, buffer }]);
      buffer.grow(64 * KiB);
      expect(await errorOf(() => run())).toMatchObject({ code: 'EFAULT' });
      expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true);
      tables.close(SLOT);
      tables.open(SLOT, [{ base: FIRST, buffer }]);
      list.set([FIRST + 64 * KiB - 8, MiB, 8]);
      run();
      expect(list[2]).toBe(0);
      list.set([FIRST + 64, MiB, 8]);
    }
  });

  it('waits for the users of a table after it is closed, and before its buffers are let go', () => {
    const { tables } = open([[FIRST, SECOND, 8]]);
    const header = new Int32Array(tables.area, tableAt(SLOT), HEADER_BYTES / 4);
    // Who is in the loop when the table is closed, and out of it at the third look.
    header[USERS] = 1;
    const places: number[] = [];
    const load = Atomics.load as (array: Int32Array, index: number) => number;
    vi.spyOn(Atomics, 'load').mockImplementation(((array: Int32Array, index: number) => {
      if (array.buffer === tables.area) {
        places.push(header[COUNT]);
        if (places.length === 3) header[USERS] = 0;
      }
      return load(array, index);
    }) as never);
    tables.close(SLOT);
    vi.restoreAllMocks();
    expect(places).toEqual([0, 0, 0]);
  });

  it('leaves the list of a table that is closed, and is among its users no longer', () => {
    const { run, end, tables, words, left, parts } = open([[FIRST, SECOND, 4096]]);
    const expected = parts();
    tables.close(SLOT);
    expect(run()).toBe(end);
    expect([left(0), words[LEFT / 4]]).toEqual([4096, 1]);
    expect(parts().every((part, i) => part.equals(expected[i]))).toBe(true);
    const header = new Int32Array(tables.area, tableAt(SLOT), HEADER_BYTES / 4);
    expect([header[COUNT], header[USERS]]).toEqual([0, 0]);
  });

  it('returns between two pieces of one descriptor, whose three words say what is left', () => {
    const bytes = 256 * KiB + 5;
    const { list, run, end } = open([[FIRST + 7, SECOND + 9, bytes]]);
    expect(run(true, 1000)).toBe(LIST);
    expect([...list]).toEqual([FIRST + 7 + 256 * KiB, SECOND + 9 + 256 * KiB, 5]);
    expect(run()).toBe(end);
    expect(list[2]).toBe(0);
  });

  it('leaves a descriptor with a poisoned frame of the memory, counts it, and copies the others', () => {
    const { words, run, end, left } = open([
      [FIRST, MiB, 4096],
      [FIRST + 4096, MiB + 4096, 4096],
      [FIRST + 8192, SECOND, 4096],
    ]);
    words[(POISON + 64) / 4 + (MiB / 4096 + 1) / 32 - (((MiB / 4096 + 1) / 32) % 1)] |= 1 << ((MiB / 4096 + 1) % 32);
    words[POISON / 4] = 1;
    expect(run()).toBe(end);
    expect([left(0), left(1), left(2), words[LEFT / 4]]).toEqual([0, 4096, 0, 1]);
  });

  it('refuses a table or a list that is not in its memory', async () => {
    const { memory, tables, end } = open([[FIRST, SECOND, 8]]);
    const area = new Uint8Array(tables.area);
    const rest = [STOP, POISON, LEFT, NO_LIMIT, true] as const;
    for (const [table, list, last] of [
      [area.length - 8, LIST, end],
      [4, LIST, end],
      [0, LIST + 4, LIST + 28],
      [0, LIST, LIST + 12],
      [0, 2 * MiB, 2 * MiB + 24],
    ]) {
      const error = await errorOf(() => walker.walkLine(area, table, memory, list, last, ...rest));
      expect(error).toMatchObject({ code: 'EFAULT' });
    }
  });
});
