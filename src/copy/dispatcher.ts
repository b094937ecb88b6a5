import { setImmediate } from 'node:timers/promises';
import type { BroadcastChannel } from 'node:worker_threads';
import { MAX_THREADS } from '../check.js';
import { type Batch, ownItems } from './batch/batch.js';
import { type Cutter, createCutter } from './batch/cut-jobs.js';
import { planStatic } from './batch/plan.js';
import { collectLeft, leaveFrom, type Tally } from './batch/tally.js';
import type { Crew } from './crew.js';
import {
  CALLER,
  COUNT,
  closeLostUnits,
  DONE,
  isAbandoned,
  isDone,
  type JobRing,
  LEFT,
  METHOD,
  METHOD_FOREIGN,
  METHOD_MEMORY_COPY,
  METHOD_TYPED_ARRAY,
  publishJob,
  ringDoorbell,
  SLOT_DESCRIPTORS,
  type Slot,
  STOP,
} from './worker/job-ring.js';
import { type ForeignViews, openBuffers } from './worker/methods.js';
import { copyUnit, type Participant } from './worker/participate.js';
import type { ForeignMessage } from './worker/serve.js';

/** How long a caller that helps keeps the event loop waiting, in milliseconds. */
const HELP_SLICE_MS = 0.5;
/** How long a caller that helped looks for the others' last units before it sleeps, in milliseconds. */
const SPIN_MS = 0.05;
/** How long a blocked caller waits before it looks whether its workers are alive, in milliseconds. */
const LIVENESS_MS = 100;
/** How often the caller looks at a job that lost a worker, in milliseconds: such a job doesn't ring when it is over. */
const LOST_POLL_MS = 1;

/** What an engine's calls are dispatched with. */
interface DispatcherOptions {
  readonly crew: Crew;
  /** The calling thread, as one of those that copy. */
  readonly caller: Participant;
  /** The channel that foreign buffers go out over. */
  readonly outbox: BroadcastChannel;
  /** Whether the calling thread copies too. */
  readonly helps: boolean;
  /** Whether the engine's memory is copied with typed arrays. */
  readonly typedArrays: boolean;
}

/** As much of a batch as a slot has room for, in that slot. */
interface Job {
  readonly slot: Slot;
  readonly batch: Batch;
  /** Whether the calling thread takes its share after a turn of the event loop; to a call that blocks it is nothing. */
  readonly helpsLater: boolean;
  /** The first place of the batch that is not in this job. */
  readonly next: number;
  /** The item at each place; `undefined` where they are the same. */
  readonly itemAt: Uint32Array | undefined;
  /** Whether a worker owned a unit of it when it died: then the count never reaches 0. */
  lostUnits: boolean;
  /** Whether the outcome is in the tally, and the slot free again. */
  collected: boolean;
}

/** Cuts batches into jobs, gives them to the ring's workers, waits for them, and sums up what they did. */
export class Dispatcher {
  readonly #ring: JobRing;
  readonly #crew: Crew;
  readonly #caller: Participant;
  readonly #outbox: BroadcastChannel;
  readonly #helps: boolean;
  /** The method for items in the engine's memory. */
  readonly #ownMethod: number;
  readonly #free: Slot[];
  readonly #waiting: (() => void)[] = [];
  readonly #jobs = new Set<Job>();
  /** The buffers of the foreign job in each slot, for this thread's own share. */
  readonly #buffers: (ForeignViews | undefined)[] = [];
  #sequence = 0;

  constructor({ crew, caller, outbox, helps, typedArrays }: DispatcherOptions) {
    this.#ring = caller.ring;
    this.#crew = crew;
    this.#caller = caller;
    this.#outbox = outbox;
    this.#helps = helps;
    this.#ownMethod = typedArrays ? METHOD_TYPED_ARRAY : METHOD_MEMORY_COPY;
    this.#free = this.#ring.slots.slice().reverse();
  }

  /** The buffers of the foreign job in a slot, for a caller that helps. */
  buffersOf(slot: Slot): ForeignViews | undefined {
    return this.#buffers[slot.number];
  }

  /** Copies one item on this thread, at once. Returns false, and has copied nothing, if its source is poisoned. */
  copyItem(to: number, from: number, bytes: number): boolean {
    const { words, own } = this.#ring;
    words[own.base + METHOD] = this.#ownMethod;
    own.descriptors[0] = to;
    own.descriptors[1] = from;
    own.descriptors[2] = bytes;
    return this.#caller.copyRange(own, 0, 1) === 0;
  }

  /** Copies a batch on this thread alone, at once. */
  copyInline(batch: Batch): void {
    const { words, own } = this.#ring;
    const count = batch.bytes.length;
    words[own.base + METHOD] = this.#methodOf(batch);
    this.#buffers[own.number] = batch.buffers && openBuffers(batch.buffers);
    for (let first = 0; first < count; first += SLOT_DESCRIPTORS) {
      const planned = planStatic(own, own.lists, batch, first, Math.min(first + SLOT_DESCRIPTORS, count), 1);
      if (this.#caller.copyRange(own, 0, planned) > 0) collectLeft(own, planned, batch, batch.tally);
    }
    this.#buffers[own.number] = undefined;
    batch.tally.participants.add(CALLER);
  }

  /** Copies a batch without blocking, but for the caller's own share where it helps. */
  async copy(batch: Batch, helpsLater: boolean): Promise<void> {
    const finished: Promise<void>[] = [];
    const cutter = createCutter(batch, this.#caller.isStatic);
    let next = 0;
    while (next < batch.bytes.length && !batch.tally.stopped) {
      const slot = this.#free.pop();
      if (!slot) {
        ownItems(batch);
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      const job = this.#publish(slot, batch, cutter, next, helpsLater);
      finished.push(this.#finish(job));
      next = job.next;
    }
    // Until here the user's program had no turn, unless this waited for a slot.
    ownItems(batch);
    // A call that was stopped while it waited passes on the slot that it was woken for.
    if (this.#free.length > 0) this.#waiting.shift()?.();
    await Promise.all(finished);
    leaveFrom(next, batch, batch.tally, cutter.itemAt);
  }

  /** Copies a batch and blocks until it is done. */
  copySync(batch: Batch): void {
    const mine: Job[] = [];
    const cutter = createCutter(batch, this.#caller.isStatic);
    for (let next = 0; next < batch.bytes.length; ) {
      const slot = this.#free.pop();
      if (!slot) {
        // The oldest of all: a slot of this call if it has one in flight, or of another call's.
        const [oldest] = this.#jobs;
        this.#finishSync(oldest);
        continue;
      }
      const job = this.#publish(slot, batch, cutter, next, false);
      mine.push(job);
      next = job.next;
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

  /**
   * Takes up the jobs that a worker which is gone may have left: what it was copying is lost, and what it never claimed
   * the caller copies, for a static list has nobody else.
   */
  onLostWorker(index: number): void {
    for (const job of this.#jobs) {
      if (closeLostUnits(this.#ring, job.slot, index) > 0) {
        job.lostUnits = true;
        job.batch.tally.lostWorker = true;
      }
      void this.#help(job);
      // Wakes the job's own waiter, who from now on must look at the owner words.
      Atomics.notify(this.#ring.words, job.slot.base + DONE);
    }
  }

  #publish(slot: Slot, batch: Batch, cutter: Cutter, first: number, helpsLater: boolean): Job {
    const { buffers } = batch;
    // Counted here, for workers may have come or gone while the call waited: a static job must have no list that nobody
    // takes.
    const threads = Math.max(1, this.#crew.attached + (this.#helps ? 1 : 0));
    // A 32-bit word in shared memory, so it wraps as that does.
    this.#sequence = (this.#sequence + 1) | 0;
    const sequence = this.#sequence;
    const plan = cutter.cut(slot, first, threads);
    const { next, itemAt } = plan;
    const job = { slot, batch, helpsLater, next, itemAt, lostUnits: false, collected: false };
    this.#jobs.add(job);
    this.#buffers[slot.number] = buffers && openBuffers(buffers);
    if (buffers) {
      const message: ForeignMessage = { slot: slot.number, sequence, ...buffers };
      // Before the job is published: a worker that claims a unit of it finds the buffers in its inbox.
      this.#outbox.postMessage(message);
    }
    publishJob(this.#ring, slot, { ...plan, method: this.#methodOf(batch), sequence });
    // A static job has a list for each; foreign buffers must not stay in anybody's inbox.
    const wakeAll = this.#caller.isStatic || buffers !== undefined;
    ringDoorbell(this.#ring, wakeAll ? MAX_THREADS : Math.min(plan.units, threads));
    return job;
  }

  async #finish(job: Job): Promise<void> {
    const { words } = this.#ring;
    if (job.helpsLater) await setImmediate();
    if (this.#helps || this.#crew.attached === 0) {
      await this.#help(job);
      this.#spin(job);
    }
    while (!this.#isOver(job)) {
      const wait = Atomics.waitAsync(words, job.slot.base + DONE, 0, job.lostUnits ? LOST_POLL_MS : undefined);
      if (wait.async) await wait.value;
    }
    this.#collect(job);
  }

  #finishSync(job: Job): void {
    const { words } = this.#ring;
    if (this.#helps || this.#crew.attached === 0) {
      while (copyUnit(this.#caller, job.slot));
      this.#spin(job);
    }
    while (!this.#isOver(job)) {
      const wait = Atomics.wait(words, job.slot.base + DONE, 0, job.lostUnits ? LOST_POLL_MS : LIVENESS_MS);
      if (wait !== 'timed-out') continue;
      this.#crew.reportDead();
      while (copyUnit(this.#caller, job.slot));
    }
    this.#collect(job);
  }

  /** Copies units of the job on this thread until none is left to claim, with a turn of the event loop now and then. */
  async #help(job: Job): Promise<void> {
    for (let until = performance.now() + HELP_SLICE_MS; copyUnit(this.#caller, job.slot); ) {
      if (performance.now() < until) continue;
      await setImmediate();
      if (job.collected) return;
      until = performance.now() + HELP_SLICE_MS;
    }
  }

  /** Waits without sleeping for the units that others still copy: each takes less than a sleep and a wake-up. */
  #spin(job: Job): void {
    for (const until = performance.now() + SPIN_MS; !this.#isOver(job) && performance.now() < until; );
  }

  #isOver(job: Job): boolean {
    return isDone(this.#ring, job.slot) || job.collected || (job.lostUnits && isAbandoned(this.#ring, job.slot));
  }

  /** Adds the job's outcome to the tally of its call, and frees the slot. Whoever sees first that it is over does it. */
  #collect(job: Job): void {
    if (job.collected) return;
    job.collected = true;
    const { slot, batch } = job;
    const { tally } = batch;
    this.#jobs.delete(job);
    this.#buffers[slot.number] = undefined;
    for (let index = 0; index < slot.cpuNs.length; index++) {
      const ns = slot.cpuNs[index];
      if (ns === 0) continue;
      tally.participants.add(index);
      if (index !== CALLER) tally.workerNs += ns;
    }
    const { words } = this.#ring;
    if (job.lostUnits || words[slot.base + LEFT] > 0) {
      collectLeft(slot, words[slot.base + COUNT], batch, tally, job.itemAt);
    }
    this.#free.push(slot);
    this.#waiting.shift()?.();
  }

  #methodOf({ buffers }: Batch): number {
    return buffers ? METHOD_FOREIGN : this.#ownMethod;
  }
}
