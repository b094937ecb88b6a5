import { types } from 'node:util';
import { PAGE_SIZE } from '../../units.js';

/** What a batch must know of an engine's memory: which buffers are it, and which of its addresses may be copied. */
export interface EngineMemory {
  readonly buffer: SharedArrayBuffer;
  /** Whether a buffer is this memory, be it by another object. */
  is(buffer: SharedArrayBuffer): boolean;
  /** Whether all bytes of a range are in the nodes. */
  holds(address: number, bytes: number): boolean;
  /** Whether a frame of a range is poisoned. */
  isPoisoned(address: number, bytes: number): boolean;
  /** Where the nodes are, for an error. */
  describe(): string;
}

/** A buffer, and its first byte's address on a {@link Line}. */
export interface PlacedBuffer {
  readonly base: number;
  readonly buffer: SharedArrayBuffer;
}

/**
 * Every buffer of a batch at an address of its own, the engine's memory at 0: so one number names any byte, overlaps are
 * found by one look, and ranges in different buffers never touch.
 */
export class Line {
  readonly #memory: EngineMemory;
  readonly #bases = new Map<ArrayBufferLike, number>();
  /** The buffers beside the engine's memory, by their base. */
  readonly foreign: PlacedBuffer[] = [];
  #end: number;

  constructor(memory: EngineMemory) {
    this.#memory = memory;
    this.#bases.set(memory.buffer, 0);
    this.#end = spaceOf(memory.buffer);
  }

  /** The address of a buffer's first byte; -1 of one that is not shared. */
  baseOf(buffer: ArrayBufferLike): number {
    return this.#bases.get(buffer) ?? this.#place(buffer);
  }

  #place(buffer: ArrayBufferLike): number {
    if (!isShared(buffer)) return -1;
    const base = this.#memory.is(buffer) ? 0 : this.#end;
    this.#bases.set(buffer, base);
    if (base === 0) return base;
    this.foreign.push({ base, buffer });
    this.#end += spaceOf(buffer);
    return base;
  }
}

/** Whole pages, and one more, so that neighbours on the line don't touch, however much one that can grow does meanwhile. */
function spaceOf(buffer: SharedArrayBuffer): number {
  return (Math.ceil(mostBytes(buffer) / PAGE_SIZE) + 1) * PAGE_SIZE;
}

/** As long as a buffer ever gets. */
function mostBytes({ byteLength, maxByteLength }: SharedArrayBuffer & { readonly maxByteLength?: number }): number {
  return maxByteLength ?? byteLength;
}

/** Whether `room` bytes have a range. One that a view gives by getters of its own may be anything. */
export function isRange(offset: number, bytes: number, room: number): boolean {
  return Number.isInteger(offset) && Number.isInteger(bytes) && offset >= 0 && bytes >= 0 && offset + bytes <= room;
}

/** Whether a buffer is shared, also one that another realm made. */
export function isShared(buffer: ArrayBufferLike): buffer is SharedArrayBuffer {
  return types.isSharedArrayBuffer(buffer);
}
