import { KiB, MiB } from '../../units.js';

/** Bytes from which an array is worth keeping: a smaller one the C library has at hand, pages and all. */
const LEAST_BYTES = 64 * KiB;
/** What a thread keeps at most, in bytes: for a batch of a million items. */
const MOST_KEPT_BYTES = 16 * MiB;

/** What calls have given back, the longest kept first. One a thread: what one engine gives back another's call may take. */
const kept: ArrayBuffer[] = [];

/**
 * The arrays of one call. A long list is a page fault every 1,024 items and soon a garbage collection, which together cost as much
 * as checking it: so arrays are taken from those that earlier calls gave back.
 */
export interface Lists {
  /** So many words, or doubles. What is in them is anything. @throws RangeError if there is no memory for them */
  words(count: number): Uint32Array;
  doubles(count: number): Float64Array;
  /** Gives all of them back: nobody may look at any from then on. */
  release(): void;
}

export function openLists(): Lists {
  const taken: ArrayBuffer[] = [];
  const take = (bytes: number) => {
    if (bytes < LEAST_BYTES) return new ArrayBuffer(bytes);
    const buffer = takeKept(bytes) ?? new ArrayBuffer(bytes);
    taken.push(buffer);
    return buffer;
  };
  return {
    words: (count) => new Uint32Array(take(4 * count), 0, count),
    doubles: (count) => new Float64Array(take(8 * count), 0, count),
    release() {
      kept.push(...taken.splice(0).filter(({ byteLength }) => byteLength <= MOST_KEPT_BYTES));
      for (let bytes = keptBytes(); bytes > MOST_KEPT_BYTES; bytes = keptBytes()) kept.shift();
    },
  };
}

/** The smallest of those kept that has room. */
function takeKept(bytes: number): ArrayBuffer | undefined {
  let best = -1;
  for (let i = 0; i < kept.length; i++) {
    if (kept[i].byteLength < bytes) continue;
    if (best < 0 || kept[i].byteLength < kept[best].byteLength) best = i;
  }
  return best < 0 ? undefined : kept.splice(best, 1)[0];
}

function keptBytes(): number {
  return kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
