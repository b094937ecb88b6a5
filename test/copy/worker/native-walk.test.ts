import fc from 'fast-check';
import { KiB, MiB } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { openNative } from '#src/copy/streaming.js';
import type { NativeWalker } from '#src/copy/worker/native-walker.js';
import { Memory } from '#src/wasm.js';
import { fillRandom } from '../../support/bytes.js';
import { errorOf } from '../../support/errors.js';
import { HAS_NATIVE } from '../../support/native.js';

/* The loop in C by itself, with a list of the test's own: what engines never ask for, too. */

const { walk } = (openNative().walker ?? {}) as NativeWalker;

const PIECE = 256 * KiB;
const STOP = 64;
const LEFT = 128;
const POISON = 4096;
const LIST = 64 * KiB;
const ARENA = MiB;
const NO_LIMIT = 2 ** 32 - 1;

type Triple = readonly [to: number, from: number, bytes: number];

/** A memory with a list in it; random from the arena on. */
function open(bytes: number, triples: readonly Triple[]) {
  const { buffer } = new Memory({ initial: bytes / (64 * KiB), maximum: bytes / (64 * KiB), shared: true });
  const memory = new Uint8Array(buffer);
  const words = new Int32Array(buffer);
  fillRandom(memory.subarray(ARENA), 1);
  const list = new Uint32Array(buffer, LIST, triples.length * 3);
  list.set(triples.flat());
  const end = LIST + triples.length * 12;
  return {
    memory,
    words,
    list,
    end,
    run: (limit = NO_LIMIT, from = LIST) => walk(memory, from, end, STOP, POISON, LEFT, limit),
    left: (i: number) => list[i * 3 + 2],
  };
}

/** What a plain copy of the triples leaves in the memory. */
function copied(memory: Uint8Array, triples: readonly Triple[]): Buffer {
  const bytes = Buffer.from(memory);
  for (const [to, from, length] of triples) bytes.copyWithin(to, from, from + length);
  return bytes;
}

describe.runIf(HAS_NATIVE)('the loop in C', () => {
  it('copies every byte and no other, of every length up to 4 KiB, however both sides lie in their lines', () => {
    // One memory for all: what a run leaves is what the next begins with.
    const room = 600;
    const { memory, list, run } = open(4 * MiB, new Array(room).fill([0, 0, 0]));
    const draw = fc.record({
      items: fc.array(
        fc.record({
          bytes: fc.oneof(fc.nat(130), fc.nat(4 * KiB), fc.constantFrom(64, 128, 4096)),
          to: fc.nat(63),
          from: fc.nat(63),
        }),
        { minLength: 1, maxLength: room, size: 'max' },
      ),
    });
    let count = 0;
    fc.assert(
      fc.property(draw, ({ items }) => {
        let at = ARENA;
        const triples = items.map(({ bytes, to, from }): Triple => {
          // A line between ranges, which nobody may write to.
          const target = at + to;
          const source = at + 2 * 64 + 4 * KiB + from;
          at += 9 * KiB;
          return [target % (4 * MiB - 8 * KiB), source % (4 * MiB - 8 * KiB), bytes];
        });
        const within = triples.filter(([to, from, bytes]) => to >= ARENA && Math.max(to, from) + bytes < 4 * MiB);
        list.fill(0);
        list.set(within.flat());
        const expected = copied(memory, within);
        for (let i = 0; i < within.length; i++) expected.writeUInt32LE(0, LIST + i * 12 + 8);
        run();
        expect(Buffer.from(memory.buffer).equals(expected)).toBe(true);
        count += within.length;
      }),
      { numRuns: 30 },
    );
    expect(count).toBeGreaterThan(1000);
  });

  it('copies whatever the two sides are modulo 64', () => {
    const lengths = [1, 7, 31, 32, 63, 64, 65, 100, 128, 191, 2047, 2048, 2112, 4095];
    const { memory, list, run } = open(2 * MiB, [[0, 0, 0]]);
    const area = Buffer.from(memory.buffer, ARENA, 16 * KiB);
    const wrong: string[] = [];
    for (let i = 0; i < 64 * 64 * 2; i++) {
      const [to, from] = [ARENA + 64 + (i % 64), ARENA + 8 * KiB + ((i >>> 6) % 64)];
      const bytes = lengths[i % lengths.length];
      // Other bytes than those that the round before has left there.
      fillRandom(memory.subarray(from, from + bytes), i);
      const expected = Buffer.from(area);
      expected.copyWithin(to - ARENA, from - ARENA, from - ARENA + bytes);
      list.set([to, from, bytes]);
      run();
      if (!area.equals(expected)) wrong.push(`${bytes} bytes to ${to % 64} from ${from % 64}`);
    }
    expect(wrong).toEqual([]);
  });

  it('copies to and from the last byte of the memory', () => {
    const size = 2 * MiB;
    for (const bytes of [1, 63, 64, 100, 4096, PIECE, PIECE + 1]) {
      for (const triple of [
        [size - bytes, ARENA, bytes],
        [ARENA, size - bytes, bytes],
      ] as const) {
        const { memory, run, end } = open(size, [triple]);
        const expected = copied(memory, [triple]);
        expect(run()).toBe(end);
        expect(Buffer.from(memory.buffer, ARENA).equals(expected.subarray(ARENA))).toBe(true);
      }
    }
  });

  it.each([
    ['a destination beyond the end', [2 * MiB - 10, ARENA, 11]],
    ['a source beyond the end', [ARENA, 2 * MiB - 10, 11]],
    ['a destination that wraps', [2 ** 32 - 8, ARENA, 16]],
    ['a source that wraps', [ARENA, 2 ** 32 - 8, 16]],
    ['more bytes than there are', [ARENA, ARENA + 4096, 2 ** 32 - 1]],
  ] as [string, Triple][])('refuses %s, after what is before it', async (_, wrong) => {
    const before: Triple = [ARENA, ARENA + 64 * KiB, 4096];
    const after: Triple = [ARENA + 8192, ARENA + 128 * KiB, 4096];
    const { memory, run, left } = open(2 * MiB, [before, wrong, after]);
    const expected = copied(memory, [before]).subarray(ARENA);
    expect(await errorOf(() => run())).toMatchObject({ code: 'EFAULT' });
    expect([left(0), left(1), left(2)]).toEqual([0, wrong[2], 4096]);
    expect(Buffer.from(memory.buffer, ARENA).equals(expected)).toBe(true);
  });

  it.each([
    ['a list beyond the end', [2 * MiB, 2 * MiB + 12, STOP, POISON, LEFT]],
    ['an end before the list', [LIST + 12, LIST, STOP, POISON, LEFT]],
    ['a part of a descriptor', [LIST, LIST + 16, STOP, POISON, LEFT]],
    ['a list that is not on a word', [LIST + 2, LIST + 14, STOP, POISON, LEFT]],
    ['a stop word beyond the end', [LIST, LIST + 12, 2 * MiB, POISON, LEFT]],
    ['a poison map beyond the end', [LIST, LIST + 12, STOP, 2 * MiB - 64, LEFT]],
    ['a word for what is left that is none', [LIST, LIST + 12, STOP, POISON, 2 * MiB - 2]],
    ['what is no number', [LIST, LIST + 12, STOP, POISON, '8']],
  ] as [string, number[]][])('refuses %s, and touches nothing', async (_, args) => {
    const { memory } = open(2 * MiB, [[ARENA, ARENA + 4096, 4096]]);
    const before = Buffer.from(memory);
    const [list, end, stop, poison, left] = args;
    expect(await errorOf(() => walk(memory, list, end, stop, poison, left, NO_LIMIT))).toMatchObject({
      code: expect.stringMatching(/^E(FAULT|INVAL)$/),
    });
    expect(Buffer.from(memory).equals(before)).toBe(true);
  });

  it('refuses a memory that is none', async () => {
    for (const memory of [new Uint16Array(MiB), new ArrayBuffer(MiB), undefined, 7]) {
      const error = await errorOf(() => walk(memory as unknown as Uint8Array, 0, 0, 0, 0, 0, NO_LIMIT));
      expect(error).toMatchObject({ code: 'EINVAL' });
    }
  });

  it('stops before the next descriptor, and notes what it has copied', () => {
    const triples: Triple[] = [
      [ARENA, ARENA + 64 * KiB, 4096],
      [ARENA + 4096, ARENA + 128 * KiB, 4096],
    ];
    const { words, run, end, left } = open(2 * MiB, triples);
    words[STOP / 4] = 1;
    expect(run()).toBe(end);
    expect([left(0), left(1), words[LEFT / 4]]).toEqual([4096, 4096, 1]);
  });

  it('returns once more than the limit is copied, and goes on from there', () => {
    const count = 200;
    const triples = Array.from({ length: count }, (_, i): Triple => [ARENA + i * 4096, 3 * MiB + i * 4096, 4096]);
    const { memory, run, end, left } = open(4 * MiB, triples);
    const expected = copied(memory, triples).subarray(ARENA);
    const next = run(10 * 4096);
    expect(next).toBe(LIST + 11 * 12);
    // What is not begun is as it was, and what is noted is all that was.
    expect(Array.from({ length: count }, (_, i) => left(i))).toEqual(triples.map((_, i) => (i < 11 ? 0 : 4096)));
    expect(run(NO_LIMIT, next)).toBe(end);
    expect(Buffer.from(memory.buffer, ARENA).equals(expected)).toBe(true);
  });

  it('returns between two pieces of one descriptor, whose three words say what is left', () => {
    const bytes = 3 * PIECE + 5;
    const { list, run, end } = open(4 * MiB, [[ARENA, ARENA + MiB, bytes]]);
    expect(run(PIECE)).toBe(LIST);
    expect([...list]).toEqual([ARENA + 2 * PIECE, ARENA + MiB + 2 * PIECE, bytes - 2 * PIECE]);
    expect(run()).toBe(end);
    expect(list[2]).toBe(0);
  });

  it('leaves a descriptor with a poisoned frame, counts it, and copies the others', () => {
    const count = 100;
    const triples = Array.from({ length: count }, (_, i): Triple => [ARENA + i * 4096, 2 * MiB + i * 4096, 4096]);
    const { memory, words, run, left, end } = open(4 * MiB, triples);
    const bad = [0, 63, 64, 99];
    for (const i of bad) {
      const pfn = (2 * MiB) / 4096 + i;
      words[(POISON + 64) / 4 + (pfn >>> 5)] |= 1 << (pfn & 31);
      words[POISON / 4]++;
    }
    const expected = copied(
      memory,
      triples.filter((_, i) => !bad.includes(i)),
    ).subarray(ARENA);
    expect(run()).toBe(end);
    expect(words[LEFT / 4]).toBe(bad.length);
    expect(triples.map((_, i) => left(i)).flatMap((bytes, i) => (bytes > 0 ? [i] : []))).toEqual(bad);
    expect(Buffer.from(memory.buffer, ARENA).equals(expected)).toBe(true);
  });
});
