import { MiB, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { fillWithPattern, hashFolios } from 'mtcopy/experiments';
import { beforeEach, describe, expect, it } from 'vitest';

const memory = PhysicalMemory.create({ nodes: [4 * MiB] });
const pfns = Uint32Array.from(memory.allocFolios(8, 2, { node: 0 }), (pfn) => pfn);
const FOLIO = 4 * PAGE_SIZE;
const hash = (list = pfns) => hashFolios(memory, list, FOLIO);
const at = (page: number) => (pfns[page >> 2] + (page & 3)) * PAGE_SIZE;

/** What folios may hold: the pattern, of which one page is told by its first word; and what has no two pages alike. */
const CONTENTS: Record<string, () => void> = {
  'a pattern': () => fillWithPattern(memory, pfns, FOLIO),
  zeros: () => {
    for (const pfn of pfns) memory.bytes.fill(0, pfn * PAGE_SIZE, pfn * PAGE_SIZE + FOLIO);
  },
  'pages of which none is like another': () => {
    for (const pfn of pfns)
      for (let i = pfn * PAGE_SIZE; i < pfn * PAGE_SIZE + FOLIO; i++) memory.bytes[i] = Math.imul(i, 0x9e3779b1) >>> 24;
  },
};

describe.each(Object.keys(CONTENTS))('a digest of %s', (name) => {
  beforeEach(() => CONTENTS[name]?.());

  it('is another once any single byte is', () => {
    const before = hash();
    for (let page = 0; page < 32; page++) {
      for (const byte of [0, 1, 2, 3, 4, 5, 2048, PAGE_SIZE - 1]) {
        const address = at(page) + byte;
        memory.bytes[address] ^= 1;
        expect(hash(), `byte ${byte} of page ${page}`).not.toBe(before);
        memory.bytes[address] ^= 1;
      }
    }
    expect(hash()).toBe(before);
  });

  it('is the same wherever the bytes are', () => {
    const before = hash();
    const elsewhere = Uint32Array.from(memory.allocFolios(8, 2, { node: 0 }), (pfn) => pfn);
    for (const [i, pfn] of pfns.entries()) {
      memory.bytes.copyWithin(elsewhere[i] * PAGE_SIZE, pfn * PAGE_SIZE, pfn * PAGE_SIZE + FOLIO);
    }
    expect(hash(elsewhere)).toBe(before);
    memory.freeFolios(elsewhere);
  });
});

it('is another in another order, and of a page less or one twice', () => {
  CONTENTS['a pattern']?.();
  const before = hash();
  expect(hash(pfns.toReversed())).not.toBe(before);
  expect(hash(pfns.subarray(1))).not.toBe(before);
  expect(hash(Uint32Array.from([...pfns.subarray(0, 7), pfns[0]]))).not.toBe(before);
});

it('is another if two pages of one pattern have changed places', () => {
  CONTENTS['a pattern']?.();
  const before = hash();
  const page = memory.bytes.slice(at(5), at(6));
  memory.bytes.copyWithin(at(5), at(9), at(9) + PAGE_SIZE);
  memory.bytes.set(page, at(9));
  expect(hash()).not.toBe(before);
});
