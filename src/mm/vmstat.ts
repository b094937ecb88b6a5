/** Counters under the names of /proc/vmstat, since the machine was booted. */
export interface Vmstat {
  /** Pages migrated. */
  pgmigrate_success: number;
  /** Pages that were to be migrated and were not, also those that were not tried once the target had no memory. */
  pgmigrate_fail: number;
  /** Folios of at least 2 MiB migrated whole. */
  thp_migration_success: number;
  /** Folios of at least 2 MiB that could not be migrated whole. */
  thp_migration_fail: number;
  /** Folios of at least 2 MiB that were split because no target could be allocated. */
  thp_migration_split: number;
  /** TLB flushes that interrupted other CPUs. */
  nr_tlb_remote_flush: number;
  /** Interrupts that CPUs received to flush their TLBs. */
  nr_tlb_remote_flush_received: number;
}

export function createVmstat(): Vmstat {
  return {
    pgmigrate_success: 0,
    pgmigrate_fail: 0,
    thp_migration_success: 0,
    thp_migration_fail: 0,
    thp_migration_split: 0,
    nr_tlb_remote_flush: 0,
    nr_tlb_remote_flush_received: 0,
  };
}
