/*
 * Words and bounds of what options and profiles take, in one place that every layer may use.
 */
import { wholeNumber } from './check.js';
import { GiB, KiB } from './units.js';

/** How threads share a batch: names of {@link Schedule}. */
export const SCHEDULES = ['static', 'dynamic'] as const;
/** How threads share a batch: a list each that is fixed beforehand, or the next items from a shared cursor. */
export type Schedule = (typeof SCHEDULES)[number];

/** Names of {@link Distribution}. */
export const DISTRIBUTIONS = ['auto', 'folios', 'chunks'] as const;
/**
 * How the lists of a static schedule are made: `'folios'`, a run of whole items each; `'chunks'`, a piece of every item each;
 * `'auto'`, pieces where there are fewer items than lists, as in the published driver.
 */
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** Whether the calling thread copies too: names of {@link CallerMode}. */
export const CALLER_MODES = ['auto', 'waits', 'helps'] as const;
/** Whether the calling thread copies too: see `CreateOptions.caller`. */
export type CallerMode = (typeof CALLER_MODES)[number];

/** Which loop may copy the bytes: names of {@link CopyMethod}. */
export const COPY_METHODS = ['auto', 'streaming', 'memory.copy', 'typed-array'] as const;
/** Which loop copies the bytes: see `CreateOptions.method`. */
export type CopyMethod = (typeof COPY_METHODS)[number];

/** What may be known of a copy's destination: names of {@link Stores}. */
export const STORES = ['auto', 'cached', 'streaming'] as const;
/**
 * Whether the bytes that a copy writes are kept in the CPU's caches: `'cached'`, for they are wanted again soon; `'streaming'`,
 * past the caches, for they are not; `'auto'`, past them if the copy's source and destination don't fit into the L3 cache.
 */
export type Stores = (typeof STORES)[number];

/** In which order the steps of a batch are made: names of {@link Flow}. */
export const FLOWS = ['serial', 'vanilla', 'batch-move', 'pre-copy'] as const;
/**
 * In which order the steps of a batch are made.
 *
 * - `serial`: each folio is unmapped, its TLB entries are flushed, it is copied and remapped, before the next (before 2023).
 * - `vanilla`: the whole batch is unmapped and flushed once; then each folio is copied and remapped (batched TLB flushing).
 * - `batch-move`: as `vanilla`, but first all metadata is moved, then the whole batch is copied, then remapped (RFC V1 to
 * V3).
 * - `pre-copy`: as `vanilla`, but the whole batch is copied first, and each move then finds its bytes there (V4 and later).
 */
export type Flow = (typeof FLOWS)[number];

/** The migrators that have names. */
export const MIGRATOR_NAMES = ['kernel', 'mtcopy', 'dcbm'] as const;
/** What copies: `'kernel'`, the calling thread; `'mtcopy'`, a pool of threads; `'dcbm'`, channels of a DMA device. */
export type MigratorName = (typeof MIGRATOR_NAMES)[number];

/** Bytes of the smallest unit that threads claim. */
export const MIN_UNIT_BYTES = 64 * KiB;
/** Checks the bytes of a unit that was asked for. */
export const checkUnitBytes = wholeNumber(MIN_UNIT_BYTES, GiB);

/** The most channels that the published driver uses. */
export const MAX_DMA_CHANNELS = 16;
