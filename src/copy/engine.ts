import { randomUUID } from 'node:crypto';
import {
  anything,
  type Checks,
  checkOptions,
  checkThreads,
  isWord,
  MAX_THREADS,
  wholeNumber,
  yesOrNo,
} from '../check.js';
import { invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { type Steps, takeAll } from '../steps.js';
import { Lifetime } from '../threads/lifetime.js';
import { prepareThreads } from '../threads/pool.js';
import { recording, type TracedThreads } from '../trace/recording.js';
import { PAGE_SIZE, type Pfn, pagesOf } from '../units.js';
import type { CallerMode, CopyMethod, Stores } from '../words.js';
import { onAbort } from './abort-relay.js';
import type { Batch, BatchRules, CopyPair, Work } from './batch/batch.js';
import type { CopyItems } from './batch/items.js';
import { isShared } from './batch/line.js';
import {
  type Call,
  differenceOf,
  isCutShort,
  nextBatch,
  openCall,
  openTrustedCall,
  openWork,
  resultOf,
  touchesPoison,
} from './call.js';
import {
  COMPARE_OPTIONS,
  COMPARE_SYNC_OPTIONS,
  COPY_OPTIONS,
  COPY_SYNC_OPTIONS,
  type CompareOptions,
  type CompareSyncOptions,
  type CopyOptions,
  type CopySyncOptions,
} from './call-options.js';
import { type CompareNow, createCompareNow } from './compare-now.js';
import { createCompareOne, UNKNOWN } from './compare-one.js';
import { type CopyNow, createCopyNow } from './copy-now.js';
import { createCopyOne } from './copy-one.js';
import { Crew } from './crew.js';
import { Dispatcher } from './dispatcher.js';
import { createEngineMemory } from './engine-memory.js';
import { createFillNow, type FillNow } from './fill-now.js';
import { createFillOne } from './fill-one.js';
import { createLineTables } from './line-tables.js';
import { type CreateOptions, completeOptions, type EngineOptions } from './options.js';
import { poisonError } from './poison-error.js';
import { populate } from './populate.js';
import { CopyAbortError, type CopyResult } from './result.js';
import { chooseMethod, type MethodChoice, openNative, type UsedMethod, usedMethod } from './streaming.js';
import { minParallelBytes, RANGE, type Shape } from './threshold.js';
import { traced, tracedSync } from './trace.js';
import { beginTurn, hasTurn, inTurns } from './turns.js';
import type { CpuClock } from './worker/cpu-clock.js';
import { CALLER, openRing, PROBE, RING_PAGES } from './worker/job-ring.js';
import { compileWalker, createCopyRange } from './worker/methods.js';

/** Options of {@link CopyEngine.allocate}. */
export interface AllocateOptions {
  /** The node of the engine's memory to allocate on. Default: 0. */
  node?: number | undefined;
  /**
   * Whether the operating system is to make all pages now, huge ones where it has them to give: blocks for what the first copy
   * into it would take longer, 0.1 to 2 s a GiB. The bytes stay as they are. Default: false.
   */
  populate?: boolean | undefined;
}

const ALLOCATE_OPTIONS: Checks<AllocateOptions> = { node: anything, populate: yesOrNo };
const checkBytes = wholeNumber(0, Number.POSITIVE_INFINITY);
const checkByte = wholeNumber(0, 255);
/** Idle time, in milliseconds, after which the workers leave, so that they keep no process from ending. */
const PARK_MS = 100;

/**
 * As {@link CopyEngine.copyBatch}, or a fill of several ranges, for a migrator whose frames were just allocated: what it asks for
 * isn't checked again. The way in of code inside alone, for bad items could overwrite anything in the engine's memory.
 *
 * @param work a copy, or a fill
 * @param items in the nodes, none of which overlaps another, a fill's with the same addresses on both sides; the arrays stay as
 * they are until the call's end
 * @param caller whether the calling thread takes part
 * @param stores whether what is written is kept in the caches
 * @internal
 */
export let runTrusted: (
  engine: CopyEngine,
  work: Work,
  items: CopyItems,
  caller: CallerMode,
  stores: Stores,
) => Promise<CopyResult>;

/**
 * Copies shared memory with a pool of threads.
 *
 * Between the call and its end the destination and the source are the engine's: nobody else may write to either, nor
 * read the destination. Several calls may be in flight at once, in no order among them. Who made it closes it.
 *
 * @example
 * ```js
 * import { CopyEngine } from 'mtcopy';
 *
 * const engine = await CopyEngine.create({ memory: '64M' });
 * const from = engine.allocate(16 * 2 ** 20);
 * const to = engine.allocate(16 * 2 ** 20);
 * from.fill(42);
 * const { bytes } = await engine.copy(to, from);
 * console.log(bytes, to[0]); // 16777216 42
 * await engine.close();
 * ```
 */
export class CopyEngine implements AsyncDisposable {
  static {
    runTrusted = (engine, work, items, caller, stores) => engine.#runTrusted(work, items, caller, stores);
  }

  /** The shared memory that {@link allocate} takes from. */
  readonly memory: PhysicalMemory;
  readonly #caller: CallerMode;
  readonly #minParallelBytes: number | 'auto';
  /** When the last blocking call ended, of performance.now(). */
  #lastBlocked = Number.NEGATIVE_INFINITY;
  readonly #choice: MethodChoice;
  readonly #rules: BatchRules;
  readonly #copyNow: CopyNow;
  readonly #fillNow: FillNow;
  readonly #compareNow: CompareNow;
  readonly #ringPfn: Pfn;
  readonly #crew: Crew;
  readonly #dispatcher: Dispatcher;
  /** Bytes of what {@link allocate} returned and {@link free} has not got back, by first frame. */
  readonly #allocations = new Map<number, number>();
  readonly #lifetime: Lifetime;
  readonly #parkTimer: NodeJS.Timeout;
  /** What its threads record; `undefined` if nobody traced when it was made. */
  readonly #traced: TracedThreads | undefined;
  #threads: number;

  /**
   * Starts an engine and its threads.
   *
   * @throws ErrnoError EINVAL for a wrong option; ENOTSUP for method `'streaming'` where it can't be had; ENOMEM for more memory than
   * there is; EAGAIN if threads can't be started, with the reason as its cause; ENOENT if a bundler has moved the library away
   * from the files of its threads, or a profile isn't there; what else is wrong with a profile
   */
  static async create(options?: CreateOptions): Promise<CopyEngine> {
    await prepareThreads();
    const engine = CopyEngine.#open(completeOptions(options));
    try {
      await engine.#lifetime.during(() => engine.#crew.ready());
    } catch (error) {
      await engine.close();
      throw error;
    }
    return engine;
  }

  static #open(options: EngineOptions): CopyEngine {
    const ringPfn = options.memory.allocReserved(RING_PAGES);
    try {
      return new CopyEngine(options, ringPfn);
    } catch (error) {
      options.memory.freeContig(ringPfn);
      throw error;
    }
  }

  private constructor(options: EngineOptions, ringPfn: Pfn) {
    const { memory, threads, schedule, distribution, unitBytes, caller, niceIncrement, method } = options;
    const isStatic = schedule === 'static';
    const ringAddress = ringPfn * PAGE_SIZE;
    memory.bytes.fill(0, ringAddress, ringAddress + RING_PAGES * PAGE_SIZE);
    const ring = openRing(memory.buffer, ringAddress);
    this.memory = memory;
    this.#threads = threads;
    this.#caller = caller;
    this.#minParallelBytes = options.minParallelBytes;
    this.#choice = chooseMethod(method, options.stores);
    this.#ringPfn = ringPfn;
    this.#rules = { memory: createEngineMemory(memory, ringAddress + PROBE * 4), method };
    this.#copyNow = createCopyNow(this.#rules, createCopyOne(memory));
    this.#fillNow = createFillNow(this.#rules, createFillOne(memory));
    this.#compareNow = createCompareNow(this.#rules, createCompareOne(memory));
    // Typed arrays copy everything there: no thread needs the loop in C.
    const native = method === 'typed-array' ? undefined : openNative();
    const tables = native?.walker && createLineTables(memory.buffer, native.walker);
    // Views are made when a thread writes to its ring: until then the 64 of them are address space alone.
    this.#traced = recording?.attach('copy', MAX_THREADS);
    const setup = {
      trace: this.#traced?.setup,
      memory: memory.wasm,
      module: compileWalker(),
      native: tables && { path: native.path, area: tables.area },
      ringAddress,
      isStatic,
      poisonAddress: memory.poisonAddress,
      // Unique in the process: engines of other threads hear every channel of the same name.
      channel: `mtcopy-${randomUUID()}`,
    };
    const copyRange = createCopyRange({
      ...setup,
      native: tables && { walker: native.walker, area: tables.area },
      words: ring.words,
      isPoisoned: (address, bytes) => memory.isPoisoned(address, bytes),
      lineOf: (slot) => this.#dispatcher.lineOf(slot),
    });
    this.#crew = new Crew({
      ring,
      setup,
      niceIncrement,
      onAttached: (index) => this.#dispatcher.onAttached(index),
      onDetached: (lost) => this.#dispatcher.onDetached(lost),
    });
    this.#dispatcher = new Dispatcher({
      crew: this.#crew,
      caller: { index: CALLER, ring, isStatic, copyRange, clock: NO_CLOCK, trace: recording?.caller },
      cutting: { isStatic, distribution, unitBytes },
      channel: setup.channel,
      bytes: memory.bytes,
      method,
      tables,
    });
    // Last: an engine that couldn't be made leaves no timer behind.
    this.#parkTimer = setTimeout(() => this.#park(), PARK_MS).unref();
    this.#lifetime = new Lifetime('the engine is closed: create another', () => this.#parkTimer.refresh());
    this.#crew.resize(threads);
  }

  /** Worker threads, 1 to 64, not counting the calling one. May be set at any time, for later calls. */
  get threads(): number {
    return this.#threads;
  }

  /** @throws ErrnoError EINVAL for anything but 1 to 64 or `'auto'`; ESHUTDOWN if the engine is closed. */
  set threads(threads: number | 'auto') {
    this.#lifetime.checkOpen();
    this.#threads = checkThreads(threads);
    this.#crew.resize(this.#threads);
    this.#parkTimer.refresh();
  }

  /**
   * What copies a call in the engine's memory that is larger than the caches; a smaller one `'memory.copy'` does, where the
   * engine was left to choose.
   */
  get method(): Exclude<CopyMethod, 'auto'> {
    return this.#choice.method;
  }

  /** Why {@link method} isn't `'streaming'`, as a sentence's part; `undefined` if it is. */
  get noStreaming(): string | undefined {
    return this.#choice.noStreaming;
  }

  /**
   * What copies a call of `bytes` bytes in the engine's memory, all items together, that says nothing of `stores` itself; and
   * why that isn't `'streaming'`, if it isn't.
   *
   * @throws ErrnoError EINVAL for what is no number of bytes
   */
  methodFor(bytes: number): UsedMethod {
    checkBytes('bytes', bytes);
    return usedMethod(this.#choice, bytes);
  }

  /**
   * Resolves once all threads take jobs: new ones, and those that left for there was nothing to do. No call needs it, for those
   * copy that are there; what is timed with so many threads does. After 0.1 s without a call they leave again.
   *
   * @throws ErrnoError EAGAIN if threads can't be started, with the reason as its cause; ESHUTDOWN if the engine is closed
   */
  async ready(): Promise<void> {
    this.#lifetime.checkOpen();
    await this.#lifetime.during(() => {
      this.#crew.resize(this.#threads);
      return this.#crew.ready();
    });
  }

  /**
   * Allocates shared memory for the engine's fastest method. It starts on a page and its bytes are what they were: zero
   * unless they were used before. The caller owns it until {@link free}.
   *
   * @param bytes 0 or more; pages are not shared between allocations
   * @throws ErrnoError EINVAL for anything but a whole number, or a wrong option; ENOMEM if so much in a row isn't free;
   * ESHUTDOWN if the engine is closed.
   */
  allocate(bytes: number, options: AllocateOptions = {}): Uint8Array<SharedArrayBuffer> {
    checkBytes('bytes', bytes);
    const { node, populate: wantsPages } = checkOptions(options, ALLOCATE_OPTIONS);
    // After the last look at what was given: a getter may have closed it.
    this.#lifetime.checkOpen();
    const pages = Math.max(1, pagesOf(bytes));
    const pfn = this.memory.allocContig(pages, node === undefined ? {} : { node });
    this.#allocations.set(pfn, bytes);
    if (wantsPages) populate(this.memory.bytes.subarray(pfn * PAGE_SIZE, (pfn + pages) * PAGE_SIZE));
    return new Uint8Array(this.memory.buffer, pfn * PAGE_SIZE, bytes);
  }

  /**
   * Gives back what {@link allocate} returned, or a view on the same bytes that has come back from another thread. No copy of
   * it may be in flight, and no view on it may be used any more.
   *
   * @throws ErrnoError EINVAL for any other view, or one that was freed before.
   */
  free(view: Uint8Array): void {
    const pfn = this.#pfnOf(view);
    if (pfn < 0 || this.#allocations.get(pfn) !== view.byteLength) {
      throw invalid('view', 'must be what allocate() returned, and not yet freed', view);
    }
    this.#allocations.delete(pfn);
    this.memory.freeContig(pfn);
  }

  /** The frame in which a view on the engine's memory begins; -1 of any other. */
  #pfnOf(view: unknown): number {
    if (!ArrayBuffer.isView(view)) return -1;
    const { buffer, byteOffset } = view;
    return isWord(byteOffset) && isShared(buffer) && this.#rules.memory.is(buffer) ? byteOffset / PAGE_SIZE : -1;
  }

  /**
   * Copies `from` to `to`: views of the same length on shared memory that don't overlap. Of other shared memory than the
   * engine's only the same SharedArrayBuffer object is known to be the same memory.
   *
   * @returns what was copied: all of it
   * @throws ErrnoError EINVAL for anything else; EFAULT for memory outside the nodes; EHWPOISON if a frame of `from` is
   * poisoned; ESHUTDOWN if the engine is closed. CopyAbortError if `signal` stopped it.
   */
  async copy(to: ArrayBufferView, from: ArrayBufferView, options?: CopyOptions): Promise<CopyResult> {
    return traced('copy', async () => {
      const atOnce = options === undefined && hasTurn() ? this.#copyAtOnce(to, from, false) : undefined;
      return atOnce ?? this.#checkWhole(await this.#copy([{ to, from }], options), from);
    });
  }

  /**
   * Copies every item of a batch, in any order: no two may overlap.
   *
   * @param items pairs of views, or addresses in {@link memory} as a struct of arrays. The list and the arrays may be changed
   * once the call has returned; pairs stay as they are until its end, for a long list is read between turns of the event loop
   * @returns what was copied; look at `failed`
   * @throws ErrnoError EINVAL, EFAULT, ESHUTDOWN, and CopyAbortError, as {@link copy}. Items with a poisoned frame, EHWPOISON, are
   * among `failed`
   */
  async copyBatch(items: readonly CopyPair[] | CopyItems, options?: CopyOptions): Promise<CopyResult> {
    return traced('copyBatch', () => this.#copy(items, options));
  }

  /**
   * As {@link copy}, but blocks the calling thread until it is done. A worker that dies meanwhile is noticed on Linux
   * alone: elsewhere the call waits for it, for ever.
   *
   * @returns what was copied: all of it
   * @throws ErrnoError EINVAL, EFAULT, EHWPOISON and ESHUTDOWN as {@link copy}
   */
  copySync(to: ArrayBufferView, from: ArrayBufferView, options?: CopySyncOptions): CopyResult {
    return tracedSync('copySync', () => {
      const atOnce = options === undefined ? this.#copyAtOnce(to, from, true) : undefined;
      return atOnce ?? this.#checkWhole(this.#copySync([{ to, from }], options), from);
    });
  }

  /**
   * As {@link copyBatch}, but blocks the calling thread until it is done.
   *
   * @returns what was copied; look at `failed`
   * @throws ErrnoError EINVAL, EFAULT and ESHUTDOWN as {@link copyBatch}
   */
  copyBatchSync(items: readonly CopyPair[] | CopyItems, options?: CopySyncOptions): CopyResult {
    return tracedSync('copyBatchSync', () => this.#copySync(items, options));
  }

  /**
   * Fills a view on shared memory with one byte. Nothing is read, so a poisoned frame is filled like any other.
   *
   * @param byte 0 to 255
   * @returns what was filled: all of it
   * @throws ErrnoError EINVAL for what is no view on shared memory, or no byte; EFAULT for memory outside the nodes; ESHUTDOWN if
   * the engine is closed. CopyAbortError if `signal` stopped it: what its `result` counts is filled, in no order.
   *
   * @example
   * ```js
   * import { CopyEngine } from 'mtcopy';
   *
   * const engine = await CopyEngine.create({ memory: '64M' });
   * const [a, b] = [engine.allocate(16 * 2 ** 20), engine.allocate(16 * 2 ** 20)];
   * await engine.fill(a, 7);
   * await engine.copy(b, a);
   * b[1000] = 8;
   * console.log(await engine.compare(a, b)); // 1000
   * await engine.close();
   * ```
   */
  async fill(view: ArrayBufferView, byte: number, options?: CopyOptions): Promise<CopyResult> {
    return traced('fill', async () => {
      const atOnce = options === undefined && hasTurn() ? this.#fillAtOnce(view, byte, false) : undefined;
      return atOnce ?? this.#begin(this.#fills(view, byte), COPY_OPTIONS, options);
    });
  }

  /**
   * As {@link fill}, but blocks the calling thread until it is done, as {@link copySync} does.
   *
   * @returns what was filled: all of it
   * @throws ErrnoError EINVAL, EFAULT and ESHUTDOWN as {@link fill}
   */
  fillSync(view: ArrayBufferView, byte: number, options?: CopySyncOptions): CopyResult {
    return tracedSync('fillSync', () => {
      const atOnce = options === undefined ? this.#fillAtOnce(view, byte, true) : undefined;
      return atOnce ?? this.#beginSync(this.#fills(view, byte), COPY_SYNC_OPTIONS, options);
    });
  }

  /**
   * Compares two views of the same length on shared memory, which may overlap. Nobody may write to either meanwhile.
   *
   * @returns offset in bytes of the first byte that differs; -1 if none does
   * @throws ErrnoError EINVAL for anything else; EFAULT for memory outside the nodes; EHWPOISON if a frame of either is poisoned
   * as the call begins, wherever they differ; ESHUTDOWN if the engine is closed. CopyAbortError if `signal` stopped it before the
   * answer was known: what its `result` counts was compared.
   */
  async compare(a: ArrayBufferView, b: ArrayBufferView, options?: CompareOptions): Promise<number> {
    let difference = -1;
    const look = (call: Call) => {
      difference = this.#compared(call);
    };
    await traced('compare', async () => {
      const atOnce = options === undefined && hasTurn() ? this.#compareAtOnce(a, b, false) : undefined;
      if (!atOnce) return this.#begin(this.#compares(a, b), COMPARE_OPTIONS, options, look);
      difference = atOnce.difference;
      return atOnce.result;
    });
    return difference;
  }

  /**
   * As {@link compare}, but blocks the calling thread until it is done, as {@link copySync} does.
   *
   * @returns offset in bytes of the first byte that differs; -1 if none does
   * @throws ErrnoError EINVAL, EFAULT, EHWPOISON and ESHUTDOWN as {@link compare}
   */
  compareSync(a: ArrayBufferView, b: ArrayBufferView, options?: CompareSyncOptions): number {
    let difference = -1;
    const look = (call: Call) => {
      difference = this.#compared(call);
    };
    tracedSync('compareSync', () => {
      const atOnce = options === undefined ? this.#compareAtOnce(a, b, true) : undefined;
      if (!atOnce) return this.#beginSync(this.#compares(a, b), COMPARE_SYNC_OPTIONS, options, look);
      difference = atOnce.difference;
      return atOnce.result;
    });
    return difference;
  }

  /** Ends the threads once the calls in flight are done; new calls get ESHUTDOWN. Views stay valid. May be called again. */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#end());
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The short way of one small item; `undefined` if it must go the long way. */
  #copyAtOnce(to: ArrayBufferView, from: ArrayBufferView, blocks: boolean): CopyResult | undefined {
    if (this.#lifetime.isClosed) return undefined;
    const started = performance.now();
    const bytes = this.#copyNow(to, from, Math.min(this.#leastAtOnce(started, blocks), this.#choice.cachedBytes() + 1));
    return bytes < 0 ? undefined : this.#resultAtOnce(bytes, started, blocks);
  }

  /** The short way of a small fill; `undefined` if it must go the long way. */
  #fillAtOnce(view: ArrayBufferView, byte: number, blocks: boolean): CopyResult | undefined {
    if (this.#lifetime.isClosed) return undefined;
    const started = performance.now();
    // As #chooseStores has it.
    const cached = 2 * this.#choice.cachedBytes() + 1;
    const bytes = this.#fillNow(view, byte, Math.min(this.#leastAtOnce(started, blocks), cached));
    return bytes < 0 ? undefined : this.#resultAtOnce(bytes, started, blocks);
  }

  /** The short way of a small compare; `undefined` if it must go the long way. */
  #compareAtOnce(
    a: ArrayBufferView,
    b: ArrayBufferView,
    blocks: boolean,
  ): { difference: number; result: CopyResult } | undefined {
    if (this.#lifetime.isClosed) return undefined;
    const started = performance.now();
    const difference = this.#compareNow(a, b, this.#leastAtOnce(started, blocks));
    if (difference === UNKNOWN) return undefined;
    return { difference, result: this.#resultAtOnce(difference < 0 ? a.byteLength : difference, started, blocks) };
  }

  /** Bytes from which threads get one range, of a call that began at `started`. */
  #leastAtOnce(started: number, blocks: boolean): number {
    return this.#leastBytes(RANGE, blocks ? this.#restBefore(started) : undefined);
  }

  #resultAtOnce(bytes: number, started: number, blocks: boolean): CopyResult {
    const ended = performance.now();
    if (blocks) this.#lastBlocked = ended;
    const wallNs = Math.round((ended - started) * 1e6);
    return { bytes, items: 1, failed: [], threads: 1, wallNs, workerNs: 0 };
  }

  async #copy(items: readonly CopyPair[] | CopyItems, options?: CopyOptions): Promise<CopyResult> {
    return this.#begin(this.#copies(items, false), COPY_OPTIONS, options);
  }

  #copySync(items: readonly CopyPair[] | CopyItems, options?: CopySyncOptions): CopyResult {
    return this.#beginSync(this.#copies(items, true), COPY_SYNC_OPTIONS, options);
  }

  #copies(items: readonly CopyPair[] | CopyItems, blocks: boolean): Opener {
    return (started) => openCall(this.memory, this.#rules, items, blocks, started);
  }

  #fills(view: ArrayBufferView, byte: number): Opener {
    return (started) => {
      checkByte('byte', byte);
      return openWork(this.memory, this.#rules, { kind: 'fill', byte }, [{ name: 'view', view }], started);
    };
  }

  #compares(a: ArrayBufferView, b: ArrayBufferView): Opener {
    const views = [
      { name: 'a', view: a },
      { name: 'b', view: b },
    ];
    return (started) => openWork(this.memory, this.#rules, { kind: 'compare' }, views, started);
  }

  /** Makes a call, and lets `look` see what came of it; rejects if it was aborted before its end. */
  async #begin<Options extends CopyOptions>(
    open: Opener,
    checks: Checks<Options>,
    options: Options = {} as Options,
    look?: (call: Call) => void,
  ): Promise<CopyResult> {
    const started = performance.now();
    const { signal, caller, stores }: CopyOptions = checkOptions(options, checks);
    beginTurn();
    const steps = open(started);
    // After the last look at what was given that isn't within the call: a getter may have closed it.
    this.#lifetime.checkOpen();
    return this.#lifetime.during(async () => {
      const call = await inTurns(steps);
      try {
        await this.#run(call, caller, stores, signal);
        look?.(call);
        return resultOf(call);
      } finally {
        call.batch.lists.release();
      }
    });
  }

  /** As {@link #begin}, of a call that blocks. */
  #beginSync<Options extends CopySyncOptions>(
    open: Opener,
    checks: Checks<Options>,
    options: Options = {} as Options,
    look?: (call: Call) => void,
  ): CopyResult {
    const started = performance.now();
    const { caller, stores }: CopySyncOptions = checkOptions(options, checks);
    const restMs = this.#restBefore(started);
    const call = takeAll(open(started));
    // As above.
    this.#lifetime.checkOpen();
    this.#chooseStores(call, stores);
    for (let batch = takeAll(nextBatch(call)); batch; batch = takeAll(nextBatch(call, batch))) {
      if (this.#isSmall(batch, restMs)) takeAll(this.#dispatcher.copyInline(batch));
      else this.#dispatcher.copySync(batch, this.#helps(caller, true));
    }
    this.#parkTimer.refresh();
    this.#lastBlocked = performance.now();
    look?.(call);
    const result = resultOf(call);
    call.batch.lists.release();
    return result;
  }

  async #runTrusted(work: Work, items: CopyItems, caller: CallerMode, stores: Stores): Promise<CopyResult> {
    return traced(work.kind === 'fill' ? 'fill' : 'copyBatch', () => {
      this.#lifetime.checkOpen();
      return this.#lifetime.during(async () => {
        const call = openTrustedCall(this.memory, work, items);
        try {
          await this.#run(call, caller, stores);
          return resultOf(call);
        } finally {
          call.batch.lists.release();
        }
      });
    });
  }

  async #run(call: Call, caller?: CallerMode, stores?: Stores, signal?: AbortSignal): Promise<void> {
    this.#chooseStores(call, stores);
    call.batch.tally.stopped = signal?.aborted === true;
    await this.#copyCall(call, this.#helps(caller, false), signal);
    if (isCutShort(call)) throw new CopyAbortError(resultOf(call), signal?.reason, call.batch.work.kind);
  }

  async #copyCall(call: Call, helps: boolean, signal: AbortSignal | undefined): Promise<void> {
    let batch: Batch | undefined;
    const unsubscribe = onAbort(signal, () => {
      call.batch.tally.stopped = true;
      if (batch) this.#dispatcher.stop(batch.tally);
    });
    try {
      for (;;) {
        batch = await inTurns(nextBatch(call, batch));
        if (!batch) return;
        if (this.#isSmall(batch, undefined)) await inTurns(this.#dispatcher.copyInline(batch));
        else await this.#dispatcher.copy(batch, helps);
      }
    } finally {
      unsubscribe();
    }
  }

  /** Milliseconds between the last blocking call and one that began at `started`. */
  #restBefore(started: number): number {
    return started - this.#lastBlocked;
  }

  /** By the whole call: how it is cut into batches, jobs and items says nothing of what it does to the caches. */
  #chooseStores({ batch }: Call, asked: Stores | undefined): void {
    const { work, seen } = batch;
    // A fill touches half of what a copy of as many bytes does; a compare stores nothing.
    const bytes = work.kind === 'fill' ? seen.total / 2 : seen.total;
    batch.streams = work.kind !== 'compare' && bytes > this.#choice.cachedBytes(asked);
  }

  /**
   * Whether a batch is copied by the calling thread alone. Otherwise calls the workers back, and waits for none. `restMs` is
   * that of {@link minParallelBytes}.
   */
  #isSmall({ seen }: Batch, restMs: number | undefined): boolean {
    if (seen.total === 0) return true;
    if (seen.total < this.#leastBytes(seen, restMs)) return true;
    if (this.#crew.attached < this.#threads) this.#crew.resize(this.#threads);
    return false;
  }

  /** Bytes from which threads get what looks like `seen`. */
  #leastBytes(seen: Shape, restMs: number | undefined): number {
    return this.#minParallelBytes === 'auto' ? minParallelBytes(seen, restMs) : this.#minParallelBytes;
  }

  #helps(asked: CallerMode | undefined, blocks: boolean): boolean {
    const caller = asked ?? this.#caller;
    return caller === 'auto' ? blocks : caller === 'helps';
  }

  /** @throws ErrnoError EHWPOISON if the one item of a call was not copied */
  #checkWhole(result: CopyResult, { byteOffset, byteLength }: ArrayBufferView): CopyResult {
    if (result.failed.length === 0) return result;
    const rest = `what else could be copied was, ${result.bytes} of ${byteLength} bytes`;
    throw poisonError(this.memory, 'from', byteOffset, byteLength, rest);
  }

  /** The answer of a compare; throws EHWPOISON if there is none. */
  #compared(call: Call): number {
    const { to, from, bytes, tally } = call.batch;
    if (tally.left.size === 0) return differenceOf(call);
    const [name, address] = touchesPoison(this.memory, to[0], bytes[0]) ? ['a', to[0]] : ['b', from[0]];
    throw poisonError(this.memory, name, address, bytes[0], 'what it holds can not be known');
  }

  /** Lets the workers leave while there is nothing to do: their tasks would keep the process from ending. */
  #park(): void {
    if (this.#lifetime.inFlight === 0) this.#crew.resize(0);
  }

  async #end(): Promise<void> {
    clearTimeout(this.#parkTimer);
    await this.#crew.close();
    this.#traced?.detach();
    this.#dispatcher.close();
    this.memory.freeContig(this.#ringPfn);
  }
}

/** Reads and checks what a call was given, at once as far as it may change. */
type Opener = (started: number) => Steps<Call>;

/** The caller's clock: its own time is not reported, only that it took part. */
const NO_CLOCK: CpuClock = { wake() {}, start() {}, stop: () => 0 };
