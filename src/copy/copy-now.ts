import type { BatchRules } from './batch/batch.js';
import { hasRange, isShared } from './batch/line.js';
import type { CopyOne } from './copy-one.js';

/**
 * Copies one pair of fewer bytes than `limit` on the calling thread, at once.
 *
 * @returns how many; -1, and nothing is copied, if it must go the long way
 */
export type CopyNow = (to: ArrayBufferView, from: ArrayBufferView, limit: number) => number;

type SharedView = ArrayBufferView<SharedArrayBuffer>;

/** The short way of one small pair, whose checks and bytes together cost less than planning it. */
export function createCopyNow({ memory, method }: BatchRules, copyOne: CopyOne): CopyNow {
  const copyPair = (to: SharedView, from: SharedView, bytes: number) => {
    const { buffer: toBuffer, byteOffset: target } = to;
    const { buffer: fromBuffer, byteOffset: source } = from;
    const writesOwn = memory.is(toBuffer);
    const readsOwn = memory.is(fromBuffer);
    if (!hasRange(toBuffer, target, bytes) || !hasRange(fromBuffer, source, bytes)) return false;
    const reaches = (isOwn: boolean, address: number) => !isOwn || memory.holds(address, bytes);
    if (!reaches(writesOwn, target) || !reaches(readsOwn, source)) return false;
    const isSame = toBuffer === fromBuffer || (writesOwn && readsOwn);
    if (isSame && overlap(target, source, bytes)) return false;
    if (writesOwn && readsOwn && method !== 'typed-array') return copyOne(target, source, bytes);
    if (method === 'memory.copy' || (readsOwn && memory.isPoisoned(source, bytes))) return false;
    // Views of its own: what a subclass calls `set`, and whether a buffer has grown meanwhile, doesn't matter so.
    new Uint8Array(toBuffer, target, bytes).set(new Uint8Array(fromBuffer, source, bytes));
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
