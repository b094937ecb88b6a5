/**
 * How much a migration may wait, after the kernel's enum migrate_mode. `MIGRATE_ASYNC` never waits. `MIGRATE_SYNC_LIGHT`
 * waits for locks. `MIGRATE_SYNC` waits for locks and for writeback.
 */
export type MigrateMode = 'MIGRATE_ASYNC' | 'MIGRATE_SYNC_LIGHT' | 'MIGRATE_SYNC';

/** Why a migration happens: the kernel's enum migrate_reason, in the order of its bits. */
const MIGRATE_REASONS = [
  'compaction',
  'memory_failure',
  'memory_hotplug',
  'syscall_or_cpuset',
  'mempolicy_mbind',
  'numa_misplaced',
  'contig_range',
  'longterm_pin',
  'demotion',
  'damon',
] as const;
export type MigrateReason = (typeof MIGRATE_REASONS)[number];
