import { type CopyEngine, copyTrusted } from '../copy/engine.js';
import type { Migrator } from '../migrate/migrator.js';
import { KiB } from '../units.js';

/**
 * Bytes of the smallest batch that is worth its threads: where two begin to gain on scattered pages. A fixed number, and not
 * the engine's own choice, so that an experiment on threads is one.
 */
export const MTCOPY_MIN_BYTES = 512 * KiB;

/**
 * The migrator that copies with an engine's threads: `engine.threads` of them share a batch, whole folios or chunks of them.
 * The engine should share whatever it is given (`minParallelBytes: 0`), for what is small never comes to it.
 */
export function createMtcopyMigrator(engine: CopyEngine): Migrator {
  return {
    name: 'mtcopy',
    minFolios: 1,
    minBytes: MTCOPY_MIN_BYTES,
    async copyFolios({ items, copied, usage }) {
      const { failed, workerNs } = await copyTrusted(engine, items);
      copied.fill(1);
      for (const { index } of failed) copied[index] = 0;
      usage.threads += workerNs;
      return 0;
    },
  };
}
