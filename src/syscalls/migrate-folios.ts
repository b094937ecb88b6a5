import { anything, type Checks, oneOf } from '../check.js';
import type { MigrateManner } from '../migrate/migration.js';
import { MIGRATE_REASONS, type MigrateReason } from '../migrate/reasons.js';
import type { AddressSpace } from '../mm/address-space.js';
import type { MemoryManager } from '../mm/manager.js';
import { MIGRATE_MODES, type MigrateMode } from '../mm/migrate-mode.js';
import { checkTarget } from './credentials.js';
import { type MovePagesResult, moveRequested } from './move-pages.js';
import { checkExists, takePages } from './move-pages-request.js';

/** Options of `Machine.migrateFolios`. */
export interface MigrateFoliosOptions {
  /** The node to move the folios to. */
  node: number;
  /** Why they are moved: what is registered for it copies them. */
  reason: MigrateReason;
  /** How much the call may wait. Default: `'MIGRATE_SYNC'`. */
  mode?: MigrateMode | undefined;
}

/** What its options are checked by, but for what depends on the machine. */
export const MIGRATE_FOLIOS_OPTIONS: Checks<MigrateFoliosOptions> = {
  node: anything,
  reason: oneOf(MIGRATE_REASONS),
  mode: oneOf(MIGRATE_MODES),
};

/** What `Machine.migrateFolios` does, once its options were checked by {@link MIGRATE_FOLIOS_OPTIONS}. */
export async function migrateFolios(
  manager: MemoryManager,
  mm: AddressSpace,
  list: ArrayLike<number>,
  node: number,
  manner: MigrateManner,
): Promise<MovePagesResult> {
  checkTarget(mm, {});
  checkExists(manager.memory.nodes.length, 'node', node);
  return moveRequested(manager, mm, { pages: await takePages(list), asked: node, moveAll: true }, manner);
}
