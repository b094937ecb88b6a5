/** How much a migration may wait: names of {@link MigrateMode}. */
export const MIGRATE_MODES = ['MIGRATE_ASYNC', 'MIGRATE_SYNC_LIGHT', 'MIGRATE_SYNC'] as const;
/**
 * How much a migration may wait, after the kernel's enum migrate_mode. `MIGRATE_ASYNC` never waits. `MIGRATE_SYNC_LIGHT`
 * waits for locks. `MIGRATE_SYNC` waits for locks and for writeback.
 *
 * @useDeclaredType
 */
export type MigrateMode = (typeof MIGRATE_MODES)[number];
