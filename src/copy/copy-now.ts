import { types } from 'node:util';
import type { BatchRules } from './batch/batch.js';
import { isRange, isShared } from './batch/line.js';
import type { CopyOne } from './copy-one.js';

/**
 * Copies one pair of fewer bytes than `limit` on the calling thread, at once.
 *
 * @returns how many; -1, and nothing is copied, if it must go the long way
 */
export type CopyNow = (to: ArrayBufferView, from: ArrayBufferView, limit: number) => number;

const { set: setBytes } = Uint8Array.prototype;

type SharedView = ArrayBufferView<SharedArrayBuffer>;

/** The short way of one small pair, whose checks and bytes together cost less than planning it. */
export function createCopyNow({ memory, method }: BatchRules, copyOne: CopyOne): CopyNow {
  // A view may have getters of its own, so what it says is looked at.
  const reaches = (buffer: SharedArrayBuffer, isOwn: boolean, offset: number, bytes: number) =>
    isRange(offset, bytes, Number.POSITIVE_INFINITY) &&
    (isOwn ? memory.holds(offset, bytes) : offset + bytes <= buffer.byteLength);
  const copyPair = (to: SharedView, from: SharedView, bytes: number) => {
    const { buffer: toBuffer, byteOffset: target } = to;
    const { buffer: fromBuffer, byteOffset: source } = from;
    const writesOwn = memory.is(toBuffer);
    const readsOwn = memory.is(fromBuffer);
    if (!reaches(toBuffer, writesOwn, target, bytes) || !reaches(fromBuffer, readsOwn, source, bytes)) return false;
    const isSame = toBuffer === fromBuffer || (writesOwn && readsOwn);
    if (isSame && overlap(target, source, bytes)) return false;
    if (writesOwn && readsOwn && method !== 'typed-array') return copyOne(target, source, bytes);
    if (method === 'memory.copy' || (readsOwn && memory.isPoisoned(source, bytes))) return false;
    // Not what a subclass calls `set`.
    setBytes.call(bytesOf(to), bytesOf(from));
    return true;
  };
  return (to, from, limit) => {
    // First: a DataView whose buffer is gone has no length.
    if (!isSharedView(to) || !isSharedView(from)) return -1;
    const bytes = to.byteLength;
    return bytes === from.byteLength && bytes < limit && copyPair(to, from, bytes) ? bytes : -1;
  };
}

function isSharedView(view: unknown): view is SharedView {
  return ArrayBuffer.isView(view) && isShared(view.buffer);
}

function overlap(a: number, b: number, bytes: number): boolean {
  return a < b + bytes && b < a + bytes;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return types.isUint8Array(view) ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
