import type { Work } from '../copy/batch/batch.js';
import type { CopyItems } from '../copy/batch/items.js';
import type { CopyResult } from '../copy/result.js';
import { ERRNO } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { CLEARED, COPIED, type Migrator } from '../migrate/migrator.js';
import { KiB, MiB } from '../units.js';
import type { Stores } from '../words.js';
import { isCpuSaturated } from './cpu-saturation.js';
import { takeBatch, takeClearBatch } from './take-batch.js';

/**
 * Bytes of the smallest batch that is worth threads, unless told otherwise: where two begin to gain on scattered pages. A
 * fixed number, and not the engine's own choice, so that an experiment on threads is one.
 */
export const MTCOPY_MIN_BYTES = 512 * KiB;
/**
 * Bytes of the smallest batch that it clears: where threads begin to gain if the operating system has yet to make the pages. To
 * have them woken takes longer than zeroing as much that is there.
 */
const MIN_CLEAR_BYTES = 2 * MiB;

/** What has the threads of an engine share whatever it is given, with such stores, for what is small never comes to it. */
export type RunShared = (work: Work, items: CopyItems, stores: Stores) => Promise<CopyResult>;

const COPY: Work = { kind: 'copy' };
const CLEAR: Work = { kind: 'fill', byte: 0 };

/** The migrator `'mtcopy'`. What can be set may be so at any time, for later batches. */
export interface MtcopyMigrator extends Migrator {
  minFolios: number;
  minBytes: number;
  /** Whether it declines batches while every core of the host is busy: its threads would slow others down. Default: false. */
  saturationGate: boolean;
}

/**
 * The migrator that copies and clears with threads, which share a batch: whole folios or chunks of them.
 *
 * @param memory whose addresses `run` takes
 */
export function createMtcopyMigrator(run: RunShared, memory: PhysicalMemory): MtcopyMigrator {
  const migrator: MtcopyMigrator = {
    name: 'mtcopy',
    memory,
    minFolios: 1,
    minBytes: MTCOPY_MIN_BYTES,
    saturationGate: false,
    async copyFolios(batch) {
      const { items, copied, usage, stores } = takeBatch(memory, batch);
      if (migrator.saturationGate && isCpuSaturated()) return ERRNO.EOPNOTSUPP;
      const { failed, workerNs } = await run(COPY, items, stores);
      copied.fill(COPIED);
      for (const { index } of failed) copied[index] = 0;
      usage.threads += workerNs;
      return 0;
    },
    async clearFolios(batch) {
      const { items, cleared } = takeClearBatch(memory, batch);
      const { to, bytes } = items;
      if (bytes.reduce((sum, one) => sum + one, 0) < MIN_CLEAR_BYTES) return ERRNO.EOPNOTSUPP;
      if (migrator.saturationGate && isCpuSaturated()) return ERRNO.EOPNOTSUPP;
      // Nothing of a fill is left: it has no signal, and reads no poisoned frame.
      await run(CLEAR, { to, from: to, bytes }, 'auto');
      cleared.fill(CLEARED);
      return 0;
    },
  };
  return migrator;
}
