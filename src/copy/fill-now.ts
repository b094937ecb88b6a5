import { KiB } from '../units.js';
import type { BatchRules } from './batch/batch.js';
import { isShared } from './batch/line.js';
import type { FillOne } from './fill-one.js';
import { createReach, isBelow } from './small-views.js';

/**
 * Fills a view of fewer bytes than `limit` on the calling thread, at once.
 *
 * @returns how many; -1, and nothing is filled, if it must go the long way
 */
export type FillNow = (view: ArrayBufferView, byte: number, limit: number) => number;

/** Of other memory than the engine's: to copy so much from memory that isn't shared is faster than to fill memory that is. */
const MAX_FOREIGN_BYTES = 4 * KiB;

/** The short way of a small fill. */
export function createFillNow({ memory, method }: BatchRules, fillOne: FillOne): FillNow {
  const reaches = createReach(memory);
  const pattern = new Uint8Array(MAX_FOREIGN_BYTES);
  return (view, byte, limit) => {
    if (!ArrayBuffer.isView(view) || !isByte(byte)) return -1;
    const { buffer } = view;
    // First: a DataView whose buffer is gone has no length.
    if (!isShared(buffer)) return -1;
    const { byteLength: bytes, byteOffset: offset } = view;
    if (!isBelow(bytes, limit)) return -1;
    const isOwn = memory.is(buffer);
    if (!reaches(buffer, isOwn, offset, bytes)) return -1;
    if (isOwn && method !== 'typed-array') {
      fillOne(offset, bytes, byte);
      return bytes;
    }
    if (method === 'memory.copy' || bytes > MAX_FOREIGN_BYTES) return -1;
    // By a view of its own, as copies do.
    new Uint8Array(buffer, offset, bytes).set(pattern.fill(byte, 0, bytes).subarray(0, bytes));
    return bytes;
  };
}

function isByte(byte: unknown): boolean {
  return typeof byte === 'number' && byte === (byte & 255);
}
