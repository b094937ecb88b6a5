import type { BatchRules } from './batch/batch.js';
import { isShared } from './batch/line.js';
import type { CopyOne } from './copy-one.js';

/** Copies one pair on the calling thread, at once. False, and nothing is copied, if it must go the long way. */
export type CopyNow = (to: ArrayBufferView, from: ArrayBufferView, bytes: number) => boolean;

/** The short way of one small pair, whose checks and bytes together cost less than planning it. */
export function createCopyNow({ memory, method }: BatchRules, copyOne: CopyOne): CopyNow {
  return (to, from, bytes) => {
    const { buffer: toBuffer, byteOffset: target } = to;
    const { buffer: fromBuffer, byteOffset: source } = from;
    if (!isShared(toBuffer) || !isShared(fromBuffer)) return false;
    const writesOwn = memory.is(toBuffer);
    const readsOwn = memory.is(fromBuffer);
    const reaches = (isOwn: boolean, address: number) => !isOwn || memory.holds(address, bytes);
    if (!reaches(writesOwn, target) || !reaches(readsOwn, source)) return false;
    const isSame = toBuffer === fromBuffer || (writesOwn && readsOwn);
    if (isSame && overlap(target, source, bytes)) return false;
    if (writesOwn && readsOwn && method !== 'typed-array') return copyOne(target, source, bytes);
    if (method === 'memory.copy' || (readsOwn && memory.isPoisoned(source, bytes))) return false;
    bytesOf(to).set(bytesOf(from));
    return true;
  };
}

function overlap(a: number, b: number, bytes: number): boolean {
  return a < b + bytes && b < a + bytes;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
