import type { CopyEngine } from '../copy/engine.js';
import { ERRNO } from '../errno.js';
import type { Migrator } from '../migrate/migrator.js';

/** The migrator that copies with an engine's threads: `engine.threads` of them, whole folios or chunks of them. */
export function createMtcopyMigrator(engine: CopyEngine): Migrator {
  return {
    name: 'mtcopy',
    async copyFolio(to, from, bytes) {
      const item = { to: Uint32Array.of(to), from: Uint32Array.of(from), bytes: Uint32Array.of(bytes) };
      const { failed } = await engine.copyBatch(item);
      return failed.length === 0 ? 0 : ERRNO[failed[0]?.code ?? 'EIO'];
    },
    async copyFolios(items, errnos) {
      const { failed } = await engine.copyBatch(items);
      for (const { index, code } of failed) errnos[index] = ERRNO[code];
    },
  };
}
