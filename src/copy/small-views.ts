import { types } from 'node:util';
import { type EngineMemory, isRange } from './batch/line.js';

/**
 * What tells whether a view's range is in its buffer, or in the nodes if that is the engine's. A view may have getters of its own,
 * so what it says is looked at.
 */
export function createReach(memory: EngineMemory) {
  return (buffer: SharedArrayBuffer, isOwn: boolean, offset: number, bytes: number): boolean =>
    isRange(offset, bytes, Number.POSITIVE_INFINITY) &&
    (isOwn ? memory.holds(offset, bytes) : offset + bytes <= buffer.byteLength);
}

/** The view itself, if it is of bytes and as many as it says, which a subclass may not be. */
export function bytesOf(view: ArrayBufferView, buffer: SharedArrayBuffer, offset: number, bytes: number): Uint8Array {
  return types.isUint8Array(view) && view.length === bytes ? view : new Uint8Array(buffer, offset, bytes);
}
