import type { BatchRules } from './batch/batch.js';
import { isShared } from './batch/line.js';
import type { CopyOne } from './copy-one.js';
import { createReach, isBelow } from './small-views.js';

/**
 * Copies one pair of fewer bytes than `limit` on the calling thread, at once.
 *
 * @returns how many; -1, and nothing is copied, if it must go the long way
 */
export type CopyNow = (to: ArrayBufferView, from: ArrayBufferView, limit: number) => number;

/** The short way of one small pair, whose checks and bytes together cost less than planning it. */
export function createCopyNow({ memory, method }: BatchRules, copyOne: CopyOne): CopyNow {
  const reaches = createReach(memory);
  const copyPair = (
    to: ArrayBufferView,
    from: ArrayBufferView,
    toBuffer: SharedArrayBuffer,
    fromBuffer: SharedArrayBuffer,
    bytes: number,
  ) => {
    const { byteOffset: target } = to;
    const { byteOffset: source } = from;
    const writesOwn = memory.is(toBuffer);
    const readsOwn = memory.is(fromBuffer);
    if (!reaches(toBuffer, writesOwn, target, bytes) || !reaches(fromBuffer, readsOwn, source, bytes)) return false;
    const isSame = toBuffer === fromBuffer || (writesOwn && readsOwn);
    if (isSame && overlap(target, source, bytes)) return false;
    if (writesOwn && readsOwn && method !== 'typed-array') return copyOne(target, source, bytes);
    if (method === 'memory.copy' || (readsOwn && memory.isPoisoned(source, bytes))) return false;
    // By views of its own: a subclass may have anything else done, or be elsewhere than it says.
    new Uint8Array(toBuffer, target, bytes).set(new Uint8Array(fromBuffer, source, bytes));
    return true;
  };
  return (to, from, limit) => {
    if (!ArrayBuffer.isView(to) || !ArrayBuffer.isView(from)) return -1;
    const { buffer: toBuffer } = to;
    const { buffer: fromBuffer } = from;
    // First: a DataView whose buffer is gone has no length.
    if (!isShared(toBuffer) || !isShared(fromBuffer)) return -1;
    const bytes = to.byteLength;
    if (bytes !== from.byteLength || !isBelow(bytes, limit)) return -1;
    return copyPair(to, from, toBuffer, fromBuffer, bytes) ? bytes : -1;
  };
}

function overlap(a: number, b: number, bytes: number): boolean {
  return a < b + bytes && b < a + bytes;
}
