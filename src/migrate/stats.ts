import { HPAGE_PMD_ORDER } from '../units.js';

/** Nanoseconds of a migration's steps, summed over its batches. */
export interface Phases {
  /** Looking the folios up and taking them off the LRU. */
  isolate: number;
  /** Locking them, allocating targets, and replacing page-table entries by migration entries. */
  unmap: number;
  /** Interrupting the CPUs that may hold the old translations, until the last has answered. */
  flush: number;
  /** Copying the bytes. */
  copy: number;
  /** Moving the metadata, and mapping the new frames. */
  move: number;
  /** Freeing the old frames, and putting what was not migrated back. */
  putBack: number;
}

export function createPhases(): Phases {
  return { isolate: 0, unmap: 0, flush: 0, copy: 0, move: 0, putBack: 0 };
}

/** What a migration did. */
export interface MigrateStats {
  /** Pages migrated. */
  succeeded: number;
  /** Pages that were not, those among them that were not tried once the target had no memory. */
  failed: number;
  /** Folios of at least 2 MiB migrated whole. */
  thpSucceeded: number;
  /** Folios of at least 2 MiB that were not migrated whole. */
  thpFailed: number;
  /** Folios of at least 2 MiB that were split, because the target had no such folio free. */
  thpSplit: number;
  /** Times that a folio answered EAGAIN and was tried once more. */
  retries: number;
  /** Batches begun; a folio that is tried by itself in the end is one. */
  batches: number;
  /** TLB-flush interrupts that CPUs received meanwhile, from this migration or another. */
  interrupts: number;
  readonly phasesNs: Phases;
}

export function createMigrateStats(): MigrateStats {
  return {
    succeeded: 0,
    failed: 0,
    thpSucceeded: 0,
    thpFailed: 0,
    thpSplit: 0,
    retries: 0,
    batches: 0,
    interrupts: 0,
    phasesNs: createPhases(),
  };
}

/** Counts a folio of `order` that was migrated. */
export function countSucceeded(stats: MigrateStats, order: number): void {
  stats.succeeded += 1 << order;
  if (order >= HPAGE_PMD_ORDER) stats.thpSucceeded++;
}

/** The fraction F of a migration's time that its copies took, 0 to 1; 0 if it took none. */
export function fractionCopy(phases: Phases): number {
  const { isolate, unmap, flush, copy, move, putBack } = phases;
  const all = isolate + unmap + flush + copy + move + putBack;
  return all === 0 ? 0 : copy / all;
}

/** Rounds the phases to whole nanoseconds. */
export function roundPhases({ phasesNs }: MigrateStats): void {
  for (const name of Object.keys(phasesNs) as (keyof Phases)[]) phasesNs[name] = Math.round(phasesNs[name]);
}

/** Adds what another call did to `sum`. */
export function addStats(sum: MigrateStats, { phasesNs, ...counts }: MigrateStats): void {
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) sum[name] += counts[name];
  for (const name of Object.keys(phasesNs) as (keyof Phases)[]) sum.phasesNs[name] += phasesNs[name];
}
