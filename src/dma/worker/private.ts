import type { PoisonMap } from '../../memory/poison-map.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../units.js';
import { SCRAMBLE, UNSCRAMBLE } from './ring.js';

/*
 * Memory that is private to a device: what stands at a frame is the plain bytes XOR a pad, made of the device's key, the
 * frame's number and the place within the page. It stands in for an engine that encrypts by physical address, and is no
 * encryption itself: whoever knows a few words of plain text finds the key.
 */

/** What addresses and sizes of such memory are multiples of, in bytes. */
const WORD_SHIFT = 2;
const PAGE_WORDS = PAGE_SIZE >>> WORD_SHIFT;
/** 2^32 by the golden ratio, odd: neighbours become far apart. */
const SPREAD = 0x9e3779b1;

/**
 * Copies `bytes` between two physical addresses, multiples of 4; flags say what of it is scrambled. Both may be the same.
 * False if a source frame is poisoned: that page and those after it are not copied.
 */
export type CopyPrivate = (to: number, from: number, bytes: number, flags: number) => boolean;

/**
 * A copy of what is private to a device, for a thread that has its key.
 *
 * @param memory the physical memory
 * @param key 1 to 2^32 - 1; it stays with this thread
 */
export function createCopyPrivate(memory: SharedArrayBuffer, poison: PoisonMap, key: number): CopyPrivate {
  const words = new Uint32Array(memory);
  return (to, from, bytes, flags) => {
    for (let done = 0; done < bytes; ) {
      const target = to + done;
      const source = from + done;
      const piece = Math.min(bytes - done, leftOfPage(target), leftOfPage(source));
      if (poison.touches(source, piece)) return false;
      copyPiece(words, key, target, source, piece, flags);
      done += piece;
    }
    return true;
  };
}

/** Copies what lies in one page each. A word that is unscrambled and scrambled again is plain in no memory. */
function copyPiece(words: Uint32Array, key: number, to: number, from: number, bytes: number, flags: number): void {
  const target = to >>> WORD_SHIFT;
  const source = from >>> WORD_SHIFT;
  const targetPad = padOf(key, to >>> PAGE_SHIFT);
  const sourcePad = padOf(key, from >>> PAGE_SHIFT);
  const count = bytes >>> WORD_SHIFT;
  for (let i = 0; i < count; i++) {
    let word = words[source + i];
    if (flags & UNSCRAMBLE) word ^= padWord(sourcePad, (source + i) & (PAGE_WORDS - 1));
    if (flags & SCRAMBLE) word ^= padWord(targetPad, (target + i) & (PAGE_WORDS - 1));
    words[target + i] = word;
  }
}

/** What the words of a frame's pad are made of. */
function padOf(key: number, pfn: number): number {
  return mix(key ^ Math.imul(pfn, SPREAD));
}

function padWord(pad: number, place: number): number {
  return mix(pad + Math.imul(place, SPREAD));
}

/** A permutation of 32-bit numbers each bit of which hangs on all bits (the constants of "lowbias32", hash-prospector). */
function mix(number: number): number {
  let x = number ^ (number >>> 16);
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return x ^ (x >>> 16);
}

function leftOfPage(address: number): number {
  return PAGE_SIZE - (address & (PAGE_SIZE - 1));
}
