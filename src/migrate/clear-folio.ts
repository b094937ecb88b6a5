import type { Clear } from '../copy/clear.js';
import { show } from '../errno.js';
import type { ClearOffload } from '../mm/clear-offload.js';
import type { Migrator } from './migrator.js';
import type { OffloadRegistry } from './offload.js';
import { KERNEL } from './stats.js';

/**
 * Has the registered migrator zero folios for faults, if it does such, and counts who has.
 *
 * @param clear zeroes what it leaves
 */
export function createClearOffload(offload: OffloadRegistry, clear: Clear): ClearOffload {
  /** Those that have thrown: each is told of once, for faults are many. */
  const told = new WeakSet<Migrator>();
  return {
    wants: (bytes) => offload.wantsClear(bytes),
    async clear(address, bytes) {
      const use = offload.getForClear();
      const isCleared = use?.migrator !== undefined && (await clearOrTell(use.migrator, address, bytes, told));
      if (!isCleared) clear(address, bytes);
      offload.countCleared(isCleared ? use.migrator.name : KERNEL, bytes);
      use?.put();
    },
  };
}

/** Whether a migrator has zeroed a folio; tells of its first error. */
async function clearOrTell(
  migrator: Migrator,
  address: number,
  bytes: number,
  told: WeakSet<Migrator>,
): Promise<boolean> {
  try {
    return await clearOne(migrator, address, bytes);
  } catch (error) {
    // A fault has no caller who has chosen the migrator, and could do something: the program goes on.
    if (!told.has(migrator)) warn(migrator, error);
    told.add(migrator);
    return false;
  }
}

async function clearOne(migrator: Migrator, address: number, bytes: number): Promise<boolean> {
  const cleared = new Uint8Array(1);
  await migrator.clearFolios?.({ items: { to: Uint32Array.of(address), bytes: Uint32Array.of(bytes) }, cleared });
  // Marks that were transferred are gone: that is none.
  return Boolean(cleared[0]);
}

function warn({ name }: Migrator, error: unknown): void {
  const detail = error instanceof Error ? error.stack : show(error);
  process.emitWarning(`migrator '${name}': clearFolios has thrown; the calling thread clears instead`, {
    type: 'MigratorWarning',
    ...(detail === undefined ? {} : { detail }),
  });
}
