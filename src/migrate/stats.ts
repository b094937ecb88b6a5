import { type Checks, checkOptions, numberFrom } from '../check.js';
import { HPAGE_PMD_ORDER } from '../units.js';
import type { OffloadUsage } from './migrator.js';

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

/** What copies where no migrator does: the calling thread. */
export const KERNEL = 'kernel';

/** What one migrator has moved, or cleared. */
export interface MovedBy {
  /** Its name; `'kernel'`: the calling thread. */
  readonly migrator: string;
  /** Folios that it moved, or cleared. */
  folios: number;
  /** Bytes of them. */
  bytes: number;
}

/** Adds to what a migrator has moved, or cleared, unless that is nothing. */
export function addMoved(sum: MovedBy[], migrator: string, folios: number, bytes: number): void {
  if (folios === 0) return;
  const found = sum.find((one) => one.migrator === migrator);
  if (!found) {
    sum.push({ migrator, folios, bytes });
    return;
  }
  found.folios += folios;
  found.bytes += bytes;
}

/** Nanoseconds of the steps in which a device copies a batch; see {@link OffloadUsage}. */
export type DmaPhases = Omit<OffloadUsage, 'caller' | 'threads'>;

/** CPU nanoseconds spent on behalf of a migration, so that they can be charged to whoever caused it. */
export interface CpuTime {
  /**
   * On the calling thread, but for `dma`: the work on metadata, and what it copied. Whatever else that thread did while the
   * migration waited is not in it, nor what it copied as one that `'helps'` in later turns of the event loop.
   */
  caller: number;
  /** In copy threads, of those migrators that tell. */
  threads: number;
  /** On the calling thread, for a device: mapping, submitting, unmapping. */
  dma: number;
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
  /** Batches that a migrator answered with an errno; what it left the calling thread has copied. */
  declined: number;
  /** Nanoseconds of each phase, on the wall; with several batches in flight they overlap. */
  readonly phasesNs: Phases;
  /** CPU nanoseconds, by who spent them. */
  readonly cpuNs: CpuTime;
  /** Nanoseconds of the steps of a device's copies; all 0 where none has a part. */
  readonly dmaNs: DmaPhases;
  /** What each migrator has moved, in the order in which they came to it. */
  readonly movedBy: MovedBy[];
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
    declined: 0,
    phasesNs: createPhases(),
    cpuNs: { caller: 0, threads: 0, dma: 0 },
    dmaNs: { map: 0, submit: 0, wait: 0, unmap: 0 },
    movedBy: [],
  };
}

/** Counts a folio of `order` that was migrated. */
export function countSucceeded(stats: MigrateStats, order: number): void {
  stats.succeeded += 1 << order;
  if (order >= HPAGE_PMD_ORDER) stats.thpSucceeded++;
}

const checkNs = numberFrom(0, Number.MAX_VALUE);
const PHASES: Checks<Phases> = {
  isolate: checkNs,
  unmap: checkNs,
  flush: checkNs,
  copy: checkNs,
  move: checkNs,
  putBack: checkNs,
};

/**
 * The fraction F of a migration's time that its copies took, 0 to 1; 0 if it took none.
 *
 * @throws ErrnoError EINVAL for anything but the nanoseconds of each phase
 */
export function fractionCopy(phases: Phases): number {
  const { isolate, unmap, flush, copy, move, putBack } = checkOptions(
    phases,
    PHASES,
    Object.keys(PHASES) as (keyof Phases)[],
    'phases',
  );
  const all = isolate + unmap + flush + copy + move + putBack;
  return all === 0 ? 0 : copy / all;
}

/** Rounds all durations to whole nanoseconds. */
export function roundTimes({ phasesNs, cpuNs, dmaNs }: MigrateStats): void {
  for (const times of [phasesNs, cpuNs, dmaNs] as Record<string, number>[]) {
    for (const name of Object.keys(times)) times[name] = Math.round(times[name]);
  }
}

/** Adds what another call did to `sum`. */
export function addStats(sum: MigrateStats, { phasesNs, cpuNs, dmaNs, movedBy, ...counts }: MigrateStats): void {
  addNumbers<typeof counts>(sum, counts);
  addNumbers(sum.phasesNs, phasesNs);
  addNumbers(sum.cpuNs, cpuNs);
  addNumbers(sum.dmaNs, dmaNs);
  for (const { migrator, folios, bytes } of movedBy) addMoved(sum.movedBy, migrator, folios, bytes);
}

/** Adds what copies took elsewhere. */
export function addUsage({ cpuNs, dmaNs }: MigrateStats, usage: OffloadUsage): void {
  const { caller, threads, ...dma } = claimed(usage);
  cpuNs.caller += caller;
  cpuNs.threads += threads;
  cpuNs.dma += dma.map + dma.submit + dma.unmap;
  addNumbers(dmaNs, dma);
}

/** What a migrator says that it has used; whatever is no time is none. */
function claimed(usage: OffloadUsage): OffloadUsage {
  const time = (ns: number) => (Number.isFinite(ns) && ns > 0 ? ns : 0);
  const { caller, threads, map, submit, wait, unmap } = usage;
  return {
    caller: time(caller),
    threads: time(threads),
    map: time(map),
    submit: time(submit),
    wait: time(wait),
    unmap: time(unmap),
  };
}

/** Adds the numbers of one object to those of another, by name. */
function addNumbers<Numbers extends object>(sum: Numbers, more: Numbers): void {
  const [into, from] = [sum, more] as Record<string, number>[];
  for (const name of Object.keys(from)) into[name] += from[name];
}
