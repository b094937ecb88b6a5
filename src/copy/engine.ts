import { randomUUID } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';
import { anything, type Checks, checkOptions, checkThreads, wholeNumber } from '../check.js';
import { invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { Lifetime } from '../threads/lifetime.js';
import { prepareThreads } from '../threads/pool.js';
import { PAGE_SIZE, type Pfn, pagesOf } from '../units.js';
import { AbortRelay } from './abort-relay.js';
import { type CopyPair, checkPair, ownItems } from './batch/batch.js';
import type { CopyItems } from './batch/items.js';
import {
  type Call,
  type CallRules,
  createCall,
  createTrustedCall,
  isCutShort,
  recopyHealthy,
  refuseCall,
  resultOf,
  stopCall,
} from './call.js';
import { Crew } from './crew.js';
import { Dispatcher } from './dispatcher.js';
import { fixedChoice, type InlineChoice, measuredChoice } from './inline-choice.js';
import { type CreateOptions, completeOptions, type EngineOptions } from './options.js';
import { CopyAbortError, type CopyResult } from './result.js';
import { traced, tracedSync } from './trace.js';
import type { CpuClock } from './worker/cpu-clock.js';
import { CALLER, DETACHED, type JobRing, openRing, RING_PAGES, workerState } from './worker/job-ring.js';
import { compileWalker, createCopyRange } from './worker/methods.js';

/** Options of one asynchronous copy. */
export interface CopyOptions {
  /**
   * Ends the copy between items, and in a large one between pieces of 256 KiB: the call then rejects with a
   * {@link CopyAbortError}. A call that is copied at once can't be aborted once it runs.
   */
  signal?: AbortSignal | undefined;
  /**
   * Whether a caller that helps lets the event loop turn first, so that what the program does after the call comes before
   * its own share of the copying, while other threads copy already. Default: false.
   */
  helpLater?: boolean | undefined;
}

const COPY_OPTIONS: Checks<CopyOptions> = { signal: checkSignal, helpLater: anything };
const checkBytes = wholeNumber(0, Number.POSITIVE_INFINITY);
/** Idle time, in milliseconds, after which the workers leave, so that they keep no process from ending. */
const PARK_MS = 100;
/** The most that a synchronous call waits for workers that had left, in milliseconds. */
const UNPARK_MS = 2;

/**
 * As {@link CopyEngine.copyBatch}, for a migrator whose frames were just allocated: what it asks for isn't checked again. The
 * way in of code inside alone, for bad items could overwrite anything in the engine's memory.
 *
 * @param items in the nodes, none of which overlaps another; the arrays stay as they are until the call's end
 * @param helpsLater whether the caller has something else to do first
 * @internal
 */
export let copyTrusted: (engine: CopyEngine, items: CopyItems, helpsLater: boolean) => Promise<CopyResult>;

/**
 * Copies shared memory with a pool of threads.
 *
 * Between the call and its end the destination and the source are the engine's: nobody else may write to either, nor
 * read the destination. Several calls may be in flight at once, in no order among them.
 */
export class CopyEngine implements AsyncDisposable {
  static {
    copyTrusted = (engine, items, helpsLater) => engine.#copyTrusted(items, helpsLater);
  }

  /** The shared memory that {@link allocate} takes from. */
  readonly memory: PhysicalMemory;
  readonly #helps: boolean;
  readonly #rules: CallRules;
  readonly #choice: InlineChoice;
  readonly #ring: JobRing;
  readonly #ringPfn: Pfn;
  readonly #crew: Crew;
  readonly #dispatcher: Dispatcher;
  readonly #outbox: BroadcastChannel;
  /** Bytes of what {@link allocate} returned and {@link free} has not got back, by first frame. */
  readonly #allocations = new Map<number, number>();
  readonly #aborts = new AbortRelay();
  readonly #lifetime: Lifetime;
  readonly #parkTimer: NodeJS.Timeout;
  #threads: number;

  /**
   * Starts an engine and its threads.
   *
   * @throws ErrnoError EINVAL for a wrong option; ENOMEM for more memory than there is; EAGAIN if threads can't be
   * started, with the reason as its cause; ENOENT if a bundler has moved the library away from the files of its threads
   */
  static async create(options?: CreateOptions): Promise<CopyEngine> {
    await prepareThreads();
    const engine = new CopyEngine(completeOptions(options));
    try {
      await engine.#lifetime.during(() => engine.#crew.ready());
    } catch (error) {
      await engine.close();
      throw error;
    }
    return engine;
  }

  private constructor({ memory, threads, schedule, caller, niceIncrement, minParallelBytes, method }: EngineOptions) {
    const isStatic = schedule === 'static';
    this.memory = memory;
    this.#threads = threads;
    this.#helps = caller === 'helps';
    this.#rules = { memory, method };
    this.#choice = minParallelBytes === 'auto' ? measuredChoice() : fixedChoice(minParallelBytes);
    this.#ringPfn = memory.allocReserved(RING_PAGES);
    const ringAddress = this.#ringPfn * PAGE_SIZE;
    memory.bytes.fill(0, ringAddress, ringAddress + RING_PAGES * PAGE_SIZE);
    this.#ring = openRing(memory.buffer, ringAddress);
    const setup = {
      memory: memory.wasm,
      module: compileWalker(),
      ringAddress,
      isStatic,
      poisonAddress: memory.poisonAddress,
      // Unique in the process: engines of other threads hear every channel of the same name.
      channel: `mtcopy-${randomUUID()}`,
    };
    this.#outbox = new BroadcastChannel(setup.channel);
    this.#outbox.unref();
    const copyRange = createCopyRange({
      ...setup,
      words: this.#ring.words,
      isPoisoned: (address, bytes) => memory.isPoisoned(address, bytes),
      foreign: (slot) => this.#dispatcher.buffersOf(slot),
    });
    this.#crew = new Crew({
      ring: this.#ring,
      setup,
      niceIncrement,
      onLost: (index) => this.#dispatcher.onLostWorker(index),
    });
    this.#dispatcher = new Dispatcher({
      crew: this.#crew,
      caller: { index: CALLER, ring: this.#ring, isStatic, copyRange, clock: createWallClock() },
      outbox: this.#outbox,
      helps: this.#helps,
      typedArrays: method === 'typed-array',
    });
    // Last: an engine that couldn't be made leaves no timer behind.
    this.#parkTimer = setTimeout(() => this.#park(), PARK_MS).unref();
    this.#lifetime = new Lifetime('the engine is closed: create another', () => this.#parkTimer.refresh());
    this.#crew.resize(this.#workers);
  }

  /** Threads that copy a batch, 1 to 64; a caller that helps is one of them. May be set at any time, for later calls. */
  get threads(): number {
    return this.#threads;
  }

  /** @throws ErrnoError EINVAL for anything but 1 to 64 or `'auto'`; ESHUTDOWN if the engine is closed. */
  set threads(threads: number | 'auto') {
    this.#lifetime.checkOpen();
    this.#threads = checkThreads(threads);
    this.#crew.resize(this.#workers);
    this.#parkTimer.refresh();
  }

  /**
   * Allocates shared memory for the engine's fastest method. It starts on a page and its bytes are what they were: zero
   * unless they were used before. The caller owns it until {@link free}.
   *
   * @param bytes 0 or more; pages are not shared between allocations
   * @throws ErrnoError EINVAL for anything but a whole number; ENOMEM if so much in a row isn't free; ESHUTDOWN if the
   * engine is closed.
   */
  allocate(bytes: number): Uint8Array<SharedArrayBuffer> {
    this.#lifetime.checkOpen();
    checkBytes('bytes', bytes);
    const pfn = this.memory.allocContig(Math.max(1, pagesOf(bytes)));
    this.#allocations.set(pfn, bytes);
    return new Uint8Array(this.memory.buffer, pfn * PAGE_SIZE, bytes);
  }

  /**
   * Gives back what {@link allocate} returned. No copy of it may be in flight, and no view on it may be used any more.
   *
   * @throws ErrnoError EINVAL for any other view, or one that was freed before.
   */
  free(view: Uint8Array): void {
    const isOurs = ArrayBuffer.isView(view) && view.buffer === this.memory.buffer;
    const pfn = isOurs ? view.byteOffset / PAGE_SIZE : -1;
    if (pfn < 0 || this.#allocations.get(pfn) !== view.byteLength) {
      throw invalid('view', 'must be what allocate() returned, and not yet freed', view);
    }
    this.#allocations.delete(pfn);
    this.memory.freeContig(pfn);
  }

  /**
   * Copies `from` to `to`: views of the same length on shared memory that don't overlap.
   *
   * @returns what was copied; look at `failed`
   * @throws ErrnoError EINVAL for anything else; EFAULT for memory outside the nodes; ESHUTDOWN if the engine is closed.
   * CopyAbortError if `signal` stopped it.
   */
  async copy(to: ArrayBufferView, from: ArrayBufferView, options?: CopyOptions): Promise<CopyResult> {
    return traced('copy', async () => this.#copyAtOnce(to, from, options) ?? this.#copy([{ to, from }], options));
  }

  /**
   * Copies every item of a batch, in any order: no two may overlap.
   *
   * @param items pairs of views, or addresses in {@link memory} as a struct of arrays
   * @returns and throws as {@link copy}
   */
  async copyBatch(items: readonly CopyPair[] | CopyItems, options?: CopyOptions): Promise<CopyResult> {
    return traced('copyBatch', () => this.#copy(items, options));
  }

  /**
   * As {@link copy}, but blocks the calling thread until it is done. A worker that dies meanwhile is noticed on Linux
   * alone: elsewhere the call waits for it.
   */
  copySync(to: ArrayBufferView, from: ArrayBufferView): CopyResult {
    return tracedSync('copySync', () => this.#copyAtOnce(to, from) ?? this.#copySync([{ to, from }]));
  }

  /** As {@link copyBatch}, but blocks the calling thread until it is done. */
  copyBatchSync(items: readonly CopyPair[] | CopyItems): CopyResult {
    return tracedSync('copyBatchSync', () => this.#copySync(items));
  }

  /** Ends the threads once the calls in flight are done; new calls get ESHUTDOWN. Views stay valid. May be called again. */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#end());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Worker threads that {@link threads} comes to. */
  get #workers(): number {
    return this.#helps ? this.#threads - 1 : this.#threads;
  }

  /** The short way of one small item in the engine's memory; `undefined` if it must go the long way. */
  #copyAtOnce(to: ArrayBufferView, from: ArrayBufferView, options?: CopyOptions): CopyResult | undefined {
    const bytes = to?.byteLength;
    if (this.#lifetime.isClosed || options !== undefined || !(bytes >= 0)) return undefined;
    if (!this.#choice.isInline(bytes)) return undefined;
    const started = performance.now();
    if (!checkPair(this.#rules, { to, from }, 0)) return undefined;
    const overlap = to.byteOffset < from.byteOffset + bytes && from.byteOffset < to.byteOffset + bytes;
    if (overlap || !this.#dispatcher.copyItem(to.byteOffset, from.byteOffset, bytes)) return undefined;
    const wallNs = Math.round((performance.now() - started) * 1e6);
    this.#choice.record(bytes, true, this.#lifetime.inFlight === 0 ? wallNs : undefined);
    return { bytes, items: 1, failed: [], threads: 1, wallNs, workerNs: 0 };
  }

  async #copy(items: readonly CopyPair[] | CopyItems, options: CopyOptions = {}): Promise<CopyResult> {
    this.#lifetime.checkOpen();
    const { signal, helpLater } = checkOptions(options, COPY_OPTIONS);
    const call = createCall(this.#rules, items);
    if (signal?.aborted) {
      refuseCall(call);
      throw new CopyAbortError(resultOf(call), signal.reason);
    }
    return this.#run(call, signal, helpLater === true);
  }

  async #run(call: Call, signal: AbortSignal | undefined, helpsLater: boolean): Promise<CopyResult> {
    const isInline = this.#isInline(call);
    if (isInline) this.#copyInline(call);
    else await this.#lifetime.during(() => this.#copyParallel(call, signal, helpsLater));
    this.#record(call, isInline);
    const result = resultOf(call);
    if (isCutShort(call)) throw new CopyAbortError(result, signal?.reason);
    return result;
  }

  async #copyTrusted(items: CopyItems, helpsLater: boolean): Promise<CopyResult> {
    return traced('copyBatch', () => {
      this.#lifetime.checkOpen();
      return this.#run(createTrustedCall(this.#rules, items), undefined, helpsLater);
    });
  }

  #copySync(items: readonly CopyPair[] | CopyItems): CopyResult {
    this.#lifetime.checkOpen();
    const call = createCall(this.#rules, items);
    const isInline = this.#isInline(call) || this.#unparkSync() === 0;
    if (isInline) {
      this.#copyInline(call);
    } else {
      for (const batch of call.batches) this.#dispatcher.copySync(batch);
      recopyHealthy(call, this.#dispatcher);
      this.#parkTimer.refresh();
    }
    this.#record(call, isInline);
    return resultOf(call);
  }

  #copyInline(call: Call): void {
    for (const batch of call.batches) this.#dispatcher.copyInline(batch);
    recopyHealthy(call, this.#dispatcher);
  }

  async #copyParallel(call: Call, signal: AbortSignal | undefined, helpsLater: boolean): Promise<void> {
    const unsubscribe = this.#aborts.subscribe(signal, () => stopCall(call, this.#dispatcher));
    try {
      if (this.#crew.attached < this.#workers) {
        this.#crew.resize(this.#workers);
        for (const batch of call.batches) ownItems(batch);
        // Where threads can't be started this one copies.
        await this.#crew.ready().catch(() => {});
      }
      await Promise.all(call.batches.map((batch) => this.#dispatcher.copy(batch, helpsLater)));
    } finally {
      unsubscribe();
    }
    recopyHealthy(call, this.#dispatcher);
  }

  /** Whether a call is copied at once. Otherwise, where no worker serves, this thread copies it between turns. */
  #isInline(call: Call): boolean {
    return call.bytes === 0 || this.#choice.isInline(call.bytes);
  }

  /** Lets the choice learn from a call that had the engine to itself. */
  #record(call: Call, wasInline: boolean): void {
    const isAlone = this.#lifetime.inFlight === 0 && !call.batches.some(({ tally }) => tally.stopped);
    this.#choice.record(call.bytes, wasInline, isAlone ? (performance.now() - call.started) * 1e6 : undefined);
  }

  /** Lets the workers leave while there is nothing to do: their tasks would keep the process from ending. */
  #park(): void {
    if (this.#lifetime.inFlight === 0) this.#crew.resize(0);
  }

  /** Calls the workers back, and waits for a moment, without the event loop. Returns how many serve. */
  #unparkSync(): number {
    if (this.#crew.attached < this.#workers) {
      this.#crew.resize(this.#workers);
      // They may come too late for this call, and must leave again all the same.
      this.#parkTimer.refresh();
      const until = performance.now() + UNPARK_MS;
      for (let index = 0; index < this.#workers; index++) {
        Atomics.wait(this.#ring.words, workerState(index), DETACHED, Math.max(0, until - performance.now()));
      }
    }
    return this.#crew.attached;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#parkTimer);
    await this.#crew.close();
    this.#outbox.close();
    this.memory.freeContig(this.#ringPfn);
  }
}

function checkSignal(name: string, signal: unknown): void {
  if (!(signal instanceof AbortSignal)) throw invalid(name, 'must be an AbortSignal', signal);
}

/** The caller's clock when it helps: its own time is not reported, only that it took part. */
function createWallClock(): CpuClock {
  let started = 0;
  return {
    wake() {},
    start() {
      started = performance.now();
    },
    stop() {
      return (performance.now() - started) * 1e6;
    },
  };
}
