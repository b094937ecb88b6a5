import type { CopyItems } from '../copy/batch/items.js';
import { createCopyOne } from '../copy/copy-one.js';
import type { CopyResult } from '../copy/result.js';
import { ERRNO } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Migrator } from '../migrate/migrator.js';
import { KiB } from '../units.js';

/**
 * Bytes from which threads should copy a batch, unless told otherwise: where two begin to gain on scattered pages. A fixed
 * number, and not the engine's own choice, so that an experiment on threads is one.
 */
export const MTCOPY_MIN_PARALLEL_BYTES = 512 * KiB;

/** The memory that is copied, and the threads that copy it. */
export interface CopyThreads {
  readonly memory: PhysicalMemory;
  copy(items: CopyItems): Promise<CopyResult>;
}

/** The migrator `'mtcopy'`, and from how much on a batch is for its threads. */
export interface MtcopyMigrator extends Migrator {
  minFolios: number;
  minBytes: number;
}

/**
 * The migrator that copies with threads, which share a batch: whole folios or chunks of them. A folio that is copied alone
 * and is too small for that is copied at once.
 */
export function createMtcopyMigrator({ memory, copy }: CopyThreads): MtcopyMigrator {
  const copyOne = createCopyOne(memory);
  const migrator: MtcopyMigrator = {
    name: 'mtcopy',
    minFolios: 1,
    minBytes: MTCOPY_MIN_PARALLEL_BYTES,
    copyFolio(to, from, bytes) {
      if (bytes < migrator.minBytes) return copyOne(to, from, bytes) ? 0 : ERRNO.EHWPOISON;
      const item = { to: Uint32Array.of(to), from: Uint32Array.of(from), bytes: Uint32Array.of(bytes) };
      return copy(item).then(({ failed: [failed] }) => (failed ? ERRNO[failed.code] : 0));
    },
    async copyFolios(items, errnos) {
      const { failed } = await copy(items);
      for (const { index, code } of failed) errnos[index] = ERRNO[code];
    },
  };
  return migrator;
}
