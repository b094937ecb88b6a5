import { setImmediate } from 'node:timers/promises';
import { isWord, numberFrom, oneOf } from '../check.js';
import { createCpuAccount, enter, leave } from '../copy/cpu-account.js';
import { ERRNO, ErrnoError, invalid, show } from '../errno.js';
import type { Lifetime } from '../threads/lifetime.js';
import { monotonicMs } from '../trace/clock.js';
import { ChannelThread } from './channel-thread.js';
import type { DeviceModel, DmaCapability } from './device.js';
import type { FaultPlan } from './faults.js';
import { checkSgTable, type SgTable } from './sg-table.js';
import {
  ACTIVE,
  completionRecord,
  createRing,
  type DescriptorRing,
  DMA_TRANS_ABORTED,
  DMA_TRANS_NOERROR,
  DONE,
  FAULT,
  FAULT_SHIFT,
  HEAD,
  INTERRUPT,
  IRQ,
  NEXT,
  recordErrno,
  recordResult,
  ringBell,
  SCRAMBLE,
  SEQUENCE_MASK,
  TERMINATE,
  TERMINATED,
  UNSCRAMBLE,
} from './worker/ring.js';
import type { ChannelSetup } from './worker/serve.js';

/** What a cookie's status can be (enum dma_status). */
export type DmaStatus = 'DMA_COMPLETE' | 'DMA_IN_PROGRESS' | 'DMA_ERROR';

/** How completions are waited for: names of {@link DmaWait}. */
export const DMA_WAITS = ['sleep', 'poll'] as const;
/** How completions are waited for: asleep until an interrupt, or by looking at the records again and again. */
export type DmaWait = (typeof DMA_WAITS)[number];

/** How a descriptor takes what is private to the device, as its flags. */
const MEMCPY_FLAGS = { plain: 0, private: UNSCRAMBLE | SCRAMBLE, seal: SCRAMBLE, unseal: UNSCRAMBLE } as const;
/**
 * How a descriptor takes the bytes: as they are; or as private to the device, sealed at the source's frames and to be sealed
 * at the target's; or so that they are sealed only at the target, or only at the source, which may be the same range.
 *
 * @useDeclaredType
 */
export type MemcpyMode = keyof typeof MEMCPY_FLAGS;

/**
 * Called for each descriptor that is complete, in the order in which they are found.
 *
 * What it throws comes out of {@link DmaChannel.poll} or {@link DmaChannel.completions}, whichever found the descriptor; what is
 * behind it is called back by the next. Where all that is left is given up, each is called back whatever others throw, and
 * only the first error is kept: {@link DmaChannel.terminate} throws it, or if the channel's thread was lost, the next of these
 * three. It is dropped when the channel is released.
 *
 * @param cookie what {@link DmaChannel.submit} returned
 * @param result one of the `DMA_TRANS_…` numbers
 * @param errno 0, or what went wrong: EHWPOISON for a poisoned source, EFAULT for a DMA fault, EIO for the device's
 * failures, ECANCELED for one that was given up with its channel
 */
export type DmaCallback = (cookie: number, result: number, errno: number) => void;

const checkMode = oneOf(Object.keys(MEMCPY_FLAGS) as MemcpyMode[]);
const checkWait = oneOf(DMA_WAITS);
const checkMs = numberFrom(0, Number.POSITIVE_INFINITY);

/** How long a channel that is told to drop everything has to say that it did, in milliseconds, before its thread is ended. */
const TERMINATE_MS = 20;
/** How long a caller that polls keeps its event loop waiting, in milliseconds. */
const POLL_SLICE_MS = 0.2;
/** A cookie of which this many were submitted later is long over. */
const OLD = SEQUENCE_MASK / 2;

/** What a channel needs. */
interface ChannelOptions {
  readonly number: number;
  readonly device: DeviceModel;
  /** What its thread gets, but for the ring. */
  readonly setup: Omit<ChannelSetup, 'ring' | 'size' | 'number'>;
  readonly lifetime: Lifetime;
  /** What a test has go wrong, now. */
  readonly faults: () => FaultPlan | undefined;
  /** Sequence number of the first descriptor. */
  readonly firstSequence: number;
}

/**
 * A channel of a DMA device (struct dma_chan), on the thread that has requested it. Its descriptors are copied by a thread of
 * its own: this one prepares, submits and issues them, and looks at their completion records.
 *
 * Hot loops allocate nothing a descriptor: cookies are numbers, and one callback serves all.
 *
 * @example
 * ```js
 * import { DMA_TRANS_NOERROR, DmaEngine, PhysicalMemory } from 'mtcopy';
 *
 * const memory = PhysicalMemory.create({ nodes: ['1M'] });
 * const [from, to] = [memory.allocFolio(0), memory.allocFolio(0)];
 * from.bytes.fill(7);
 * const engine = await DmaEngine.create({ memory, device: 'sdxi' });
 * const channel = engine.request('memcpy');
 * const callback = (cookie, result) => console.log(result === DMA_TRANS_NOERROR, to.bytes[4095]);
 * // Without an IOMMU the device's addresses are physical ones.
 * channel.submit(channel.prepMemcpy(to.pfn * 4096, from.pfn * 4096, 4096, true, callback));
 * channel.issuePending();
 * console.log(await channel.completions(1000)); // true
 * engine.release(channel);
 * await engine.close();
 * ```
 */
export class DmaChannel {
  /** Its number, from 0. */
  readonly number: number;
  readonly #device: DeviceModel;
  readonly #ring: DescriptorRing;
  readonly #thread: ChannelThread;
  readonly #lifetime: Lifetime;
  readonly #faults: () => FaultPlan | undefined;
  readonly #callbacks: (DmaCallback | undefined)[];
  /** For each place, whether its completion was called back, until it is used again. */
  readonly #reported: Uint8Array;
  // Sequence numbers: the oldest that was not called back, what is issued, what is submitted.
  #tail: number;
  #issued: number;
  #submitted: number;
  /** Whether there is a descriptor that was prepared and not submitted. */
  #isPrepared = false;
  /** Places of segments: the next, and how many are in use. */
  #segment = 0;
  #segmentsUsed = 0;
  /** What the calling thread has spent on looking for completions, and on what they call back. */
  readonly #polling = createCpuAccount();
  /** Completions that were called back, as DONE counts them. */
  #reaped = 0;
  #terminating: Promise<void> | undefined;
  /** Why its thread has ended last. */
  #startError: unknown;
  /** What a callback has thrown first where nobody heard of it. */
  #unheard: { readonly error: unknown } | undefined;

  /** @internal */
  constructor({ number, device, setup, lifetime, faults, firstSequence }: ChannelOptions) {
    this.number = number;
    this.#device = device;
    this.#lifetime = lifetime;
    this.#faults = faults;
    this.#ring = createRing(device.queueDepth);
    const { size, words, buffer } = this.#ring;
    this.#callbacks = new Array(size).fill(undefined);
    this.#reported = new Uint8Array(size);
    this.#tail = this.#issued = this.#submitted = firstSequence;
    words[HEAD] = words[NEXT] = firstSequence;
    // Counted from there, so that DONE is HEAD while everything is complete.
    words[DONE] = this.#reaped = firstSequence;
    this.#thread = new ChannelThread({ ...setup, number, ring: buffer, size }, words, (error) => this.#onOver(error));
  }

  /** What it can do. */
  get capabilities(): readonly DmaCapability[] {
    return this.#device.capabilities;
  }

  /** Descriptors that were submitted and not yet called back. */
  get inFlight(): number {
    return distance(this.#tail, this.#submitted);
  }

  /** Whether its thread is there: what is submitted waits for none to start. */
  get isServed(): boolean {
    return this.#thread.isServed;
  }

  /** Descriptors that can be prepared and submitted now. */
  get room(): number {
    return this.#terminating ? 0 : this.#device.queueDepth - this.inFlight;
  }

  /** CPU nanoseconds that the channel's thread has spent, ever. */
  get cpuNs(): number {
    return this.#ring.cpuNs[0];
  }

  /**
   * CPU nanoseconds that the calling thread has spent in {@link completions}, ever, but for what the callbacks charge others
   * with.
   */
  get polledNs(): number {
    return this.#polling.ns;
  }

  /**
   * The ring's header.
   *
   * @internal
   */
  get words(): Int32Array {
    return this.#ring.words;
  }

  /**
   * Prepares the copy of a range (dmaengine_prep_dma_memcpy). One descriptor may be prepared at a time: another one takes the
   * place of what was not submitted. What overlaps is copied in any order.
   *
   * @param to the device's address, as a mapping gave it, in bytes
   * @param from the same
   * @param bytes above 0
   * @param interrupt whether to raise an interrupt when it is complete (DMA_PREP_INTERRUPT). Default: false
   * @param callback called when it is found to be complete
   * @param mode how it takes the bytes; for any but `'plain'` both addresses and the size are multiples of 4. Default: `'plain'`
   * @returns what to submit, above 0; 0 if the queue is full, or the channel is being terminated
   * @throws ErrnoError EINVAL for what is no address, no size, no callback or no mode; EOPNOTSUPP for another mode than `'plain'` if the
   * channel can do nothing `'private'`
   */
  prepMemcpy(
    to: number,
    from: number,
    bytes: number,
    interrupt = false,
    callback?: DmaCallback,
    mode: MemcpyMode = 'plain',
  ): number {
    checkRange(to, from, bytes);
    checkCallback(callback);
    if (mode !== 'plain') {
      checkMode('mode', mode);
      this.#checkPrivate(to, from, bytes);
    }
    if (this.room === 0 || this.#segmentsUsed === this.#ring.segments) return 0;
    this.#writeSegment(this.#segment, to, from, bytes);
    return this.#prepare(1, interrupt, callback, MEMCPY_FLAGS[mode]);
  }

  /**
   * Prepares the copy of one mapped table's ranges to another's, as one descriptor, which is complete as a whole. Both must
   * have as many bytes; their ranges need not be alike.
   *
   * @returns as {@link prepMemcpy}
   * @throws ErrnoError EOPNOTSUPP if the channel can't; EINVAL for what is no table or no callback, or tables of different, or
   * no, bytes; E2BIG for more ranges than the queue ever has room for
   */
  prepMemcpySg(to: SgTable, from: SgTable, interrupt = false, callback?: DmaCallback): number {
    this.#checkCan('memcpy-sg');
    checkSgTable('to', to);
    checkSgTable('from', from);
    checkCallback(callback);
    const { segments } = this.#ring;
    const needed = countSegments(to, from);
    if (needed > segments) {
      throw new ErrnoError(
        'E2BIG',
        `tables: ${needed} ranges are more than ${segments}; copy them by several descriptors`,
      );
    }
    if (this.room === 0 || this.#segmentsUsed + needed > segments) return 0;
    this.#writeSegments(to, from);
    return this.#prepare(needed, interrupt, callback, MEMCPY_FLAGS.plain);
  }

  /**
   * Submits what was prepared last (dmaengine_submit).
   *
   * @param prepared what that returned
   * @returns its cookie, above 0; or the errno of what went wrong, negative, and the descriptor is gone
   * @throws ErrnoError EINVAL for anything but what was prepared last
   */
  submit(prepared: number): number {
    if (!this.#isPrepared || prepared !== this.#submitted + 1) {
      throw invalid('prepared', 'must be what was prepared last, once', prepared);
    }
    this.#isPrepared = false;
    if (this.#faults()?.submit?.(this.number)) return -ERRNO.EIO;
    const slot = this.#slotOf(this.#submitted);
    this.#segment = (this.#segment + this.#ring.count[slot]) & (this.#ring.segments - 1);
    this.#segmentsUsed += this.#ring.count[slot];
    this.#submitted = (this.#submitted + 1) & SEQUENCE_MASK;
    return prepared;
  }

  /**
   * Has the channel begin with all that was submitted (dma_async_issue_pending).
   *
   * @throws ErrnoError ESHUTDOWN if the engine is closed
   */
  issuePending(): void {
    this.#lifetime.checkOpen();
    if (this.#issued === this.#submitted || this.#terminating) return;
    // A device is idle once it has completed everything, whether anybody has looked or not.
    if ((Atomics.load(this.#ring.words, DONE) & SEQUENCE_MASK) === this.#issued) this.#ring.issuedMs[0] = monotonicMs();
    this.#issued = this.#submitted;
    // Release: the descriptors, and when that was, come before.
    Atomics.store(this.#ring.words, HEAD, this.#issued);
    if (this.#thread.isServed) ringBell(this.#ring.words);
    else this.#thread.start();
  }

  /**
   * The status of what was submitted (dma_async_is_tx_complete). That something failed is known until its place in the queue
   * is used again; from then on it counts as complete.
   *
   * @throws ErrnoError EINVAL for a number that is no cookie
   */
  txStatus(cookie: number): DmaStatus {
    const isNumber = Number.isInteger(cookie);
    const sequence = isNumber ? cookie - 1 : 0;
    const age = distance(sequence, this.#submitted);
    if (!isNumber || cookie <= 0 || cookie > SEQUENCE_MASK + 1 || age === 0 || age > OLD) {
      throw invalid('cookie', 'must be one that submit returned', cookie);
    }
    // The place of one that is prepared only may be taken already.
    if (age + (this.#isPrepared ? 1 : 0) > this.#ring.size) return 'DMA_COMPLETE';
    // Acquire: the bytes come before.
    const record = Atomics.load(this.#ring.records, this.#slotOf(sequence));
    if (record === 0) return 'DMA_IN_PROGRESS';
    return recordResult(record) === DMA_TRANS_NOERROR ? 'DMA_COMPLETE' : 'DMA_ERROR';
  }

  /**
   * Looks at the completion records of what is in flight, and calls back for each descriptor that is complete: each once,
   * whatever their order.
   *
   * @returns how many were
   * @throws what a callback throws, or has thrown as the channel's thread was lost
   */
  poll(): number {
    this.#throwUnheard();
    return this.#reap();
  }

  #reap(): number {
    const { words, records } = this.#ring;
    const issued = this.#issued;
    // Acquire, before the records: so many there are at least, and no need to look for more.
    const expected = (Atomics.load(words, DONE) - this.#reaped) | 0;
    let found = 0;
    for (let sequence = this.#tail; found < expected && sequence !== issued; sequence = after(sequence)) {
      const slot = this.#slotOf(sequence);
      if (this.#reported[slot]) continue;
      // Acquire: the bytes come before.
      const record = Atomics.load(records, slot);
      if (record === 0) continue;
      found++;
      this.#report(sequence, slot, record);
    }
    return found;
  }

  /**
   * Waits until something is complete, and calls back for all that is.
   *
   * @param ms how long, in milliseconds from when the channel's thread is there
   * @param wait asleep, which only works for what was prepared with an interrupt, or when the channel has nothing left to do;
   * or by polling, in turns of the event loop. Default: asleep
   * @returns whether something was; false if nothing is in flight, or the time is up
   * @throws ErrnoError EINVAL for a time that is no number of 0 or more, or another way to wait; what a callback throws,
   * or has thrown as the channel's thread was lost
   */
  async completions(ms: number, wait: DmaWait = 'sleep'): Promise<boolean> {
    checkMs('ms', ms);
    checkWait('wait', wait);
    return this.#lifetime.during(() => this.#completions(ms, wait));
  }

  /**
   * Resolves once the channel's thread serves it.
   *
   * @throws ErrnoError EAGAIN if it can't be started; ESHUTDOWN if the engine is closed
   */
  async ready(): Promise<void> {
    this.#lifetime.checkOpen();
    await this.#lifetime.during(async () => {
      for (;;) {
        await this.#thread.ending;
        this.#lifetime.checkOpen();
        this.#startError = undefined;
        this.#thread.start();
        if (await this.#thread.started()) return;
        // Without an error it was just leaving, or was ended for its silence: another one takes its place.
        if (this.#startError === undefined) continue;
        throw new ErrnoError('EAGAIN', `channel ${this.number}: its thread cannot be started`, {
          cause: this.#startError,
        });
      }
    });
  }

  /**
   * Drops all that was submitted and isn't complete (dmaengine_terminate_sync): each descriptor is called back with
   * `DMA_TRANS_ABORTED`. Once this has resolved the channel touches no memory for any of them: if it doesn't say so itself,
   * its thread is ended, and another one takes its place when something is issued.
   *
   * @throws what the first callback that threw has thrown, once all are called back: nothing is in flight then either
   */
  terminate(): Promise<void> {
    // What was only prepared is gone: submitted now it would be behind what the thread is told to drop.
    this.#isPrepared = false;
    this.#terminating ??= this.#lifetime
      .during(() => this.#terminate())
      .finally(() => {
        this.#terminating = undefined;
      });
    return this.#terminating;
  }

  /**
   * Lets the thread's task end, once it has nothing to do.
   *
   * @internal
   */
  rest(): void {
    this.#thread.leave();
  }

  /**
   * Drops what a callback has thrown: it is nothing to who has the channel next.
   *
   * @internal
   */
  forget(): void {
    this.#unheard = undefined;
  }

  /**
   * Ends the thread, and aborts what is in flight. Whoever waits for completions hears what a callback throws.
   *
   * @internal
   */
  async close(): Promise<void> {
    await this.#thread.end();
    this.#abort();
  }

  async #completions(ms: number, wait: DmaWait): Promise<boolean> {
    const { words } = this.#ring;
    const reaped = this.#reaped;
    // A thread that is still being started is not silent.
    if (this.inFlight > 0) await this.#thread.started();
    const until = performance.now() + ms;
    for (;;) {
      // Before the records: an interrupt for a later one changes it, and the wait below doesn't sleep.
      const interrupts = Atomics.load(words, IRQ);
      this.#pollOn(wait === 'poll' ? Math.min(until - performance.now(), POLL_SLICE_MS) : 0);
      // By whomever: a channel that is terminated has done so already.
      if (this.#reaped !== reaped) return true;
      const left = until - performance.now();
      if (this.inFlight === 0 || left <= 0) return false;
      if (wait === 'poll') {
        await setImmediate();
        continue;
      }
      const sleep = Atomics.waitAsync(words, IRQ, interrupts, left);
      if (sleep.async) await sleep.value;
    }
  }

  /** Calls back for all that is complete; if that is nothing it looks again for so long, until something is. */
  #pollOn(ms: number): void {
    const { words } = this.#ring;
    const seen = this.#reaped;
    enter(this.#polling);
    try {
      if (this.poll() > 0 || this.inFlight === 0) return;
      const until = performance.now() + ms;
      while (performance.now() < until && Atomics.load(words, DONE) === seen);
      this.poll();
    } finally {
      leave(this.#polling);
    }
  }

  async #terminate(): Promise<void> {
    const { words } = this.#ring;
    const asked = (words[TERMINATE] + 1) | 0;
    if (this.#thread.isServed) {
      this.#issueAborted();
      // After HEAD, up to which descriptors are to be dropped.
      Atomics.store(words, TERMINATE, asked);
      ringBell(words);
      const until = performance.now() + TERMINATE_MS;
      // Acquire: the thread's last byte and its last record come before.
      for (let seen = Atomics.load(words, TERMINATED); seen !== asked; seen = Atomics.load(words, TERMINATED)) {
        const left = until - performance.now();
        if (left <= 0 || !this.#thread.isServed) break;
        const wait = Atomics.waitAsync(words, TERMINATED, seen, left);
        if (wait.async) await wait.value;
      }
      if (Atomics.load(words, TERMINATED) !== asked) await this.#thread.end();
    }
    this.#abort();
    this.#throwUnheard();
  }

  /** Issues what was submitted only, as descriptors that the channel does nothing for. */
  #issueAborted(): void {
    for (let sequence = this.#issued; sequence !== this.#submitted; sequence = after(sequence)) {
      this.#ring.flags[this.#slotOf(sequence)] = FAULT.cancel << FAULT_SHIFT;
    }
    this.#issued = this.#submitted;
    Atomics.store(this.#ring.words, HEAD, this.#issued);
  }

  /** The thread's task is over. */
  #onOver(error?: unknown): void {
    if (error !== undefined) {
      this.#startError = error;
      this.#abort();
    } else if (this.#ring.words[NEXT] !== this.#issued && !this.#lifetime.isClosed) {
      // Something was issued while it was leaving.
      this.#thread.start();
    }
  }

  /**
   * Aborts what has no completion record, and calls back for all. The channel's thread is gone, or has said that it dropped
   * all of it.
   */
  #abort(): void {
    const { records } = this.#ring;
    this.#isPrepared = false;
    this.#issued = this.#submitted;
    let unreported = 0;
    for (let sequence = this.#tail; sequence !== this.#submitted; sequence = after(sequence)) {
      const slot = this.#slotOf(sequence);
      if (this.#reported[slot]) continue;
      unreported++;
      if (Atomics.load(records, slot) !== 0) continue;
      Atomics.store(records, slot, completionRecord(DMA_TRANS_ABORTED, ERRNO.ECANCELED));
    }
    this.#settleWords(unreported);
    while (!this.#reapUnheard());
  }

  /** Calls back for what is complete, up to what throws, which it keeps. Returns whether that was all. */
  #reapUnheard(): boolean {
    try {
      this.#reap();
      return true;
    } catch (error) {
      this.#unheard ??= { error };
      return false;
    }
  }

  #throwUnheard(): void {
    const unheard = this.#unheard;
    if (!unheard) return;
    this.#unheard = undefined;
    throw unheard.error;
  }

  /** Puts the words that the thread writes where they would be if it had completed everything, some not called back yet. */
  #settleWords(unreported: number): void {
    const { words } = this.#ring;
    Atomics.store(words, HEAD, this.#issued);
    if (!this.#thread.isServed) {
      words[NEXT] = this.#issued;
      words[TERMINATED] = words[TERMINATE];
      // Whoever waits until old translations are no longer used need not wait for a thread that is gone.
      if (words[ACTIVE] & 1) Atomics.add(words, ACTIVE, 1);
      Atomics.notify(words, ACTIVE);
    }
    // Not what it was and the aborted ones: a thread that is gone may have written a record and not counted it.
    Atomics.store(words, DONE, (this.#reaped + unreported) | 0);
    Atomics.add(words, IRQ, 1);
    Atomics.notify(words, IRQ);
  }

  #report(sequence: number, slot: number, record: number): void {
    const callback = this.#callbacks[slot];
    this.#callbacks[slot] = undefined;
    this.#reported[slot] = 1;
    this.#reaped = (this.#reaped + 1) | 0;
    while (this.#tail !== this.#issued && this.#reported[this.#slotOf(this.#tail)]) {
      this.#segmentsUsed -= this.#ring.count[this.#slotOf(this.#tail)];
      this.#tail = after(this.#tail);
    }
    callback?.(sequence + 1, recordResult(record), recordErrno(record));
  }

  #checkPrivate(to: number, from: number, bytes: number): void {
    this.#checkCan('private');
    if (((to | from | bytes) & 3) === 0) return;
    throw invalid('descriptor', 'must be of multiples of 4 to be private', [to, from, bytes].map(show).join(', '));
  }

  #checkCan(capability: DmaCapability): void {
    if (this.capabilities.includes(capability)) return;
    throw new ErrnoError('EOPNOTSUPP', `channel ${this.number} of a ${this.#device.name} has no '${capability}'`);
  }

  #prepare(segments: number, interrupt: boolean, callback: DmaCallback | undefined, mode: number): number {
    const { records, flags, first, count } = this.#ring;
    const slot = this.#slotOf(this.#submitted);
    const fault = this.#faults()?.descriptor?.(this.number) ?? 'none';
    this.#reported[slot] = 0;
    Atomics.store(records, slot, 0);
    flags[slot] = (interrupt ? INTERRUPT : 0) | mode | (FAULT[fault] << FAULT_SHIFT);
    first[slot] = this.#segment;
    count[slot] = segments;
    this.#callbacks[slot] = callback;
    this.#isPrepared = true;
    return this.#submitted + 1;
  }

  #writeSegment(place: number, to: number, from: number, bytes: number): void {
    this.#ring.to[place] = to;
    this.#ring.from[place] = from;
    this.#ring.bytes[place] = bytes;
  }

  #writeSegments(to: SgTable, from: SgTable): void {
    const mask = this.#ring.segments - 1;
    let place = this.#segment;
    eachSegment(to, from, (target, source, bytes) => {
      this.#writeSegment(place, target, source, bytes);
      place = (place + 1) & mask;
    });
  }

  #slotOf(sequence: number): number {
    return sequence & (this.#ring.size - 1);
  }
}

function after(sequence: number): number {
  return (sequence + 1) & SEQUENCE_MASK;
}

/** How far it is from one sequence number to a later one. */
function distance(from: number, to: number): number {
  return (to - from) & SEQUENCE_MASK;
}

function checkRange(to: number, from: number, bytes: number): void {
  if (isWord(to) && isWord(from) && isWord(bytes) && bytes > 0) return;
  throw invalid(
    'descriptor',
    'must be two addresses and a size above 0, of 32 bits',
    [to, from, bytes].map(show).join(', '),
  );
}

function checkCallback(callback: unknown): void {
  if (callback === undefined || typeof callback === 'function') return;
  throw invalid('callback', 'must be a function', callback);
}

/** Pieces of two tables, each in one range of both. */
function eachSegment(to: SgTable, from: SgTable, visit: (to: number, from: number, bytes: number) => void): boolean {
  let [target, source, written, read] = [0, 0, 0, 0];
  while (target < to.bytes.length && source < from.bytes.length) {
    const bytes = Math.min(to.bytes[target] - written, from.bytes[source] - read);
    visit(to.dma[target] + written, from.dma[source] + read, bytes);
    written += bytes;
    read += bytes;
    if (written === to.bytes[target]) {
      target++;
      written = 0;
    }
    if (read === from.bytes[source]) {
      source++;
      read = 0;
    }
  }
  return target === to.bytes.length && source === from.bytes.length;
}

function countSegments(to: SgTable, from: SgTable): number {
  let count = 0;
  const isAll = eachSegment(to, from, () => {
    count++;
  });
  if (isAll && count > 0) return count;
  throw invalid(
    'tables',
    'must be of as many bytes each, above 0',
    `${to.bytes.length} and ${from.bytes.length} ranges`,
  );
}
