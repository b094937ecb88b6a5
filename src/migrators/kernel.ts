import { type CopyOne, createCopyOne } from '../copy/copy-one.js';
import { ERRNO } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Migrator } from '../migrate/migrator.js';
import { createSlice, needResched, resched, type Slice } from '../migrate/resched.js';
import { KiB, PAGE_SIZE } from '../units.js';

/** What is copied of a large folio between two looks at the clock: some 20 microseconds' work. */
const PIECE_BYTES = 256 * KiB;

/**
 * The migrator that copies on the caller's thread, folio by folio, as the kernel does without a driver. The event loop gets
 * turns meanwhile, also in the middle of a large folio.
 */
export function createKernelMigrator(memory: PhysicalMemory): Migrator {
  const copyOne = createCopyOne(memory);
  return {
    name: 'kernel',
    copyFolio(to, from, bytes) {
      if (bytes > PIECE_BYTES) return copyInPieces(copyOne, createSlice(), to, from, bytes);
      return copyOne(to, from, bytes) ? 0 : ERRNO.EHWPOISON;
    },
    async copyFolios({ to, from, bytes }, errnos) {
      const slice = createSlice();
      for (let i = 0; i < to.length; i++) {
        if (bytes[i] > PIECE_BYTES) {
          errnos[i] = await copyInPieces(copyOne, slice, to[i], from[i], bytes[i]);
          continue;
        }
        if (needResched(slice, bytes[i] / PAGE_SIZE)) await resched(slice);
        errnos[i] = copyOne(to[i], from[i], bytes[i]) ? 0 : ERRNO.EHWPOISON;
      }
    },
  };
}

/** Copies a large folio. Of one with a poisoned frame the pieces before that frame's are copied, to a target nobody maps. */
async function copyInPieces(copyOne: CopyOne, slice: Slice, to: number, from: number, bytes: number): Promise<number> {
  for (let done = 0; done < bytes; done += PIECE_BYTES) {
    const piece = Math.min(PIECE_BYTES, bytes - done);
    if (needResched(slice, piece / PAGE_SIZE)) await resched(slice);
    if (!copyOne(to + done, from + done, piece)) return ERRNO.EHWPOISON;
  }
  return 0;
}
