import type { PhysicalMemory } from '../memory/physical-memory.js';
import { type Pfn, pagesOf } from '../units.js';
import { DESCRIPTOR_WORDS } from './batch/plan.js';
import type { NativeWalker } from './worker/native-walker.js';

/** In front of the list: the stop word, which nobody sets, and the one that counts what was left. */
const STOP_OFFSET = 0;
const LEFT_OFFSET = 4;
const LIST_OFFSET = 64;
const DESCRIPTOR_BYTES = 4 * DESCRIPTOR_WORDS;

/**
 * A list of copies that its thread makes itself with the loop in C, past the caches. It lies in the physical memory, where that
 * loop wants it, in an area that is one thread's alone: what is listed is copied before anybody else may list something.
 */
export interface StreamList {
  /** Copies that it has room for. */
  readonly room: number;
  /** Puts a copy of 1 byte or more at a place, between physical addresses. */
  put(at: number, to: number, from: number, bytes: number): void;
  /**
   * Copies what is listed at `first` up to, not including, `end`, until more than `limit` bytes are, but for what has a poisoned
   * frame in its source. All that is copied is seen by every thread.
   *
   * @returns the place to go on with; `end` if that was all
   */
  walk(first: number, end: number, limit: number): number;
  /** Bytes of the copy at a place that are still to be made; of one that was passed over, all that were left then. */
  left(at: number): number;
}

/** Where a list lies in a physical memory. */
export interface StreamListArea {
  /** Physical address, a multiple of 64. */
  readonly address: number;
  /** 128 or more; nobody else uses them as long as there is the list. */
  readonly bytes: number;
}

/** Reserved memory for lists, which the caller frees; `undefined` while engines have all of it. */
export function takeListMemory(memory: PhysicalMemory, bytes: number): Pfn | undefined {
  try {
    return memory.allocReserved(pagesOf(bytes));
  } catch {
    return undefined;
  }
}

/** A list in a memory, or what another thread knows of one. */
export function createStreamList(
  walker: NativeWalker,
  { buffer, poisonAddress }: Pick<PhysicalMemory, 'buffer' | 'poisonAddress'>,
  { address, bytes }: StreamListArea,
): StreamList {
  const memory = new Uint8Array(buffer);
  const stop = address + STOP_OFFSET;
  const left = address + LEFT_OFFSET;
  const list = address + LIST_OFFSET;
  const room = Math.floor((bytes - LIST_OFFSET) / DESCRIPTOR_BYTES);
  const words = new Uint32Array(buffer, list, room * DESCRIPTOR_WORDS);
  memory.fill(0, address, address + bytes);
  return {
    room,
    put(at, to, from, bytes) {
      const word = at * DESCRIPTOR_WORDS;
      words[word] = to;
      words[word + 1] = from;
      words[word + 2] = bytes;
    },
    walk(first, end, limit) {
      const from = list + first * DESCRIPTOR_BYTES;
      const next = walker.walk(memory, from, list + end * DESCRIPTOR_BYTES, stop, poisonAddress, left, limit);
      return (next - list) / DESCRIPTOR_BYTES;
    },
    left: (at) => words[at * DESCRIPTOR_WORDS + 2],
  };
}
