import { Buffer } from 'node:buffer';
import type { PlacedBuffer } from '../batch/line.js';

/** The longest view that every supported Node.js can make. */
const MAX_VIEW_BYTES = 2 ** 32;

/** A buffer as one thread sees it. */
interface OpenBuffer extends PlacedBuffer {
  /** `undefined` for one that is too large for a view. */
  readonly bytes: Uint8Array | undefined;
}

/** The buffers of a line in one thread. Ranges are of bytes from an address of the line, and each in one buffer. */
export interface OpenLine {
  copy(to: number, from: number, bytes: number): void;
  fill(to: number, byte: number, bytes: number): void;
  /** Bytes before the first that differs; all if none does. */
  compare(a: number, b: number, bytes: number): number;
}

/**
 * Opens the buffers of a line in this thread. Views can't be sent: those of 4 GiB arrive empty on Node.js 20.
 *
 * @param engine all bytes of the engine's memory, which is at 0
 * @param foreign the other buffers, by their base
 */
export function openLine(engine: Uint8Array, foreign: readonly PlacedBuffer[]): OpenLine {
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
  return {
    copy(to, from, bytes) {
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
    },
    fill(to, byte, bytes) {
      if (!holds(toBuffer, to)) toBuffer = bufferAt(to);
      fillBytes(toBuffer.buffer, to - toBuffer.base, byte, bytes);
    },
    compare(a, b, bytes) {
      if (!holds(toBuffer, a)) toBuffer = bufferAt(a);
      if (!holds(fromBuffer, b)) fromBuffer = bufferAt(b);
      return equalBytes(viewOf(toBuffer, a - toBuffer.base, bytes), viewOf(fromBuffer, b - fromBuffer.base, bytes));
    },
  };
}

const WORD = BigUint64Array.BYTES_PER_ELEMENT;

/** Fills by words, and bytes before and after them: where memory is shared V8 stores one after the other. */
function fillBytes(buffer: SharedArrayBuffer, offset: number, byte: number, bytes: number): void {
  const head = Math.min(-offset & (WORD - 1), bytes);
  const words = Math.floor((bytes - head) / WORD);
  const tail = head + words * WORD;
  new Uint8Array(buffer, offset, head).fill(byte);
  if (words > 0) new BigUint64Array(buffer, offset + head, words).fill(BigInt(byte) * 0x0101010101010101n);
  new Uint8Array(buffer, offset + tail, bytes - tail).fill(byte);
}

/** Up to so many bytes are looked at one by one. */
const FEW_BYTES = 64;

/** Bytes of two views of one length before the first that differs; all if none does. */
export function equalBytes(a: Uint8Array, b: Uint8Array): number {
  // C's memcmp, which says only whether.
  if (Buffer.compare(a, b) === 0) return a.length;
  let low = 0;
  let high = a.length;
  while (high - low > FEW_BYTES) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(a.subarray(low, middle), b.subarray(low, middle)) === 0) low = middle;
    else high = middle;
  }
  while (low < high && a[low] === b[low]) low++;
  // What was looked for is gone if somebody wrote to it meanwhile.
  return low < high ? low : a.length;
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
