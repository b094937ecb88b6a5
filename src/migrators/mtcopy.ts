import { createCopyOne } from '../copy/copy-one.js';
import { type CopyEngine, copyTrusted } from '../copy/engine.js';
import { ERRNO } from '../errno.js';
import type { Migrator } from '../migrate/migrator.js';
import { KiB } from '../units.js';

/**
 * Bytes from which an engine for this migrator should use its threads: where two begin to gain on scattered pages. A fixed
 * number, and not the engine's own choice, so that an experiment on threads is one.
 */
export const MTCOPY_MIN_PARALLEL_BYTES = 512 * KiB;

/**
 * The migrator that copies with an engine's threads: `engine.threads` of them share a batch, whole folios or chunks of them.
 * A folio that is copied alone and is too small for that is copied at once.
 */
export function createMtcopyMigrator(engine: CopyEngine): Migrator {
  const copyOne = createCopyOne(engine.memory);
  return {
    name: 'mtcopy',
    copyFolio(to, from, bytes) {
      if (bytes < MTCOPY_MIN_PARALLEL_BYTES) return copyOne(to, from, bytes) ? 0 : ERRNO.EHWPOISON;
      const item = { to: Uint32Array.of(to), from: Uint32Array.of(from), bytes: Uint32Array.of(bytes) };
      return copyTrusted(engine, item).then(({ failed: [failed] }) => (failed ? ERRNO[failed.code] : 0));
    },
    async copyFolios(items, errnos) {
      const { failed } = await copyTrusted(engine, items);
      for (const { index, code } of failed) errnos[index] = ERRNO[code];
    },
  };
}
