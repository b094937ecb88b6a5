/**
 * A parallel memcpy for shared memory, and machines whose pages are migrated while programs use them: the Linux kernel's batch
 * page migration with every byte moved.
 *
 * Sizes and lengths are bytes unless they say pages. Durations are nanoseconds where a name ends in `Ns`, milliseconds where it
 * ends in `Ms`. Addresses are bytes: physical ones of a {@link PhysicalMemory}, virtual ones of an {@link AddressSpace}. What
 * goes wrong is an {@link ErrnoError} whose `code` the documentation of each member names; bad input changes nothing. Whatever
 * has a `close()` is closed by who made it.
 *
 * @module mtcopy
 */

/*
 * For the commands and the experiments, which are bundled apart: what they check fails with the one ErrnoError that there is. No
 * declaration has it, and no part of it is the public API.
 */

/** @internal */
export {
  above0,
  anything,
  type Checks,
  checkOptions,
  checkThreads,
  listOf,
  MAX_THREADS,
  numberFrom,
  oneOf,
  threadCount,
  wholeNumber,
  yesOrNo,
} from './check.js';
/** @internal */
export { MTCOPY_MIN_BYTES } from './migrators/mtcopy.js';
/** @internal */
export { isLess, PROFILE_SCHEMA, PROFILE_VERSION } from './profile.js';
/** @internal */
export { takeAll } from './steps.js';

// The public API.

export type { CopyPair } from './copy/batch/batch.js';
export type { CopyItems } from './copy/batch/items.js';
export { type CopyPlan, planCopy } from './copy/batch/plan.js';
export type { CompareOptions, CompareSyncOptions, CopyOptions, CopySyncOptions } from './copy/call-options.js';
export { type AllocateOptions, CopyEngine } from './copy/engine.js';
export type { CreateOptions } from './copy/options.js';
export { CopyAbortError, type CopyResult, type FailedItem } from './copy/result.js';
export type { UsedMethod } from './copy/streaming.js';
export type { CopyTrace } from './copy/trace.js';
export type { Cpu } from './cpu/cpu.js';
export { MAX_CPUS } from './cpu/cpu-area.js';
export {
  DMA_WAITS,
  type DmaCallback,
  type DmaChannel,
  type DmaStatus,
  type DmaWait,
  type MemcpyMode,
} from './dma/channel.js';
export type { DeviceModel, DeviceParameters, DmaCapability, DmaDeviceName } from './dma/device.js';
export { DMA_DEVICES } from './dma/device.js';
export { DmaEngine, type DmaEngineOptions, type DmaHardware, IOMMU_MODES } from './dma/engine.js';
export { createSgTable, DMA_DIRECTIONS, type DmaDirection, type SgTable } from './dma/sg-table.js';
export {
  DMA_TRANS_ABORTED,
  DMA_TRANS_NOERROR,
  DMA_TRANS_READ_FAILED,
  DMA_TRANS_WRITE_FAILED,
} from './dma/worker/ring.js';
export type { IommuMode } from './dma/worker/translate.js';
export { type ErrnoCode, ErrnoError, errnoName } from './errno.js';
export { type Latencies, Machine, type MachineOptions, type MigrationQuestion } from './machine.js';
export type { Folio, FolioFlag } from './memory/folio.js';
export type { PageMetadata } from './memory/page-metadata.js';
export {
  FRAMES,
  type FrameOptions,
  type Frames,
  type MemoryNode,
  PhysicalMemory,
  type PhysicalMemoryOptions,
} from './memory/physical-memory.js';
export {
  CLEARED,
  type ClearBatch,
  COPIED,
  COPIED_BY_CALLER,
  type Migrator,
  type OffloadBatch,
  type OffloadUsage,
} from './migrate/migrator.js';
export type { OffloadRegistry } from './migrate/offload.js';
export {
  formatReasonMask,
  MIGRATE_REASONS,
  type MigrateReason,
  parseReasonMask,
  type ReasonMask,
} from './migrate/reasons.js';
export {
  BATCH_UNITS,
  type BatchUnit,
  FLOWS,
  type Flow,
  MAX_BATCH_LIMIT,
  MIGRATOR_NAMES,
  type MigrationSettings,
  type MigratorName,
  NR_MAX_BATCHED_MIGRATION,
} from './migrate/settings.js';
export {
  type CpuTime,
  type DmaPhases,
  fractionCopy,
  type MigrateStats,
  type MovedBy,
  type Phases,
} from './migrate/stats.js';
export type { MigrateSteps, Steps } from './migrate/step-clock.js';
export type { MigrateTrace } from './migrate/trace.js';
export {
  type DcbmMigrator,
  type DcbmOptions,
  type DcbmSettings,
  DMA_SETUPS,
  type DmaSetup,
  MAX_DMA_CHANNELS,
} from './migrators/dcbm.js';
export type { AddressSpace, AddressSpaceOptions, Area, MmapOptions } from './mm/address-space.js';
export type { Cpus, MigrationWaits, RunOptions } from './mm/cpus.js';
export type { MigrateMode } from './mm/migrate-mode.js';
export type { MovableOperations } from './mm/movable-operations.js';
export { UnresponsiveCpuError } from './mm/tlb-flush.js';
export type { Vmstat } from './mm/vmstat.js';
export {
  checkProfile,
  type EngineSettings,
  hostDifferences,
  type MachineSettings,
  type Profile,
  type ProfileHost,
  type ProfileOption,
  type ProfileSize,
  type ProfileUse,
  profileHost,
  readProfile,
  settingsOf,
  type TunedSettings,
} from './profile.js';
export type { Credentials } from './syscalls/credentials.js';
export { MPOL_MF_MOVE, MPOL_MF_MOVE_ALL } from './syscalls/flags.js';
export type { MigrateFoliosOptions } from './syscalls/migrate-folios.js';
export type { MigratePagesOptions, MigratePagesResult } from './syscalls/migrate-pages.js';
export type { MovePagesResult } from './syscalls/move-pages.js';
export type { MovePagesOptions } from './syscalls/move-pages-request.js';
export type { Sysfs, SysfsFile } from './sysfs/sysfs.js';
/** @internal */
export {
  RECORD,
  RECORD_FIELDS,
  type Recording,
  startRecording,
  type TakenRecords,
  type TraceTrack,
} from './trace/recording.js';
export {
  formatSize,
  GiB,
  HPAGE_PMD_ORDER,
  KiB,
  MAX_PAGE_ORDER,
  MiB,
  type NodeId,
  type Order,
  orderOf,
  PAGE_SIZE,
  type Pfn,
  parseSize,
} from './units.js';
export type { SharedWasmMemory } from './wasm.js';
export {
  CALLER_MODES,
  type CallerMode,
  COPY_METHODS,
  type CopyMethod,
  DISTRIBUTIONS,
  type Distribution,
  SCHEDULES,
  type Schedule,
  STORES,
  type Stores,
} from './words.js';
