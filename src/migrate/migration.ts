import type { CpuAccount } from '../copy/cpu-account.js';
import { ERRNO } from '../errno.js';
import { PG } from '../memory/page-metadata.js';
import type { MemoryManager } from '../mm/manager.js';
import type { MigrateMode } from '../mm/migrate-mode.js';
import { createFlushBatch, type FlushBatch, UnresponsiveCpuError } from '../mm/tlb-flush.js';
import { type NodeId, PAGE_SIZE, type Pfn } from '../units.js';
import type { Stores } from '../words.js';
import type { FolioCopy } from './folio-copy.js';
import type { FolioStream } from './folio-stream.js';
import type { Migrator } from './migrator.js';
import { createOffer, type Offer } from './offer.js';
import type { MigratorSource } from './offload.js';
import type { MigrateReason } from './reasons.js';
import { createSlice, type Slice } from './resched.js';
import type { BatchUnit, Flow } from './settings.js';
import { createMigrateStats, type MigrateStats } from './stats.js';
import type { StepClock } from './step-clock.js';

/** How folios are migrated, and why: a machine's settings, and a call's. */
export interface MigrateManner {
  readonly flow: Flow;
  /** What each batch gets its migrator from. */
  readonly migrators: MigratorSource;
  /** Pages or folios of a batch, which ends with the folio that reaches it. */
  readonly batchLimit: number;
  readonly batchUnit: BatchUnit;
  /** Batches that are under way at once, each in its own order: one is copied while another is unmapped. */
  readonly batchesInFlight: number;
  /** What is known of who reads next what is copied. */
  readonly stores: Stores;
  readonly mode: MigrateMode;
  readonly reason: MigrateReason;
}

/** What one call of migratePages is asked for. */
export interface MigrateOptions extends MigrateManner {
  /** The node to move to. */
  readonly target: NodeId;
}

/** Folios that are unmapped and wait to be moved: a struct of arrays, filled up to `count`. */
export interface UnmappedFolios {
  /** 0 in the place of one whose turn is over. */
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  /** 1 where a step of the flow that goes over the whole batch is done already: the copy, or the move of the metadata. */
  readonly ready: Uint8Array;
  /** What the last such step answered: 0, or an errno. */
  readonly errno: Uint16Array;
  /** 1 where the migrator has copied it, and not the calling thread. */
  readonly offloaded: Uint8Array;
  count: number;
}

/** One call of migratePages, from its first batch to its last, or the part of it that has one batch in flight. */
export interface Migration extends MigrateOptions {
  readonly manager: MemoryManager;
  readonly folioCopy: FolioCopy;
  readonly folioStream: FolioStream;
  /** What `stores` came to, by the whole call. */
  readonly stores: Exclude<Stores, 'auto'>;
  /** What copies the batch at hand; `undefined`: the calling thread alone. */
  migrator: Migrator | undefined;
  /** What copies those folios of it that are private to a device; see {@link MigratorSource.getForPrivate}. */
  forPrivate: Migrator | undefined;
  /** Folios and pages that were moved of the batch at hand: by the calling thread 0 and 1, by the migrator 2 and 3. */
  readonly movedBy: Uint32Array;
  readonly stats: MigrateStats;
  /** Of the whole call; `undefined` while nobody asks. */
  readonly steps: StepClock | undefined;
  /** What is to be flushed before anything is copied. */
  readonly flush: FlushBatch;
  readonly unmapped: UnmappedFolios;
  /** The old frames of folios that were moved, to be freed. */
  readonly moved: Uint32Array;
  movedCount: number;
  /** What a migrator is given at once. */
  readonly offer: Offer;
  /** The folios that could not be migrated, and why: an errno each. */
  readonly failed: Pfn[];
  readonly failedErrno: number[];
  /** Batches begun, by every part of the call. */
  readonly begun: { batches: number };
  /** Number of the batch at hand within the call, from 0. */
  batch: number;
  /** When the event loop had its last turn. */
  readonly slice: Slice;
  /** Whether the target had no room for a folio: then no other is tried. */
  isOutOfMemory: boolean;
  /** What a migrator has thrown, or the flush that a CPU didn't answer: then the call ends. */
  error: unknown;
}

/**
 * @param options with the stores that the whole call has
 * @param begun with `account` and `steps`: shared by all that belongs to one call
 */
export function createMigration(
  manager: MemoryManager,
  options: MigrateOptions & Pick<Migration, 'stores'>,
  begun: { batches: number },
  account: CpuAccount,
  steps: StepClock | undefined,
): Migration {
  const { flow, migrators, batchLimit, batchUnit, batchesInFlight, stores, target, mode, reason } = options;
  // A batch has a folio more than its limit at most, for it ends with the one that reaches it.
  const room = batchLimit + 1;
  // One literal, without a spread: objects that begin as a copy of another come in several shapes, and every step of every
  // folio reads fields of this one.
  return {
    flow,
    migrators,
    folioCopy: migrators.folioCopy,
    folioStream: migrators.folioStream,
    stores,
    migrator: undefined,
    forPrivate: undefined,
    movedBy: new Uint32Array(4),
    batchLimit,
    batchUnit,
    batchesInFlight,
    target,
    mode,
    reason,
    manager,
    stats: createMigrateStats(),
    steps,
    flush: createFlushBatch(),
    unmapped: {
      src: new Uint32Array(room),
      dst: new Uint32Array(room),
      ready: new Uint8Array(room),
      errno: new Uint16Array(room),
      offloaded: new Uint8Array(room),
      count: 0,
    },
    moved: new Uint32Array(room),
    movedCount: 0,
    offer: createOffer(room, stores),
    failed: [],
    failedErrno: [],
    begun,
    batch: 0,
    slice: createSlice(account),
    isOutOfMemory: false,
    error: undefined,
  };
}

/** Adds a folio to those that wait to be moved. */
export function addUnmapped(migration: Migration, src: Pfn, dst: Pfn): void {
  keepUnmapped(migration, migration.unmapped.count++, src, dst);
}

/** Puts a folio that waits to be moved at a place of its own among those that do. */
export function keepUnmapped({ unmapped }: Migration, at: number, src: Pfn, dst: Pfn): void {
  unmapped.src[at] = src;
  unmapped.dst[at] = dst;
  unmapped.ready[at] = 0;
  unmapped.errno[at] = 0;
  unmapped.offloaded[at] = 0;
}

/** Whether the unmapped folio `at` is private to a device. */
export function isPrivate({ manager, unmapped }: Migration, at: number): boolean {
  return (manager.memory.page.flags[unmapped.src[at]] & PG.private) !== 0;
}

/** Bytes of the unmapped folio `at`. */
export function bytesOf({ manager, unmapped }: Migration, at: number): number {
  return PAGE_SIZE << manager.memory.page.order[unmapped.src[at]];
}

/** Folios that could not be migrated, and why. */
type Failures = Pick<Migration, 'failed' | 'failedErrno'>;

export function fail({ failed, failedErrno }: Failures, pfn: number, errno: number): void {
  failed.push(pfn as Pfn);
  failedErrno.push(errno);
}

/** Fails what is left of a list of folios, from which whoever deals with one takes it: a 0 stands in its place. */
export function failAll(failures: Failures, folios: Uint32Array, errno: number): void {
  for (let i = 0; i < folios.length; i++) {
    if (folios[i] !== 0) fail(failures, folios[i], errno);
    folios[i] = 0;
  }
}

/** The errno of the folios that a call leaves because of `error`. */
export function errnoOf(error: unknown): number {
  return error instanceof UnresponsiveCpuError ? ERRNO.ETIMEDOUT : ERRNO.EIO;
}
