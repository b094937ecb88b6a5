import { anything, type Checks, checkOptions, checkThreads, oneOf, threadCount, wholeNumber } from '../check.js';
import { ErrnoError, invalid } from '../errno.js';
import { PhysicalMemory } from '../memory/physical-memory.js';
import { type ProfileOption, settingsOf } from '../profile.js';
import { MiB, PAGE_SIZE, parseSize } from '../units.js';
import {
  CALLER_MODES,
  type CallerMode,
  COPY_METHODS,
  type CopyMethod,
  checkUnitBytes,
  DISTRIBUTIONS,
  type Distribution,
  SCHEDULES,
  type Schedule,
  STORES,
  type Stores,
} from '../words.js';
import { openNative } from './streaming.js';

/** Options of `CopyEngine.create`. */
export interface CreateOptions {
  /**
   * Worker threads, 1 to 64; the calling thread is never counted. `'auto'`: one less than the host can run at once, 1 at
   * least and 8 at most: a core is left to the event loop, more than 8 hardly gain, and each costs 8 MiB. Default: `'auto'`.
   */
  threads?: number | 'auto' | undefined;
  /**
   * Bytes of shared memory to allocate from (or a string such as `'2G'`), or a memory to use, which stays the caller's: several
   * engines may copy in one. Default: 1 GiB.
   */
  memory?: number | string | PhysicalMemory | undefined;
  /**
   * `'dynamic'`: threads claim the next items as they finish, so one that loses its core holds nobody up. `'static'`:
   * every thread has its own list from the start, as in the published driver; a large batch is planned 16,384 items at a
   * time. The list of a thread that isn't there others take. Default: `'dynamic'`.
   */
  schedule?: Schedule | undefined;
  /**
   * How the lists of a static schedule are made: `'folios'`, of whole items; `'chunks'`, of a piece of every item; `'auto'`,
   * of pieces where there are fewer items than lists, as in the published driver. To the dynamic schedule it means nothing.
   * Default: `'auto'`.
   */
  distribution?: Distribution | undefined;
  /**
   * Bytes of what a thread claims at once with the dynamic schedule, 64 KiB to 1 GiB, taken up to whole 64 KiB; or a string
   * such as `'256K'`. `'auto'`: a sixteenth of a thread's share, 64 KiB at least and 1 MiB at most. To the static schedule it
   * means nothing. Default: `'auto'`.
   */
  unitBytes?: number | string | undefined;
  /**
   * `'waits'`: worker threads copy all but small calls, and the calling thread is free meanwhile, or sleeps if the call
   * blocks. `'helps'`: the calling thread takes items too, in an asynchronous call for half a millisecond between turns of
   * the event loop. `'auto'`: asynchronous calls wait, blocking ones help. While no worker thread is there, for they leave
   * after 0.1 s without a call and take some 0.1 ms to come back, the calling thread copies in any case. Default: `'auto'`.
   */
  caller?: CallerMode | undefined;
  /**
   * Added to the workers' nice value: 0 to 19, where the platform has one and Piscina's addon for it can be loaded.
   * Default: 0.
   */
  niceIncrement?: number | undefined;
  /**
   * A call of fewer bytes is copied by the calling thread, at once; `Infinity` for all. `'auto'`: 1 MiB of an asynchronous
   * call, which bounds a turn of the event loop; of a blocking one 16 MiB, or 4 MiB if its items are smaller than 64 KiB in the
   * mean, neighbours counted as one; 96 and 16 MiB if the last blocking call ended 1 ms ago or more. Default: `'auto'`.
   */
  minParallelBytes?: number | string | undefined;
  /**
   * `'streaming'`: a loop in C whose stores go past the caches. `'memory.copy'`: WebAssembly's, which is the C library's
   * memmove, and refuses other memory than the engine's own. `'typed-array'`: `Uint8Array`'s `set` and `copyWithin`.
   * `'auto'`: the first or the second, as `stores` says, and for other memory the loop in C with such stores; where there is
   * none, for which `engine.noStreaming` says why, the second, and the third for other memory. Default: `'auto'`.
   */
  method?: CopyMethod | undefined;
  /**
   * Whether what is written is kept in the caches. `'cached'`: for who reads it again soon. `'streaming'`: for large copies
   * a quarter faster, and of small ones, or with what was copied read again, up to three times slower. `'auto'`: streaming if
   * source and destination of the whole call are more than the L3 cache of this machine has (32 MiB if it doesn't tell).
   * With another `method` than `'auto'` it means nothing. Default: `'auto'`.
   */
  stores?: Stores | undefined;
  /**
   * What `mtcopy tune` found for this machine: the path of its file, or more of what to take from it. Options that are given
   * win over it, and it over defaults. Default: none.
   */
  profile?: ProfileOption | undefined;
}

/** {@link CreateOptions}, checked and complete. */
export interface EngineOptions {
  readonly threads: number;
  readonly memory: PhysicalMemory;
  readonly schedule: Schedule;
  readonly distribution: Distribution;
  readonly unitBytes: number | 'auto';
  readonly caller: CallerMode;
  readonly niceIncrement: number;
  readonly minParallelBytes: number | 'auto';
  readonly method: CopyMethod;
  readonly stores: Stores;
}

const DEFAULT_MEMORY = 1024 * MiB;
const MAX_NICE = 19;

const OPTIONS: Checks<CreateOptions> = {
  threads: threadCount,
  // Looked at last, when it is made or taken: what is wrong costs no memory.
  memory: anything,
  schedule: oneOf(SCHEDULES),
  distribution: oneOf(DISTRIBUTIONS),
  unitBytes: checkUnit,
  caller: oneOf(CALLER_MODES),
  niceIncrement: wholeNumber(0, MAX_NICE),
  minParallelBytes: checkMinParallel,
  method: oneOf(COPY_METHODS),
  stores: oneOf(STORES),
  // Read once all else is checked.
  profile: anything,
};

/**
 * Checks the options and fills in what a profile has, and the defaults. Throws EINVAL, ENOMEM for memory that can't be had, or
 * what is wrong with a profile.
 */
export function completeOptions(options: CreateOptions = {}): EngineOptions {
  const { profile, memory, ...given } = checkOptions(options, OPTIONS);
  const tuned = profile === undefined ? undefined : settingsOf(profile).engine;
  const least = tuned?.minParallelBytes === 'never' ? Number.POSITIVE_INFINITY : tuned?.minParallelBytes;
  return {
    threads: checkThreads(given.threads ?? tuned?.threads ?? 'auto'),
    schedule: given.schedule ?? tuned?.schedule ?? 'dynamic',
    distribution: given.distribution ?? tuned?.distribution ?? 'auto',
    unitBytes: bytesOrAuto('unitBytes', given.unitBytes ?? tuned?.unitBytes),
    caller: given.caller ?? tuned?.caller ?? 'auto',
    niceIncrement: given.niceIncrement ?? 0,
    minParallelBytes: bytesOrAuto('minParallelBytes', given.minParallelBytes ?? least),
    method: checkMethod(given.method ?? tuned?.method ?? 'auto'),
    stores: given.stores ?? 'auto',
    memory: takeMemory(memory === undefined ? DEFAULT_MEMORY : memory),
  };
}

/** Refuses a method that this machine doesn't have. */
function checkMethod(method: CopyMethod): CopyMethod {
  if (method !== 'streaming') return method;
  const native = openNative();
  if (native.path !== undefined) return method;
  throw new ErrnoError('ENOTSUP', `method: 'streaming' can't be had, use 'auto': ${native.reason}`);
}

function checkMinParallel(name: string, value: unknown): void {
  if (typeof value === 'string') bytesOrAuto(name, value);
  else if (!(typeof value === 'number' && value >= 0))
    throw invalid(name, "must be bytes, 0 or more, or 'auto'", value);
}

/** @throws ErrnoError EINVAL for what `unitBytes` can't be */
export function checkUnit(name: string, value: unknown): void {
  const bytes = typeof value === 'string' ? bytesOrAuto(name, value) : value;
  if (bytes !== 'auto') checkUnitBytes(name, bytes);
}

function bytesOrAuto(name: string, value: number | string = 'auto'): number | 'auto' {
  return typeof value === 'number' || value === 'auto' ? value : parseSize(value, name);
}

/** The memory that was given, or a new one of so many bytes. */
function takeMemory(memory: unknown): PhysicalMemory {
  if (memory instanceof PhysicalMemory) return memory;
  if (typeof memory !== 'number' && typeof memory !== 'string') {
    throw invalid('memory', 'must be bytes, a size such as 2G, or a PhysicalMemory', memory);
  }
  const bytes = parseSize(memory, 'memory');
  if (bytes === 0) throw invalid('memory', 'must be above 0', memory);
  return PhysicalMemory.create({ nodes: [Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE] });
}
