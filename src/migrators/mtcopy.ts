import type { CopyItems } from '../copy/batch/items.js';
import type { CopyResult } from '../copy/result.js';
import { ERRNO } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { COPIED, type Migrator } from '../migrate/migrator.js';
import { KiB } from '../units.js';
import type { Stores } from '../words.js';
import { isCpuSaturated } from './cpu-saturation.js';

/**
 * Bytes of the smallest batch that is worth threads, unless told otherwise: where two begin to gain on scattered pages. A
 * fixed number, and not the engine's own choice, so that an experiment on threads is one.
 */
export const MTCOPY_MIN_BYTES = 512 * KiB;

/** The migrator `'mtcopy'`. What can be set may be so at any time, for later batches. */
export interface MtcopyMigrator extends Migrator {
  minFolios: number;
  minBytes: number;
  /** Whether it declines batches while every core of the host is busy: its threads would slow others down. Default: false. */
  saturationGate: boolean;
}

/**
 * The migrator that copies with threads, which share a batch: whole folios or chunks of them.
 *
 * @param memory whose addresses `copy` takes
 * @param copy has the threads share whatever it is given, for what is small never comes to it, with such stores
 */
export function createMtcopyMigrator(
  copy: (items: CopyItems, stores: Stores) => Promise<CopyResult>,
  memory: PhysicalMemory,
): MtcopyMigrator {
  const migrator: MtcopyMigrator = {
    name: 'mtcopy',
    memory,
    minFolios: 1,
    minBytes: MTCOPY_MIN_BYTES,
    saturationGate: false,
    async copyFolios({ items, copied, usage, stores }) {
      if (migrator.saturationGate && isCpuSaturated()) return ERRNO.EOPNOTSUPP;
      const { failed, workerNs } = await copy(items, stores);
      copied.fill(COPIED);
      for (const { index } of failed) copied[index] = 0;
      usage.threads += workerNs;
      return 0;
    },
  };
  return migrator;
}
