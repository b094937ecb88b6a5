import type { PlacedBuffer } from '../batch/line.js';

/** The longest view that every supported Node.js can make. */
const MAX_VIEW_BYTES = 2 ** 32;

/** A buffer as one thread sees it. */
interface OpenBuffer extends PlacedBuffer {
  /** `undefined` for one that is too large for a view. */
  readonly bytes: Uint8Array | undefined;
}

/** Copies `bytes` between two addresses of a line. */
export type CopyOnLine = (to: number, from: number, bytes: number) => void;

/**
 * Opens the buffers of a line in this thread. Views can't be sent: those of 4 GiB arrive empty on Node.js 20.
 *
 * @param engine all bytes of the engine's memory, which is at 0
 * @param foreign the other buffers, by their base
 */
export function openLine(engine: Uint8Array, foreign: readonly PlacedBuffer[]): CopyOnLine {
  const buffers = [{ base: 0, buffer: engine.buffer as SharedArrayBuffer }, ...foreign];
  // Each when it is wanted: there may be very many.
  const opened: OpenBuffer[] = new Array(buffers.length);
  const bufferAt = (address: number) => {
    const at = find(buffers, address);
    opened[at] ??= open(buffers[at]);
    return opened[at];
  };
  let toBuffer = bufferAt(0);
  let fromBuffer = toBuffer;
  return (to, from, bytes) => {
    if (!holds(toBuffer, to)) toBuffer = bufferAt(to);
    if (!holds(fromBuffer, from)) fromBuffer = bufferAt(from);
    const target = to - toBuffer.base;
    const source = from - fromBuffer.base;
    if (!toBuffer.bytes || !fromBuffer.bytes) {
      viewOf(toBuffer, target, bytes).set(viewOf(fromBuffer, source, bytes));
      return;
    }
    // copyWithin needs no view of the source; between two buffers there is no way without one a piece.
    if (toBuffer === fromBuffer) toBuffer.bytes.copyWithin(target, source, source + bytes);
    else toBuffer.bytes.set(fromBuffer.bytes.subarray(source, source + bytes), target);
  };
}

function open({ base, buffer }: PlacedBuffer): OpenBuffer {
  return { base, buffer, bytes: buffer.byteLength <= MAX_VIEW_BYTES ? new Uint8Array(buffer) : undefined };
}

function viewOf({ buffer }: OpenBuffer, offset: number, bytes: number): Uint8Array {
  return new Uint8Array(buffer, offset, bytes);
}

function holds({ base, buffer }: OpenBuffer, address: number): boolean {
  return address >= base && address < base + buffer.byteLength;
}

/** Position of the buffer that has an address: the last whose base is not beyond it. */
function find(buffers: readonly PlacedBuffer[], address: number): number {
  let low = 0;
  let high = buffers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (buffers[middle].base <= address) low = middle;
    else high = middle - 1;
  }
  return low;
}
