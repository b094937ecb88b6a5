import { KiB } from '../units.js';
import type { BatchRules } from './batch/batch.js';
import { isShared } from './batch/line.js';
import { type CompareOne, EQUAL, UNKNOWN } from './compare-one.js';
import { createReach, isBelow } from './small-views.js';
import { equalBytes } from './worker/line-views.js';

/**
 * Compares two views of fewer bytes than `limit` on the calling thread, at once.
 *
 * @returns where they first differ, {@link EQUAL}, or {@link UNKNOWN} if that is to be found the long way
 */
export type CompareNow = (a: ArrayBufferView, b: ArrayBufferView, limit: number) => number;

/** What the loop in C saves in larger ones is more than what the short way does. */
const MAX_BYTES = 32 * KiB;

/** The short way of a small compare. */
export function createCompareNow({ memory, method }: BatchRules, compareOne: CompareOne): CompareNow {
  const reaches = createReach(memory);
  const comparePair = (
    a: ArrayBufferView,
    b: ArrayBufferView,
    aBuffer: SharedArrayBuffer,
    bBuffer: SharedArrayBuffer,
    bytes: number,
  ) => {
    const { byteOffset: aOffset } = a;
    const { byteOffset: bOffset } = b;
    const isAOwn = memory.is(aBuffer);
    const isBOwn = memory.is(bBuffer);
    if (!reaches(aBuffer, isAOwn, aOffset, bytes) || !reaches(bBuffer, isBOwn, bOffset, bytes)) return UNKNOWN;
    if (isAOwn && isBOwn && method !== 'typed-array') return compareOne(aOffset, bOffset, bytes);
    if (method === 'memory.copy') return UNKNOWN;
    if ((isAOwn && memory.isPoisoned(aOffset, bytes)) || (isBOwn && memory.isPoisoned(bOffset, bytes))) return UNKNOWN;
    // By views of its own, as copies do.
    const equal = equalBytes(new Uint8Array(aBuffer, aOffset, bytes), new Uint8Array(bBuffer, bOffset, bytes));
    return equal === bytes ? EQUAL : equal;
  };
  return (a, b, limit) => {
    if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return UNKNOWN;
    const { buffer: aBuffer } = a;
    const { buffer: bBuffer } = b;
    // First: a DataView whose buffer is gone has no length.
    if (!isShared(aBuffer) || !isShared(bBuffer)) return UNKNOWN;
    const bytes = a.byteLength;
    if (bytes !== b.byteLength || !isBelow(bytes, limit) || bytes > MAX_BYTES) return UNKNOWN;
    return comparePair(a, b, aBuffer, bBuffer, bytes);
  };
}
