import { type Control, GENERATION, MAX_REGIONS, REGION, REGIONS } from './control.js';
import type { View } from './protocol.js';

/*
 * Regions of shared memory, of one buffer or of several, whose words are scheduled. A buffer that was sent to a thread is
 * another object there: it is known by its length, and where several are as long by a word in it that nobody uses.
 */

/** Words that all regions have together at most. */
export const MAX_WORDS = 1 << 20;

/** A word every `stride` bytes from `address` on. */
export interface Region {
  readonly buffer: SharedArrayBuffer;
  readonly address: number;
  readonly words: number;
  /** Bytes from one word to the next. Default: 4. */
  readonly stride?: number;
  /** Where in the buffer a word is that nobody uses, if other buffers are as long. */
  readonly tag?: { readonly address: number; readonly value: number };
}

// A region, in words from its first.
const BUFFER_BYTES = 0;
const TAG_ADDRESS = 1;
const TAG = 2;
const ADDRESS = 3;
const STRIDE = 4;
const WORDS = 5;
/** Number of its first word. */
const FIRST = 6;

/** A thread's sight of the regions. */
export interface Regions {
  /** Says which there are; the words of the first are numbered from 0 on. By the main thread. */
  describe(regions: readonly Region[]): void;
  /** The number of the word that an element of a view is, or begins with; -1 if it is in no region. */
  wordOf(view: View, index: number): number;
  /** What a word is now. For the thread that has described it. */
  valueAt(word: number): number;
}

/** As it is before views are watched. */
const Plain = Int32Array;

export function openRegions({ words, regions: table, protocol }: Control): Regions {
  let known = new WeakMap<ArrayBufferLike, readonly number[]>();
  let generation = words[GENERATION];
  let described: readonly (Region & { readonly first: number; readonly ints: Int32Array })[] = [];

  function isIn(buffer: ArrayBufferLike, at: number): boolean {
    if (table[at + BUFFER_BYTES] !== buffer.byteLength || protocol.isShared?.(buffer) === false) return false;
    return table[at + TAG_ADDRESS] < 0 || new Plain(buffer, table[at + TAG_ADDRESS], 1)[0] === table[at + TAG];
  }

  /** Where the regions that are in a buffer stand in the table. */
  function regionsIn(buffer: ArrayBufferLike): readonly number[] {
    if (generation !== words[GENERATION]) {
      known = new WeakMap();
      generation = words[GENERATION];
    }
    let found = known.get(buffer);
    if (!found) {
      found = Array.from({ length: words[REGIONS] }, (_, i) => i * REGION).filter((at) => isIn(buffer, at));
      known.set(buffer, found);
    }
    return found;
  }

  return {
    describe(regions) {
      if (regions.length > MAX_REGIONS) throw new Error(`more than ${MAX_REGIONS} regions`);
      let first = 0;
      described = regions.map((region) => {
        const ints = new Plain(region.buffer, 0, Math.floor(region.buffer.byteLength / 4));
        if (region.tag) ints[region.tag.address / 4] = region.tag.value;
        const one = { ...region, first, ints };
        first += region.words;
        return one;
      });
      if (first > MAX_WORDS) throw new Error(`more than ${MAX_WORDS} words`);
      for (const [i, { buffer, tag, address, stride = 4, words: length, first }] of described.entries()) {
        const at = i * REGION;
        table[at + BUFFER_BYTES] = buffer.byteLength;
        table[at + TAG_ADDRESS] = tag?.address ?? -1;
        table[at + TAG] = tag?.value ?? 0;
        table[at + ADDRESS] = address;
        table[at + STRIDE] = stride;
        table[at + WORDS] = length;
        table[at + FIRST] = first;
      }
      words[REGIONS] = described.length;
      words[GENERATION]++;
    },
    wordOf(view, index) {
      const byte = view.byteOffset + index * view.BYTES_PER_ELEMENT;
      for (const at of regionsIn(view.buffer)) {
        const word = (byte - table[at + ADDRESS]) / table[at + STRIDE];
        if (word >= 0 && word < table[at + WORDS] && Number.isInteger(word)) return table[at + FIRST] + word;
      }
      return -1;
    },
    valueAt(word) {
      for (const { first, words: length, ints, address, stride = 4 } of described) {
        if (word >= first && word < first + length) return ints[(address + (word - first) * stride) / 4];
      }
      return 0;
    },
  };
}
