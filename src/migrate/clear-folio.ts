import { show } from '../errno.js';
import type { ClearOffload } from '../mm/clear-offload.js';
import type { Migrator } from './migrator.js';
import type { OffloadRegistry } from './offload.js';
import { KERNEL } from './stats.js';

/** Has the registered migrator zero folios for faults, if it does such, and counts who has. */
export function createClearOffload(offload: OffloadRegistry): ClearOffload {
  /** Those that have thrown: each is told of once, for faults are many. */
  const told = new WeakSet<Migrator>();
  return {
    wants: (bytes) => offload.wantsClear(bytes),
    async clear(address, bytes) {
      const use = offload.getForClear(bytes);
      if (!use?.migrator) return false;
      const { migrator } = use;
      try {
        const isCleared = await clearOne(migrator, address, bytes);
        offload.countCleared(isCleared ? migrator.name : KERNEL, bytes);
        return isCleared;
      } catch (error) {
        // A fault has no caller who has chosen the migrator, and could do something: the program goes on.
        if (!told.has(migrator)) warn(migrator, error);
        told.add(migrator);
        offload.countCleared(KERNEL, bytes);
        return false;
      } finally {
        use.put();
      }
    },
  };
}

async function clearOne(migrator: Migrator, address: number, bytes: number): Promise<boolean> {
  const cleared = new Uint8Array(1);
  await migrator.clearFolios?.({ items: { to: Uint32Array.of(address), bytes: Uint32Array.of(bytes) }, cleared });
  return cleared[0] !== 0;
}

function warn({ name }: Migrator, error: unknown): void {
  const detail = error instanceof Error ? error.stack : show(error);
  process.emitWarning(`migrator '${name}': clearFolios has thrown; the calling thread clears instead`, {
    type: 'MigratorWarning',
    ...(detail === undefined ? {} : { detail }),
  });
}
