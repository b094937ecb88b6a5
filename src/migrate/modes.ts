/**
 * How much a migration may wait, after the kernel's enum migrate_mode. `MIGRATE_ASYNC` never waits. `MIGRATE_SYNC_LIGHT` waits for locks. `MIGRATE_SYNC` waits for locks and for writeback.
 */
export type MigrateMode = 'MIGRATE_ASYNC' | 'MIGRATE_SYNC_LIGHT' | 'MIGRATE_SYNC';

/** Why a migration happens: the kernel's enum migrate_reason, in the order of its bits. */
export const MIGRATE_REASONS = [
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

export const FLOWS = ['serial', 'vanilla', 'batch-move', 'pre-copy'] as const;
/**
 * In which order the steps of a batch are made.
 *
 * - `serial`: each folio is unmapped, its TLB entries are flushed, it is copied and remapped, before the next (before 2023).
 * - `vanilla`: the whole batch is unmapped and flushed once; then each folio is copied and remapped (batched TLB flushing).
 * - `batch-move`: as `vanilla`, but first all metadata is moved, then the whole batch is copied, then remapped (RFC V1 to V3).
 * - `pre-copy`: as `vanilla`, but the whole batch is copied first, and each move then finds its bytes there (V4 and later).
 */
export type Flow = (typeof FLOWS)[number];

/** Pages, or folios, that a batch has at most (the kernel's NR_MAX_BATCHED_MIGRATION). */
export const NR_MAX_BATCHED_MIGRATION = 512;

export const BATCH_UNITS = ['pages', 'folios'] as const;
/** What the batch limit counts: pages, as the mainline kernel, or folios, as the published benchmarks. */
export type BatchUnit = (typeof BATCH_UNITS)[number];
