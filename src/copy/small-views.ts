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

/** Whether a view's length is one, and fewer bytes than `limit`: what it says may be anything, also what can't be compared. */
export function isBelow(bytes: unknown, limit: number): boolean {
  return typeof bytes === 'number' && bytes < limit;
}
