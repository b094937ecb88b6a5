import type { CopyItems } from '../copy/batch/items.js';
import { ErrnoError, invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Stores } from '../words.js';

/**
 * Nanoseconds that copies took elsewhere than in the calling thread's own work, to which a migrator adds what its own came to:
 * so a migration's cost can be charged to whoever caused it.
 */
export interface OffloadUsage {
  /** CPU time of the calling thread after the migrator has first waited; what it does before is known without. */
  caller: number;
  /** CPU time of copy threads. */
  threads: number;
  /** Mapping the folios for a device, on the calling thread. */
  map: number;
  /** Making descriptors and handing them to a device, on the calling thread. */
  submit: number;
  /** Waiting for a device; nobody's CPU time, but for what the calling thread polls, which is the `caller`'s too. */
  wait: number;
  /** Unmapping the folios, on the calling thread. */
  unmap: number;
}

/** Nanoseconds of a batch that nothing was spent on yet. */
export function createOffloadUsage(): OffloadUsage {
  return { caller: 0, threads: 0, map: 0, submit: 0, wait: 0, unmap: 0 };
}

/** The mark of a folio that is copied, by the migrator's own means (FOLIO_CONTENT_COPIED). */
export const COPIED = 1;
/** The mark of a folio that is copied, by the calling thread: it stands among what `'kernel'` has moved. */
export const COPIED_BY_CALLER = 2;

/** The mark of a folio that is cleared. */
export const CLEARED = 1;

/** Folios that a migrator is to copy. All of it is the migrator's until its promise settles, and not to be kept. */
export interface OffloadBatch {
  /** Physical addresses and sizes in bytes. Sources and targets are locked, mapped by nobody, and nobody else's. */
  readonly items: CopyItems;
  /**
   * For each item whether all of its bytes are where they belong: 0 before; {@link COPIED} or {@link COPIED_BY_CALLER} marks it,
   * by who has copied it. Whatever is no 0 counts as copied.
   */
  readonly copied: Uint8Array;
  /** To which the migrator adds what its threads, or its device, have spent; each 0 before. What is no time counts as none. */
  readonly usage: OffloadUsage;
  /**
   * Whether all of its folios are private to a device, so that nobody else may copy any of them: what is left stays where it
   * is. Otherwise none is.
   */
  readonly isPrivate: boolean;
  /**
   * Whether what is copied should be kept in the caches: by what the call has moved and has at hand, of which this batch may be a
   * small part, and by what the caller knows. Advice: bytes that are copied otherwise are as good.
   */
  readonly stores: Exclude<Stores, 'auto'>;
}

/** Folios that a migrator is to zero. All of it is the migrator's until its promise settles, and not to be kept. */
export interface ClearBatch {
  /** New folios, mapped by nobody, and nobody else's. */
  readonly items: {
    /** Physical address of each, in bytes. */
    readonly to: Uint32Array;
    /** Bytes of each. */
    readonly bytes: Uint32Array;
  };
  /** For each item whether all of its bytes are zero: 0 before; {@link CLEARED} marks it. Whatever is no 0 counts as cleared. */
  readonly cleared: Uint8Array;
}

/**
 * What copies folios instead of the calling thread (struct migrator). It can fail none: a folio that it doesn't mark is
 * copied by the calling thread, unless it is private to a device. The guide says under "A migrator of your own" what one must
 * never do, and how it is tested.
 *
 * @example
 * ```js
 * import { COPIED, Machine } from 'mtcopy';
 *
 * const machine = await Machine.boot({ nodes: ['16M', '16M'], cpus: 0, flow: 'pre-copy' });
 * const { memory } = machine;
 * machine.offload.register({
 *   name: 'copyWithin',
 *   copyFolios({ items: { to, from, bytes }, copied, isPrivate }) {
 *     if (isPrivate) return 95; // EOPNOTSUPP
 *     for (let i = 0; i < to.length; i++) {
 *       if (memory.isPoisoned(from[i], bytes[i])) continue;
 *       memory.bytes.copyWithin(to[i], from[i], from[i] + bytes[i]);
 *       copied[i] = COPIED;
 *     }
 *     return 0;
 *   },
 * });
 * const area = machine.createAddressSpace().mmap({ length: '4M', populate: true });
 * const { stats } = await machine.movePages(area.mm, area.pages(), { node: 1 });
 * console.log(stats.movedBy); // [ { migrator: 'copyWithin', folios: 1024, bytes: 4194304 } ]
 * await machine.close();
 * ```
 */
export interface Migrator {
  /** Stands in what `mtcopy:migrate` traces, and in a migration's result. */
  readonly name: string;
  /** Folios of the smallest batch that it is asked for; smaller ones the calling thread copies. Default: 1. */
  readonly minFolios?: number | undefined;
  /** Bytes of the smallest batch that it is asked for, likewise. Default: 0. */
  readonly minBytes?: number | undefined;
  /** The memory whose addresses it takes, if it can copy in no other: a machine with another refuses it. Default: any. */
  readonly memory?: PhysicalMemory | undefined;
  /**
   * Whether it copies folios that are private to a device (`Folio.private`). It is then asked for them whatever its
   * minimums, and whatever reasons it is registered for: they can't be moved without it. Default: false.
   */
  readonly copiesPrivate?: boolean | undefined;
  /**
   * Whether it copies a folio of these physical addresses, in bytes (can_migrate_offc). Those that it doesn't are in no batch
   * of its. Default: all.
   */
  canMigrate?(to: number, from: number): boolean;
  /**
   * Copies a batch of folios (migrate_offc), in any order, and marks each that is copied. By the time that it returns, or its
   * promise settles, nothing may write to a target any more. A poisoned frame is left unmarked.
   *
   * It must not wait for what waits for it: the end of the call, `offload.unregister`, `machine.close()`, or an access to memory
   * of the batch.
   *
   * What it throws ends the call, which rejects with it; folios that are not moved by then stay where they were.
   *
   * @returns 0, or an errno of what went wrong: EOPNOTSUPP (95) declines the batch. What is marked counts in either case.
   */
  copyFolios(batch: OffloadBatch): number | Promise<number>;
  /**
   * Zeroes new folios at page faults (clear_folio), in any order, and marks each that is zero; those of
   * `mmap({ populate: true })` the calling thread zeroes, for that can't wait. It is asked while it is registered, whatever its
   * reasons, which are those of migrations; for a folio from its minimums on, each by itself. What is asked of
   * {@link copyFolios} is asked of this too: by the time that it returns, or its promise settles, nothing may write to the folios
   * any more. Default: the calling thread zeroes them.
   *
   * Accesses to the page wait for it. What it leaves the calling thread zeroes; so it does after an error, which is a warning
   * of the process, once.
   *
   * @returns 0, or an errno of what went wrong: EOPNOTSUPP (95) declines the batch. What is marked counts in either case.
   */
  clearFolios?(batch: ClearBatch): number | Promise<number>;
}

/**
 * @param what what it must be, as an error says it
 * @throws ErrnoError EINVAL for what is no migrator, or one with a minimum that is no number, or a clearFolios that is no function
 */
export function checkMigrator(name: string, value: unknown, what = 'a Migrator'): asserts value is Migrator {
  const given = (value ?? {}) as Partial<Migrator>;
  const { name: named, copyFolios, clearFolios, minFolios = 0, minBytes = 0 } = given;
  if (typeof named !== 'string' || typeof copyFolios !== 'function') {
    throw invalid(name, `must be ${what}`, value);
  }
  if (clearFolios !== undefined && typeof clearFolios !== 'function') {
    throw invalid(`${name}.clearFolios`, 'must be a function, or not be there', clearFolios);
  }
  for (const [key, least] of Object.entries({ minFolios, minBytes })) {
    if (!(typeof least === 'number' && least >= 0))
      throw invalid(`${name}.${key}`, 'must be a number, 0 or more', least);
  }
}

/** @throws ErrnoError EINVAL for a migrator that copies in another memory than this */
export function checkCopiesIn(memory: PhysicalMemory, migrator: Migrator): void {
  if (migrator.memory === undefined || migrator.memory === memory) return;
  throw new ErrnoError(
    'EINVAL',
    `migrator: '${migrator.name}' copies in another machine's memory; take one of this machine's`,
  );
}
