import { BroadcastChannel } from 'node:worker_threads';
import { MAX_THREADS } from '../check.js';
import { type Steps, takeAll } from '../steps.js';
import { type Recording, recording } from '../trace/recording.js';
import { MiB } from '../units.js';
import type { CopyMethod } from '../words.js';
import type { Batch } from './batch/batch.js';
import { type Cutter, type Cutting, createCutter, type JobTarget } from './batch/cut-jobs.js';
import { DESCRIPTOR_WORDS, planStatic } from './batch/plan.js';
import { collectLeft, leaveFrom, type Tally } from './batch/tally.js';
import type { Crew, Inbox } from './crew.js';
import type { LineTables } from './line-tables.js';
import { inTurns } from './turns.js';
import { type ForeignMessage, inboxName } from './worker/inbox.js';
import {
  bytesLeft,
  CALLER,
  COUNT,
  DONE,
  foundIn,
  isAbandoned,
  isDone,
  type JobRing,
  type JobWork,
  LEFT,
  MESSAGES,
  METHOD_FOREIGN,
  METHOD_LINE,
  METHOD_LINE_STREAMING,
  METHOD_MEMORY_COPY,
  METHOD_STREAMING,
  METHOD_TYPED_ARRAY,
  OPERATION_COMPARE,
  OPERATION_COPY,
  OPERATION_FILL,
  publishJob,
  reofferUnits,
  ringDoorbell,
  type Slot,
  STOP,
  writeWork,
} from './worker/job-ring.js';
import { type OpenLine, openLine } from './worker/line-views.js';
import { copyTraced, copyUnit, type Held, hasSpareList, NO_LIMIT, type Participant } from './worker/participate.js';

/** Bytes that the calling thread copies between two looks at the clock. */
const STEP_BYTES = MiB;
/** How long a caller that helped looks for the others' last units before it sleeps, in milliseconds. */
const SPIN_MS = 0.05;
/** How long a blocked caller waits before it looks whether its workers are alive, in milliseconds. */
const LIVENESS_MS = 100;
/** How often the caller looks at a job that lost a worker, in milliseconds: such a job need not ring when it is over. */
const LOST_POLL_MS = 1;

/**
 * Buffers beside the engine's that workers are told of: the time that a message of them takes grows with the square of their
 * number, 60 µs for these. A batch with more of them the calling thread copies.
 */
const MAX_SENT_BUFFERS = 256;

/** Views that a thread makes of a descriptor of 1 MiB, the longest, at most: it goes by pieces of 256 KiB. */
const VIEWS_A_DESCRIPTOR = { copy: 4, fill: 12, compare: 8 };

const OPERATIONS = { copy: OPERATION_COPY, fill: OPERATION_FILL, compare: OPERATION_COMPARE };

/** What an engine's calls are dispatched with. */
interface DispatcherOptions {
  readonly crew: Crew;
  /** The calling thread, as one of those that copy. */
  readonly caller: Participant;
  /** How batches are cut; static if the caller's lists are. */
  readonly cutting: Cutting;
  /** What the names of the threads' inboxes begin with. */
  readonly channel: string;
  /** All bytes of the engine's memory. */
  readonly bytes: Uint8Array;
  /** What the engine was asked to copy with. */
  readonly method: CopyMethod;
  /** For the walker in C over any buffers; without them, typed arrays copy those. */
  readonly tables: LineTables | undefined;
}

/** As much of a batch as a slot has room for, in that slot. */
interface Job {
  readonly slot: Slot;
  readonly batch: Batch;
  /** Whether the calling thread takes part, while there are others. */
  readonly helps: boolean;
  /** What was sent to the workers, of a job in foreign buffers. */
  readonly message: ForeignMessage | undefined;
  /** The first place of the batch that is not in this job. */
  readonly next: number;
  /** What counts it as in flight, and so many bytes of it: 0 while nobody traces. */
  readonly trace: Recording | undefined;
  readonly tracedBytes: number;
  /** The item at each place; `undefined` where they are the same. */
  readonly itemAt: Uint32Array | undefined;
  /** What the calling thread is copying of it. */
  readonly held: Held;
  /** Whether the calling thread has taken a list of it, if it is static. */
  hasList: boolean;
  /** Whether a worker died that may have owned a unit of it: then the count means nothing. */
  lostWorker: boolean;
  /** Whether the outcome is in the tally, and the slot free again. */
  collected: boolean;
}

/** Cuts batches into jobs, gives them to the ring's workers, waits for them, and sums up what they did. */
export class Dispatcher {
  readonly #ring: JobRing;
  readonly #crew: Crew;
  readonly #caller: Participant;
  readonly #cutting: Cutting;
  readonly #channel: string;
  /** The ways to the threads' inboxes, by their number. */
  readonly #outboxes = new Map<number, BroadcastChannel>();
  readonly #bytes: Uint8Array;
  /** The method for items in the engine's memory that don't go past the caches. */
  readonly #ownMethod: number;
  /** Whether items are compared in C, if there is a walker: all but those of an engine that WebAssembly alone is to serve. */
  readonly #comparesInC: boolean;
  readonly #tables: LineTables | undefined;
  readonly #free: Slot[];
  /** Calls that wait for a slot, the oldest first. */
  readonly #waiting: (() => void)[] = [];
  readonly #jobs = new Set<Job>();
  /** The line of the foreign job in each slot, for this thread's own share. */
  readonly #lines: (OpenLine | undefined)[] = [];
  /** Foreign buffers that workers know already. */
  readonly #sent = new WeakSet<SharedArrayBuffer>();
  #sequence = 0;

  constructor({ crew, caller, cutting, channel, bytes, method, tables }: DispatcherOptions) {
    this.#ring = caller.ring;
    this.#crew = crew;
    this.#caller = caller;
    this.#cutting = cutting;
    this.#channel = channel;
    this.#bytes = bytes;
    this.#ownMethod = method === 'typed-array' ? METHOD_TYPED_ARRAY : METHOD_MEMORY_COPY;
    this.#comparesInC = method !== 'memory.copy';
    this.#tables = tables;
    this.#free = this.#ring.slots.slice().reverse();
  }

  /** The line of the foreign job in a slot, for the calling thread. */
  lineOf(slot: Slot): OpenLine | undefined {
    return this.#lines[slot.number];
  }

  /** Copies a batch on this thread alone: as much of it in a step as a slot has room for. */
  *copyInline(batch: Batch): Steps<void> {
    const count = batch.bytes.length;
    const { length: room } = this.#targetOf(this.#ring.own, batch).source;
    batch.tally.participants.add(CALLER);
    for (let first = 0; first < count; first += room) {
      if (batch.tally.stopped) return leaveFrom(first, batch, batch.tally);
      this.#copyOwn(batch, first, Math.min(first + room, count));
      yield;
    }
  }

  /** Copies a batch without blocking, but for half a millisecond between two turns of the event loop. */
  async copy(batch: Batch, helps: boolean): Promise<void> {
    const finished: Promise<void>[] = [];
    const cutter = createCutter(batch, this.#cutting);
    let next = 0;
    try {
      while (next < batch.bytes.length && !batch.tally.stopped) {
        const job = await inTurns(this.#publishNext(batch, cutter, next, helps));
        if (job) {
          finished.push(this.#finish(job));
          next = job.next;
        } else if (this.#free.length === 0 && !batch.tally.stopped) {
          // Looked at anew: one may have come free since that step, when this call was not among those that wait.
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
      }
    } catch (error) {
      // What is published already must not be copied on once the call is over.
      this.stop(batch.tally);
      throw error;
    } finally {
      // A call that ends before it has used the slot that it was woken for passes it on.
      this.#wakeNext();
      await Promise.all(finished);
    }
    leaveFrom(next, batch, batch.tally, cutter.itemAt);
  }

  /** Copies a batch and blocks until it is done. */
  copySync(batch: Batch, helps: boolean): void {
    const mine: Job[] = [];
    const cutter = createCutter(batch, this.#cutting);
    // Nothing is heard of workers while this thread blocks: with none to count on it takes part to the end.
    const takesPart = helps || this.#crew.attached === 0;
    try {
      for (let next = 0; next < batch.bytes.length; ) {
        const job = takeAll(this.#publishNext(batch, cutter, next, takesPart));
        if (job) {
          mine.push(job);
          next = job.next;
        } else {
          // The oldest of all: of this call if it has one in flight, or of another's.
          const [oldest] = this.#jobs;
          this.#finishSync(oldest);
        }
      }
    } catch (error) {
      this.stop(batch.tally);
      for (const job of mine) this.#finishSync(job);
      throw error;
    }
    for (const job of mine) this.#finishSync(job);
  }

  /** Tells the jobs of one batch to end at the next item. */
  stop(tally: Tally): void {
    tally.stopped = true;
    for (const job of this.#jobs) {
      // Pairs with the looks between two items: seen at the next at the latest, which is all an abort needs.
      if (job.batch.tally === tally) Atomics.store(this.#ring.words, job.slot.base + STOP, 1);
    }
  }

  /** Ends what leads to the workers. No job may be in flight. */
  close(): void {
    for (const outbox of this.#outboxes.values()) outbox.close();
  }

  /** A worker takes jobs from now on: it also gets the buffers of those that were published before it came. */
  onAttached(index: number): void {
    this.#sendAgain(this.#crew.inboxes().filter(({ worker }) => worker === index));
  }

  /**
   * A worker takes no jobs any more. What it was copying when its thread ended, and what it never claimed, the caller
   * copies; so it does if no worker is left.
   */
  onDetached(lost?: number): void {
    for (const job of this.#jobs) {
      if (lost !== undefined && reofferUnits(this.#ring, job.slot, lost)) job.lostWorker = true;
      // Wakes the job's own waiter, who looks who is there.
      Atomics.notify(this.#ring.words, job.slot.base + DONE);
    }
  }

  /** Publishes the next job of a batch; `undefined` if no slot is free, or the batch was stopped meanwhile. */
  *#publishNext(batch: Batch, cutter: Cutter, first: number, helps: boolean): Steps<Job | undefined> {
    yield* cutter.prepare(first);
    // From here on in one step: while a slot is taken and has no job, a call that blocks could wait for it for ever.
    const slot = batch.tally.stopped ? undefined : this.#free.pop();
    if (!slot) return undefined;
    try {
      return this.#publish(slot, batch, cutter, first, helps);
    } catch (error) {
      this.#release(slot);
      throw error;
    }
  }

  #publish(slot: Slot, batch: Batch, cutter: Cutter, first: number, helps: boolean): Job {
    // Threads that are still to come are counted, for they join.
    const participants = this.#crew.target + (helps ? 1 : 0);
    const { next, itemAt, ...plan } = cutter.cut(this.#targetOf(slot, batch), first, participants);
    // A 32-bit word in shared memory, so it wraps as that does.
    this.#sequence = (this.#sequence + 1) | 0;
    const sequence = this.#sequence;
    const message = this.#messageOf(slot, batch, sequence, plan.count);
    this.#openBuffers(slot, batch);
    // Before the job is published: a worker that claims a unit of it finds the buffers in its inbox.
    if (message) this.#send(message, this.#crew.inboxes());
    const held = { unit: -1, next: 0, end: 0 };
    const trace = recording;
    const tracedBytes = trace ? bytesLeft(this.#targetOf(slot, batch).descriptors, 0, plan.count) : 0;
    if (trace) trace.addBytes('copy engines', tracedBytes);
    const job = {
      slot,
      batch,
      helps,
      message,
      trace,
      tracedBytes,
      next,
      itemAt,
      held,
      hasList: false,
      lostWorker: false,
      collected: false,
    };
    this.#jobs.add(job);
    publishJob(this.#ring, slot, { ...plan, ...this.#workOf(batch), helps, sequence });
    // A static job has a list for each; foreign buffers must not stay in anybody's inbox.
    const wakesAll = this.#caller.isStatic || message !== undefined;
    ringDoorbell(this.#ring, wakesAll ? MAX_THREADS : Math.min(plan.units, participants));
    return job;
  }

  /** Copies items `first` up to `end` by the slot that no worker looks at. */
  #copyOwn(batch: Batch, first: number, end: number): void {
    const { own } = this.#ring;
    const target = this.#targetOf(own, batch);
    writeWork(this.#ring, own, this.#workOf(batch));
    try {
      this.#openBuffers(own, batch);
      const planned = planStatic(target, target.lists, batch, first, end, 1);
      const { trace, copyRange } = this.#caller;
      for (let next = 0; next < planned; ) {
        next = trace
          ? copyTraced(this.#caller, trace, own, { unit: 0, next, end: planned }, NO_LIMIT)
          : copyRange(own, next, planned, NO_LIMIT);
      }
      this.#tallyUp(own, batch, planned, false);
    } finally {
      this.#closeBuffers(own);
    }
  }

  async #finish(job: Job): Promise<void> {
    const { words } = this.#ring;
    const { base } = job.slot;
    for (;;) {
      if (this.#mayCopy(job)) await inTurns(this.#share(job));
      if (this.#isOver(job)) break;
      // Whoever finishes the last unit, and whoever finds a worker gone, notifies after what makes the look above differ.
      const wait = Atomics.waitAsync(words, base + DONE, this.#notYet(job), job.lostWorker ? LOST_POLL_MS : undefined);
      if (wait.async) await wait.value;
    }
    this.#collect(job);
  }

  #finishSync(job: Job): void {
    const { words } = this.#ring;
    takeAll(this.#share(job));
    for (let looked = performance.now(); !this.#isOver(job); ) {
      const patience = job.lostWorker ? LOST_POLL_MS : LIVENESS_MS;
      Atomics.wait(words, job.slot.base + DONE, this.#notYet(job), patience);
      if (performance.now() - looked >= LIVENESS_MS) {
        this.#lookAfterWorkers();
        looked = performance.now();
      }
      takeAll(this.#share(job));
    }
    this.#collect(job);
  }

  /** Does what the event loop would, for a thread that blocks: hears of workers that have ended, or that came meanwhile. */
  #lookAfterWorkers(): void {
    this.#crew.reportDead();
    this.#sendAgain(this.#crew.inboxes());
  }

  #sendAgain(inboxes: readonly Inbox[]): void {
    const messages = Array.from(this.#jobs, ({ message }) => message).filter((message) => message !== undefined);
    for (const message of messages) this.#send(message, inboxes);
    if (messages.length > 0) ringDoorbell(this.#ring, MAX_THREADS);
  }

  /** Copies on this thread what it may of a job; and if it did, looks for a moment for what others still copy. */
  *#share(job: Job): Steps<void> {
    let took = false;
    while (!job.collected && this.#mayCopy(job) && copyUnit(this.#caller, job.slot, job.held, STEP_BYTES)) {
      job.hasList = took = true;
      yield;
    }
    if (!took) return;
    // Each takes less than a sleep and a wake-up.
    for (const until = performance.now() + SPIN_MS; !this.#isOver(job) && performance.now() < until; );
  }

  /** Whether this thread is to go on copying a job: a unit that it holds, its share, or what nobody else will take. */
  #mayCopy(job: Job): boolean {
    if (job.batch.foreign.length > MAX_SENT_BUFFERS && !this.#hasTable(job.batch)) return true;
    if (job.held.unit >= 0 || job.lostWorker || this.#crew.attached === 0) return true;
    if (!this.#caller.isStatic) return job.helps;
    return (job.helps && !job.hasList) || hasSpareList(this.#ring, job.slot);
  }

  #isOver(job: Job): boolean {
    if (job.collected) return true;
    return job.lostWorker ? isAbandoned(this.#ring, job.slot) : isDone(this.#ring, job.slot);
  }

  /** What a job's DONE is while the caller must wait: 0, or whatever the count has made of it if a worker was lost. */
  #notYet({ lostWorker, slot }: Job): number {
    return lostWorker ? Atomics.load(this.#ring.words, slot.base + DONE) : 0;
  }

  /** Adds the job's outcome to the tally of its call, and frees the slot. Whoever sees first that it is over does it. */
  #collect(job: Job): void {
    if (job.collected) return;
    job.collected = true;
    const { slot, batch } = job;
    const { tally } = batch;
    this.#jobs.delete(job);
    if (job.trace) this.#recordEnd(job, job.trace);
    for (let index = 0; index < slot.cpuNs.length; index++) {
      const ns = slot.cpuNs[index];
      if (ns === 0) continue;
      tally.participants.add(index);
      if (index !== CALLER) tally.workerNs += ns;
    }
    this.#tallyUp(slot, batch, this.#ring.words[slot.base + COUNT], job.lostWorker, job.itemAt);
    this.#release(slot);
  }

  /** Adds what became of a job's first `count` descriptors: all of them, for units are over. */
  #tallyUp(slot: Slot, batch: Batch, count: number, lostWorker: boolean, itemAt?: Uint32Array): void {
    const { tally } = batch;
    const target = this.#targetOf(slot, batch);
    // Nobody lowers it any more, and its release came before the end of that thread's unit.
    const found = foundIn(this.#ring, slot, count);
    if (found >= 0) tally.difference = Math.min(tally.difference, target.descriptors[found * DESCRIPTOR_WORDS]);
    // A compare ends early by a word that a program can write to: what it has left is looked at in any case.
    const isWhole = batch.work.kind !== 'compare' && this.#ring.words[slot.base + LEFT] === 0;
    if (!lostWorker && isWhole) return;
    // What comes after a difference is left on purpose.
    if (bytesLeft(target.descriptors, 0, found < 0 ? count : found) === 0) return;
    collectLeft(target, count, batch, tally, itemAt);
  }

  /** What workers have recorded of a job is there once it is over. */
  #recordEnd({ tracedBytes }: Job, trace: Recording): void {
    trace.addBytes('copy engines', -tracedBytes);
    trace.drain();
  }

  #release(slot: Slot): void {
    this.#closeBuffers(slot);
    this.#free.push(slot);
    this.#wakeNext();
  }

  /** Wakes the call that has waited longest for a slot, if there is one; it may find that another was faster. */
  #wakeNext(): void {
    if (this.#free.length > 0) this.#waiting.shift()?.();
  }

  #workOf(batch: Batch): JobWork {
    const { work } = batch;
    const byte = work.kind === 'fill' ? work.byte : 0;
    return { operation: OPERATIONS[work.kind], method: this.#methodOf(batch), byte };
  }

  #methodOf(batch: Batch): number {
    if (this.#hasTable(batch)) return batch.streams ? METHOD_LINE_STREAMING : METHOD_LINE;
    if (batch.foreign.length > 0) return METHOD_FOREIGN;
    return batch.streams ? METHOD_STREAMING : this.#ownMethod;
  }

  /**
   * Whether a walker in C goes by a table of a batch's buffers: where it reaches beyond the engine's memory, and where there is no
   * walker in C for that memory alone, as only copies have.
   */
  #hasTable({ work, foreign, streams }: Batch): boolean {
    const isWanted = work.kind === 'compare' ? this.#comparesInC : work.kind === 'fill' && streams;
    return (foreign.length > 0 || isWanted) && this.#tables?.holds(foreign) === true;
  }

  /** Where a batch's jobs are written in a slot. */
  #targetOf({ narrow, wide }: Slot, batch: Batch): JobTarget {
    return batch.foreign.length > 0 || this.#hasTable(batch) ? wide : narrow;
  }

  /** Says for a slot where the buffers of its batch are that are not the engine's; until {@link #closeBuffers}. */
  #openBuffers(slot: Slot, batch: Batch): void {
    const { foreign } = batch;
    if (this.#hasTable(batch)) this.#tables?.open(slot.number, foreign);
    else if (foreign.length > 0) this.#lines[slot.number] = openLine(this.#bytes, foreign);
  }

  #closeBuffers(slot: Slot): void {
    this.#lines[slot.number] = undefined;
    this.#tables?.close(slot.number);
  }

  #messageOf(slot: Slot, batch: Batch, sequence: number, descriptors: number): ForeignMessage | undefined {
    const { foreign } = batch;
    if (foreign.length === 0 || foreign.length > MAX_SENT_BUFFERS || this.#hasTable(batch)) return undefined;
    let freshBytes = 0;
    for (const { buffer } of foreign) {
      if (this.#sent.has(buffer)) continue;
      this.#sent.add(buffer);
      freshBytes += buffer.byteLength;
    }
    const views = descriptors * VIEWS_A_DESCRIPTOR[batch.work.kind];
    return { slot: slot.number, sequence, foreign, freshBytes, views };
  }

  #outboxTo(id: number): BroadcastChannel {
    const known = this.#outboxes.get(id);
    if (known) return known;
    const outbox = new BroadcastChannel(inboxName(this.#channel, id));
    outbox.unref();
    this.#outboxes.set(id, outbox);
    return outbox;
  }

  /** Sends a message to workers that take jobs now, and to no others: what isn't read stays alive. */
  #send(message: ForeignMessage, inboxes: readonly Inbox[]): void {
    for (const { thread } of inboxes) this.#outboxTo(thread).postMessage(message);
    // Release: whoever sees the count finds the message.
    Atomics.add(this.#ring.words, MESSAGES, 1);
  }
}
