export type { CopyItems } from './copy/copy-items.js';
export { CopyEngine, type CopyOptions } from './copy/engine.js';
export type { CallerMode, CreateOptions, Schedule } from './copy/options.js';
export { type CopyPlan, planCopy } from './copy/plan.js';
export { CopyAbortError, type CopyResult, type FailedItem } from './copy/result.js';
export type { CopyTrace } from './copy/trace.js';
export type { CopyPair, KernelName } from './copy/transfer.js';
export { type ErrnoCode, ErrnoError } from './errno.js';
export type { Folio } from './memory/folio.js';
export {
  type FrameOptions,
  type MemoryNode,
  PhysicalMemory,
  type PhysicalMemoryOptions,
} from './memory/physical-memory.js';
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
