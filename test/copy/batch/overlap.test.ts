import fc from 'fast-check';
import { ErrnoError } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { createCopyItems, type Ranges } from '#src/copy/batch/items.js';
import { checkOverlap } from '#src/copy/batch/overlap.js';
import { survey } from '#src/copy/batch/survey.js';
import { seededRandom, shuffle } from '#src/random.js';
import { takeAll } from '#src/steps.js';

type Item = readonly [to: number, from: number, bytes: number];

const pages = fc
  .tuple(fc.nat(300), fc.nat(300), fc.integer({ min: 0, max: 3 }))
  .map(([to, from, count]): Item => [to * 4096, from * 4096, count * 4096]);
const subPage = fc.tuple(fc.nat(60_000), fc.nat(60_000), fc.nat(600));
const anything = fc.oneof(
  fc.array(pages, { maxLength: 12, size: 'max' }),
  fc.array(subPage, { maxLength: 12, size: 'max' }),
  fc.array(fc.oneof(pages, subPage), { maxLength: 10, size: 'max' }),
);

/** Ranges apart from each other, many of them touching; then a byte more for some, and some that read the same. */
const apart = fc
  .record({
    lengths: fc.array(fc.oneof(fc.constantFrom(0, 4096, 8192), fc.nat(5000)), { maxLength: 60, size: 'max' }),
    gaps: fc.array(fc.constantFrom(0, 0, 1, 4096), { minLength: 1, maxLength: 20, size: 'max' }),
    order: fc.constantFrom('apart', 'alternating', 'shuffled'),
    seed: fc.nat(),
    longer: fc.option(fc.nat()),
    sameSource: fc.boolean(),
  })
  .map(({ lengths, gaps, order, seed, longer, sameSource }) => {
    const count = lengths.length;
    const slots = Uint32Array.from({ length: 2 * count }, (_, i) => i);
    if (order === 'alternating') for (const i of slots.keys()) slots[i] = (i >> 1) + (i & 1) * count;
    if (order === 'shuffled') shuffle(slots, seededRandom(seed));
    const starts = new Uint32Array(2 * count);
    let end = 0;
    for (const [i, range] of slots.entries()) {
      end += gaps[i % gaps.length] as number;
      starts[range] = end;
      end += lengths[range % count];
    }
    const items = lengths.map((length, i): [number, number, number] => {
      const from = sameSource && length === lengths[0] ? count : count + i;
      return [starts[i], starts[from], length];
    });
    const grown = longer === null ? undefined : items[longer % Math.max(count, 1)];
    if (grown) grown[2]++;
    return items;
  });

const cases = fc.oneof(anything, apart);

/** Pairs of ranges, named as the error names them, of which one is written and which have a byte in common. */
function naive(items: readonly Item[]): Set<string> {
  const ranges = items.flatMap(([to, from, bytes], i) => [
    { name: `to of item ${i}`, isTo: true, start: to, end: to + bytes },
    { name: `from of item ${i}`, isTo: false, start: from, end: from + bytes },
  ]);
  const found = new Set<string>();
  for (const a of ranges) {
    for (const b of ranges) {
      const low = Math.max(a.start, b.start);
      if (a !== b && (a.isTo || b.isTo) && low < Math.min(a.end, b.end)) found.add(`${a.name} overlaps ${b.name}`);
    }
  }
  return found;
}

function inMemory(items: readonly Item[]): void {
  const columns = createCopyItems(items.length);
  for (const [i, [to, from, bytes]] of items.entries()) {
    columns.to[i] = to;
    columns.from[i] = from;
    columns.bytes[i] = bytes;
  }
  takeAll(checkOverlap(columns, survey(columns)));
}

function anywhere(items: readonly Item[]): void {
  const ranges: Ranges = {
    to: Float64Array.from(items, ([to]) => to),
    from: Float64Array.from(items, ([, from]) => from),
    bytes: Float64Array.from(items, ([, , bytes]) => bytes),
  };
  takeAll(checkOverlap(ranges, survey(ranges)));
}

function thrownBy(check: () => void): unknown {
  try {
    check();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.each([
  { name: 'checkOverlap of 32 bits', check: inMemory, base: 0 },
  { name: 'checkOverlap at the end of 4 GiB', check: inMemory, base: 2 ** 32 - 2 ** 21 },
  { name: 'checkOverlap on a line', check: anywhere, base: 0 },
  { name: 'checkOverlap beyond 32 bits', check: anywhere, base: 2 ** 40 + 1 },
])('$name', ({ check, base }) => {
  it('finds what comparing every two ranges finds', () => {
    const seen = { overlapping: 0, apart: 0 };
    fc.assert(
      fc.property(cases, (list) => {
        const items = list.map(([to, from, bytes]): Item => [base + to, base + from, bytes]);
        const expected = naive(items);
        const error = thrownBy(() => check(items));
        if (expected.size === 0) {
          seen.apart++;
          expect(error).toBeUndefined();
          return;
        }
        seen.overlapping++;
        expect(error).toBeInstanceOf(ErrnoError);
        const { code, message } = error as ErrnoError;
        expect(code).toBe('EINVAL');
        expect(expected).toContain(message.replace('EINVAL: ', '').replace(/: .*/, ''));
      }),
      { numRuns: 600 },
    );
    expect(Math.min(seen.overlapping, seen.apart)).toBeGreaterThan(60);
  });

  it('lets items read the same bytes', () => {
    const item = (to: number, from: number): Item => [base + to, base + from, 4096];
    expect(() => check([item(0, 8192), item(4096, 8192), item(16384, 9000)])).not.toThrow();
    expect(() => check([item(16384, 8192), item(4096, 8192), item(0, 9000)])).not.toThrow();
  });

  it('counts an item of 0 bytes for nothing', () => {
    expect(() =>
      check([
        [base + 4096, base, 4096],
        [base + 6000, base + 5000, 0],
        [base + 8192, base + 20000, 4096],
      ]),
    ).not.toThrow();
  });

  it('names the items', () => {
    const items: Item[] = [
      [base + 40960, base, 4096],
      [base + 8192, base + 20480, 4096],
      [base + 12287, base + 28672, 4096],
    ];
    expect(() => check(items)).toThrow('EINVAL: to of item 2 overlaps to of item 1: copy them in two calls');
    expect(() => check([[base + 4096, base, 4097]])).toThrow('EINVAL: from of item 0 overlaps to of item 0');
  });
});
