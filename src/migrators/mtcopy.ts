import type { CopyItems } from '../copy/batch/items.js';
import type { CopyResult } from '../copy/result.js';
import type { Migrator } from '../migrate/migrator.js';
import { KiB } from '../units.js';

/**
 * Bytes of the smallest batch that is worth threads, unless told otherwise: where two begin to gain on scattered pages. A
 * fixed number, and not the engine's own choice, so that an experiment on threads is one.
 */
const MTCOPY_MIN_BYTES = 512 * KiB;

/** The migrator `'mtcopy'`. Its minimums may be set at any time, for later batches. */
export interface MtcopyMigrator extends Migrator {
  minFolios: number;
  minBytes: number;
}

/**
 * The migrator that copies with threads, which share a batch: whole folios or chunks of them.
 *
 * @param copy has the threads share whatever it is given, for what is small never comes to it
 */
export function createMtcopyMigrator(copy: (items: CopyItems) => Promise<CopyResult>): MtcopyMigrator {
  return {
    name: 'mtcopy',
    minFolios: 1,
    minBytes: MTCOPY_MIN_BYTES,
    async copyFolios({ items, copied, usage }) {
      const { failed, workerNs } = await copy(items);
      copied.fill(1);
      for (const { index } of failed) copied[index] = 0;
      usage.threads += workerNs;
      return 0;
    },
  };
}
