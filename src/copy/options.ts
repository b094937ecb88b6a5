import { checkNames, invalid } from '../errno.js';
import { PhysicalMemory } from '../memory/physical-memory.js';
import { MiB, PAGE_SIZE, parseSize } from '../units.js';
import { checkThreads } from './check-threads.js';
import { KERNEL_NAMES, type KernelName } from './transfer.js';

export const SCHEDULES = ['static', 'dynamic'] as const;
/** How threads share a batch: a list each that is fixed beforehand, or the next items from a shared cursor. */
export type Schedule = (typeof SCHEDULES)[number];
export const CALLER_MODES = ['waits', 'helps'] as const;
/** Whether the calling thread copies too. */
export type CallerMode = (typeof CALLER_MODES)[number];

/** Options of `CopyEngine.create`. */
export interface CreateOptions {
  /**
   * Threads that copy a batch: 1 to 64, or `'auto'` for as many as the machine can run at once. A caller that helps is
   * one of them. Default: `'auto'`.
   */
  threads?: number | 'auto';
  /** Bytes of shared memory to allocate from (or a string such as `'2G'`), or a memory to use. Default: 1 GiB. */
  memory?: number | string | PhysicalMemory;
  /**
   * `'dynamic'`: threads claim the next items as they finish, so one that loses its core holds nobody up. `'static'`:
   * every thread has its own list from the start, as in the published driver (of 16,384 items at a
   * time); a caller that helps takes what nobody has begun. Default: `'dynamic'`.
   */
  schedule?: Schedule;
  /**
   * `'helps'`: the calling thread takes items too, for half a millisecond between turns of the event loop (a
   * whole list at a time with `'static'`), so that a busy machine is hardly worse than copying alone. `'waits'`: worker
   * threads do all the copying and the event loop is free meanwhile, as in the published driver; waking them costs more,
   * which pays from about 32 MiB on. Default: `'helps'`.
   */
  caller?: CallerMode;
  /** Added to the workers' nice value: 0 to 19, where the platform has one. Default: 0. */
  niceIncrement?: number;
  /**
   * A batch of fewer bytes is copied by the calling thread, at once; `Infinity` for all. `'auto'`: always under 2 MiB,
   * never over 32 MiB, and in between whichever way calls of that size were faster lately. Default: `'auto'`.
   */
  minParallelBytes?: number | string;
  /**
   * `'memory.copy'`: WebAssembly's, which is the C library's memmove, for the engine's own memory alone. `'typed-array'`:
   * `Uint8Array`'s `set` and `copyWithin`, for any shared memory. `'auto'`: the first where it can. Default: `'auto'`.
   */
  kernel?: KernelName;
}

/** {@link CreateOptions}, checked and complete. */
export interface EngineOptions {
  readonly threads: number;
  readonly memory: PhysicalMemory;
  readonly schedule: Schedule;
  readonly caller: CallerMode;
  readonly niceIncrement: number;
  readonly minParallelBytes: number | 'auto';
  readonly kernel: KernelName;
}

const DEFAULT_MEMORY = 1024 * MiB;
const OPTIONS: readonly (keyof CreateOptions)[] = [
  'threads',
  'memory',
  'schedule',
  'caller',
  'niceIncrement',
  'minParallelBytes',
  'kernel',
];
const MAX_NICE = 19;

/** Checks the options and fills in the defaults. Throws EINVAL, or ENOMEM for memory that can't be had. */
export function checkOptions(options: CreateOptions = {}): EngineOptions {
  checkNames(options, OPTIONS);
  const checked = {
    threads: checkThreads(options.threads ?? 'auto'),
    schedule: oneOf('schedule', options.schedule ?? 'dynamic', SCHEDULES),
    caller: oneOf('caller', options.caller ?? 'helps', CALLER_MODES),
    niceIncrement: checkNice(options.niceIncrement ?? 0),
    minParallelBytes: checkMinParallel(options.minParallelBytes ?? 'auto'),
    kernel: oneOf('kernel', options.kernel ?? 'auto', KERNEL_NAMES),
  };
  return { ...checked, memory: checkMemory(options.memory ?? DEFAULT_MEMORY) };
}

function oneOf<const T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  if (!allowed.includes(value as T))
    throw invalid(name, `must be ${allowed.map((one) => `'${one}'`).join(' or ')}`, value);
  return value as T;
}

function checkNice(nice: unknown): number {
  if (typeof nice !== 'number' || !Number.isInteger(nice) || nice < 0 || nice > MAX_NICE) {
    throw invalid('niceIncrement', `must be a whole number from 0 to ${MAX_NICE}`, nice);
  }
  return nice;
}

function checkMinParallel(bytes: unknown): number | 'auto' {
  if (bytes === 'auto') return bytes;
  if (bytes === Number.POSITIVE_INFINITY) return bytes;
  if (typeof bytes === 'string') return parseSize(bytes, 'minParallelBytes');
  if (typeof bytes !== 'number' || !(bytes >= 0))
    throw invalid('minParallelBytes', "must be bytes, 0 or more, or 'auto'", bytes);
  return bytes;
}

function checkMemory(memory: unknown): PhysicalMemory {
  if (memory instanceof PhysicalMemory) return memory;
  if (typeof memory !== 'number' && typeof memory !== 'string') {
    throw invalid('memory', 'must be bytes, a size such as 2G, or a PhysicalMemory', memory);
  }
  const bytes = parseSize(memory, 'memory');
  if (bytes === 0) throw invalid('memory', 'must be above 0', memory);
  return PhysicalMemory.create({ nodes: [Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE] });
}
