import { createCopyOne } from '../copy/copy-one.js';
import { ERRNO } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { KiB, PAGE_SIZE } from '../units.js';
import { needResched, resched, type Slice } from './resched.js';

/** What is copied of a large folio between two looks at the clock: some 20 microseconds' work. */
export const PIECE_BYTES = 256 * KiB;

/**
 * Copies one folio on the calling thread (folio_mc_copy), between physical addresses; the event loop gets turns in the middle
 * of a large one. Returns 0, or EHWPOISON for a poisoned frame: the pieces before that frame's are copied then.
 */
export type FolioCopy = (slice: Slice, to: number, from: number, bytes: number) => number | Promise<number>;

/** A {@link FolioCopy} in a memory, which keeps nothing of a folio: calls may be under way at once. */
export function createFolioCopy(memory: PhysicalMemory): FolioCopy {
  const copyOne = createCopyOne(memory);
  const copyInPieces: FolioCopy = async (slice, to, from, bytes) => {
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const piece = Math.min(PIECE_BYTES, bytes - done);
      if (needResched(slice, piece / PAGE_SIZE)) await resched(slice);
      if (!copyOne(to + done, from + done, piece)) return ERRNO.EHWPOISON;
    }
    return 0;
  };
  return (slice, to, from, bytes) => {
    if (bytes > PIECE_BYTES) return copyInPieces(slice, to, from, bytes);
    return copyOne(to, from, bytes) ? 0 : ERRNO.EHWPOISON;
  };
}
