import fc from 'fast-check';
import type { CopyItems } from 'mtcopy';
import type { Batch } from '#src/copy/batch/batch.js';
import type { Ranges } from '#src/copy/batch/items.js';
import { openLists } from '#src/copy/batch/lists.js';
import { survey } from '#src/copy/batch/survey.js';
import { createTally } from '#src/copy/batch/tally.js';
import { seededRandom, shuffle } from '#src/random.js';

const folioBytes = fc.integer({ min: 0, max: 10 }).map((order) => 4096 << order);
const anyBytes = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 130 }), fc.integer({ min: 0, max: 300_000 }));
/** Bytes left free before an item: mostly none, so that neighbours touch. */
const gap = fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(70_000), weight: 1 });
const pageGap = gap.map((bytes) => bytes - (bytes % 4096));

function items(bytes: fc.Arbitrary<number>, gapBefore: fc.Arbitrary<number>): fc.Arbitrary<CopyItems> {
  return fc
    .record({
      list: fc.array(fc.tuple(bytes, gapBefore, gapBefore), { minLength: 1, maxLength: 600, size: 'max' }),
      order: fc.constantFrom('ascending', 'shuffled'),
      seed: fc.nat(),
    })
    .map(({ list, order, seed }) => {
      const columns: CopyItems = {
        to: new Uint32Array(list.length),
        from: new Uint32Array(list.length),
        bytes: Uint32Array.from(list, ([length]) => length),
      };
      place(columns.to, columns.bytes, (i) => list[i]?.[1] ?? 0, 0);
      place(columns.from, columns.bytes, (i) => list[i]?.[2] ?? 0, 2 ** 20);
      if (order === 'ascending') return columns;
      const positions = shuffle(Uint32Array.from(list.keys()), seededRandom(seed));
      const reorder = (column: Uint32Array) => positions.map((i) => column[i]);
      return { to: reorder(columns.to), from: reorder(columns.from), bytes: reorder(columns.bytes) };
    });
}

function place(column: Uint32Array, bytes: Uint32Array, gapBefore: (i: number) => number, start: number): void {
  let end = start;
  for (let i = 0; i < bytes.length; i++) {
    column[i] = end + gapBefore(i);
    end = column[i] + bytes[i];
  }
}

/** Batches of 1 to 600 items whose destinations are apart: folios, or any lengths at any addresses, touching or not. */
export const batches: fc.Arbitrary<CopyItems> = fc.oneof(items(folioBytes, pageGap), items(anyBytes, gap));

/** Which byte goes where, in one spelling: ranges by destination, joined where both sides touch. */
export function byteMap(ranges: Iterable<readonly [to: number, from: number, bytes: number]>): string {
  const sorted = Array.from(ranges)
    .filter(([, , bytes]) => bytes > 0)
    .sort((a, b) => a[0] - b[0]);
  const joined: [number, number, number][] = [];
  for (const [to, from, bytes] of sorted) {
    const last = joined.at(-1);
    if (last && last[0] + last[2] === to && last[1] + last[2] === from) last[2] += bytes;
    else joined.push([to, from, bytes]);
  }
  return joined.join('\n');
}

/** Items `first` up to `end` as ranges. */
export function* rangesOf({ to, from, bytes }: CopyItems, first = 0, end = to.length) {
  for (let i = first; i < end; i++) yield [to[i], from[i], bytes[i]] as const;
}

/** Descriptors `first` up to `end` as ranges. */
export function* descriptorsOf(words: Uint32Array, first = 0, end = words.length / 3) {
  for (let i = first * 3; i < end * 3; i += 3) {
    yield [words[i], words[i + 1], words[i + 2]] as const;
  }
}

/** Whether every descriptor begins in the item that `source` names for it, reading the byte that belongs there. */
export function sourcesAreRight(words: Uint32Array, source: Uint32Array, { to, from, bytes }: CopyItems): boolean {
  return Array.from(descriptorsOf(words)).every(([target, origin], i) => {
    const item = source[i];
    const offset = target - to[item];
    return offset >= 0 && offset < bytes[item] && origin === from[item] + offset;
  });
}

/** A batch of items in the engine's memory, for those who cut it. */
export const batchOf = (items: Ranges): Batch => ({
  ...items,
  work: { kind: 'copy' },
  index: undefined,
  foreign: [],
  seen: survey(items),
  tally: createTally(),
  lists: openLists(),
  streams: false,
});
