import { PAGE_SHIFT, PAGE_SIZE } from '../units.js';

/**
 * Which frames have a hardware memory error: a bit a frame, in the physical memory itself, so that a copy loop in
 * WebAssembly can look at it. The first word counts the poisoned frames: while it is 0 nobody needs the bits.
 *
 * Any thread may read. The thread that allocates and frees also poisons.
 */
export class PoisonMap {
  readonly #count: Int32Array;
  readonly #bits: Int32Array;

  /** Bytes from the start of the map, where the count is, to its bits. The copy loop in WebAssembly relies on it. */
  static readonly BITS_OFFSET = 64;

  /** A map of `pages` frames at `address` of `buffer`, whose bytes must be zero. Default: all frames that the buffer has. */
  constructor(buffer: SharedArrayBuffer, address: number, pages = buffer.byteLength / PAGE_SIZE) {
    this.#count = new Int32Array(buffer, address, 1);
    this.#bits = new Int32Array(buffer, address + PoisonMap.BITS_OFFSET, Math.ceil(pages / 32));
  }

  /** Poisoned frames. */
  get count(): number {
    return Atomics.load(this.#count, 0);
  }

  has(pfn: number): boolean {
    return ((Atomics.load(this.#bits, pfn >>> 5) >>> (pfn & 31)) & 1) === 1;
  }

  /** Sets the bit; false if it was set before. */
  set(pfn: number): boolean {
    const bit = 1 << (pfn & 31);
    // The bit goes before the count: a copy loop that sees a count above 0 must find the bit.
    if (Atomics.or(this.#bits, pfn >>> 5, bit) & bit) return false;
    Atomics.add(this.#count, 0, 1);
    return true;
  }

  /** Clears the bit; false if it wasn't set. */
  clear(pfn: number): boolean {
    const bit = 1 << (pfn & 31);
    if (!(Atomics.and(this.#bits, pfn >>> 5, ~bit) & bit)) return false;
    // After the bit: while a bit is set the count says so.
    Atomics.sub(this.#count, 0, 1);
    return true;
  }

  /** Whether any of the 2^order frames from `pfn` is poisoned. */
  covers(pfn: number, order: number): boolean {
    // A plain read: only the thread that allocates asks, and it alone writes.
    return this.#count[0] > 0 && this.#anyFrom(pfn, pfn + (1 << order) - 1);
  }

  /** Whether any frame that the `bytes` from `address` touch is poisoned. */
  touches(address: number, bytes: number): boolean {
    if (bytes === 0 || this.count === 0) return false;
    const last = Math.min(Math.floor((address + bytes - 1) / 2 ** PAGE_SHIFT), this.#bits.length * 32 - 1);
    return this.#anyFrom(Math.floor(address / 2 ** PAGE_SHIFT), last);
  }

  #anyFrom(first: number, last: number): boolean {
    for (let pfn = first; pfn <= last; pfn++) if (this.has(pfn)) return true;
    return false;
  }
}
