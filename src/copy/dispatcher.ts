import { setImmediate } from 'node:timers/promises';
import type { BroadcastChannel } from 'node:worker_threads';
import { MAX_THREADS } from './check-threads.js';
import type { Crew } from './crew.js';
import {
  CALLER,
  closeLostUnits,
  DONE,
  ITEMS,
  isAbandoned,
  isDone,
  type JobRing,
  KERNEL,
  KERNEL_FOREIGN,
  KERNEL_MEMORY_COPY,
  KERNEL_TYPED_ARRAY,
  LEFT,
  publishJob,
  ringDoorbell,
  SLOT_DESCRIPTORS,
  type Slot,
  STOP,
} from './job-ring.js';
import type { ForeignBuffers } from './kernels.js';
import { copyUnit, type Participant } from './participate.js';
import { DESCRIPTOR_WORDS, planDynamic, planStatic } from './plan.js';
import { gainsFromOrder, HEAD_ITEMS, orderBySource } from './source-order.js';
import type { Transfer } from './transfer.js';
import type { ForeignMessage } from './worker.js';

/** Items of a static batch's first window: workers start while the rest is planned. */
const FIRST_WINDOW = 2048;
/** Bounds of a dynamic unit, in bytes, and how many of them a thread gets if the batch is large enough. */
const MIN_UNIT_BYTES = 64 * 1024;
const MAX_UNIT_BYTES = 1024 * 1024;
const UNITS_A_THREAD = 16;
/** How long a caller that helps keeps the event loop waiting, in milliseconds. */
const HELP_SLICE_MS = 0.5;
/** How long a caller that helped looks for the others' last units before it sleeps, in milliseconds. */
const SPIN_MS = Number(process.env.SPIN ?? 0.05);
/** How long a blocked caller waits before it looks whether its workers are alive, in milliseconds. */
const LIVENESS_MS = 100;
/** How often the caller looks at a job that lost a worker, in milliseconds: such a job doesn't ring when it is over. */
const LOST_POLL_MS = 1;

/** How one call is to be copied. */
export interface Manner {
  readonly isStatic: boolean;
  /** Whether the calling thread copies too. */
  readonly helps: boolean;
  /** Threads to share the batch among, the caller among them if it helps. */
  readonly threads: number;
  /** Whether the engine's memory is copied with typed arrays. */
  readonly typedArrays: boolean;
}

/** What the jobs of one call did together. */
export interface Tally {
  /** CPU nanoseconds of workers. */
  workerNs: number;
  /** Numbers of the threads that copied. */
  readonly participants: Set<number>;
  /** Bytes planned and not copied. */
  bytesLeft: number;
  /** Positions in the transfer that were not copied whole. */
  readonly left: Set<number>;
  /** Whether a worker died in it. */
  lostWorker: boolean;
  /** Whether the call was told to stop. */
  stopped: boolean;
}

export function createTally(): Tally {
  return { workerNs: 0, participants: new Set(), bytesLeft: 0, left: new Set(), lostWorker: false, stopped: false };
}

/** A window of a transfer in a slot. */
interface Job {
  readonly slot: Slot;
  readonly transfer: Transfer;
  readonly tally: Tally;
  readonly helps: boolean;
  /** The first place of the transfer that is not in this job. */
  readonly next: number;
  /** The items at each place; `undefined` where they are the same. */
  readonly order: Uint32Array | undefined;
  /** Whether a worker owned a unit of it when it died: then the count never reaches 0. */
  lostUnits: boolean;
  /** Whether the outcome is in the tally, and the slot free again. */
  collected: boolean;
}

/** Cuts transfers into jobs, gives them to the ring's workers, waits for them, and sums up what they did. */
export class Dispatcher {
  readonly #ring: JobRing;
  readonly #crew: Crew;
  readonly #caller: Participant;
  readonly #outbox: BroadcastChannel;
  readonly #free: Slot[];
  readonly #waiting: (() => void)[] = [];
  readonly #jobs = new Set<Job>();
  /** The buffers of the foreign job in each slot, for this thread's own share. */
  readonly #buffers: (ForeignBuffers | undefined)[] = [];
  #sequence = 0;

  constructor(ring: JobRing, crew: Crew, caller: Participant, outbox: BroadcastChannel) {
    this.#ring = ring;
    this.#crew = crew;
    this.#caller = caller;
    this.#outbox = outbox;
    this.#free = ring.slots.slice().reverse();
  }

  /** The buffers of the foreign job in a slot, for a caller that helps. */
  buffersOf(slot: Slot): ForeignBuffers {
    return this.#buffers[slot.number] as ForeignBuffers;
  }

  /** Copies one item on this thread, at once. Returns false, and has copied nothing, if its source is poisoned. */
  copyOne(to: number, from: number, bytes: number, typedArrays: boolean): boolean {
    const { words, own } = this.#ring;
    words[own.base + KERNEL] = typedArrays ? KERNEL_TYPED_ARRAY : KERNEL_MEMORY_COPY;
    own.descriptors[0] = to;
    own.descriptors[1] = from;
    own.descriptors[2] = bytes;
    return this.#caller.copyRange(own, 0, 1) === 0;
  }

  /** Copies a transfer on this thread alone, at once. */
  copyInline(transfer: Transfer, typedArrays: boolean, tally: Tally): void {
    const { words, own } = this.#ring;
    const count = transfer.bytes.length;
    words[own.base + KERNEL] = kernelOf(transfer, typedArrays);
    this.#buffers[own.number] = transfer.buffers;
    for (let first = 0; first < count; first += SLOT_DESCRIPTORS) {
      const items = planStatic(own, own.lists, transfer, first, Math.min(first + SLOT_DESCRIPTORS, count), 1);
      if (this.#caller.copyRange(own, 0, items) > 0) collectLeft(own, items, transfer, tally);
    }
    this.#buffers[own.number] = undefined;
    tally.participants.add(CALLER);
  }

  /** Copies a transfer without blocking, but for the caller's own share where it helps. */
  async copy(transfer: Transfer, manner: Manner, tally: Tally): Promise<void> {
    const finished: Promise<void>[] = [];
    const cutter = createCutter(transfer, manner);
    let next = 0;
    while (next < transfer.bytes.length && !tally.stopped) {
      const slot = this.#free.pop();
      if (!slot) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      const job = this.#publish(slot, transfer, cutter.cut(slot, next), manner, tally);
      finished.push(this.#finish(job));
      next = job.next;
    }
    await Promise.all(finished);
    leaveFrom(next, transfer, tally, cutter.order);
  }

  /** Copies a transfer and blocks until it is done. */
  copySync(transfer: Transfer, manner: Manner, tally: Tally): void {
    const mine: Job[] = [];
    const cutter = createCutter(transfer, manner);
    for (let next = 0; next < transfer.bytes.length; ) {
      const slot = this.#free.pop();
      if (!slot) {
        // The oldest of all: a slot of this call if it has one in flight, or of another call's.
        for (const job of this.#jobs) {
          this.#finishSync(job);
          break;
        }
        continue;
      }
      const job = this.#publish(slot, transfer, cutter.cut(slot, next), manner, tally);
      mine.push(job);
      next = job.next;
    }
    for (const job of mine) this.#finishSync(job);
  }

  /** Tells the jobs of one call to end at the next item. */
  stop(tally: Tally): void {
    tally.stopped = true;
    for (const job of this.#jobs) {
      if (job.tally === tally) Atomics.store(this.#ring.words, job.slot.base + STOP, 1);
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
        job.tally.lostWorker = true;
      }
      void this.#help(job);
      // Wakes the job's own waiter, who from now on must look at the owner words.
      Atomics.notify(this.#ring.words, job.slot.base + DONE);
    }
  }

  #publish(slot: Slot, transfer: Transfer, plan: Plan, manner: Manner, tally: Tally): Job {
    const { isStatic, threads, helps } = manner;
    const kernel = kernelOf(transfer, manner.typedArrays);
    const sequence = ++this.#sequence;
    const { next, order } = plan;
    const job = { slot, transfer, tally, helps, next, order, lostUnits: false, collected: false };
    this.#jobs.add(job);
    this.#buffers[slot.number] = transfer.buffers;
    if (transfer.buffers) {
      const message: ForeignMessage = { slot: slot.number, sequence, ...transfer.buffers };
      // Before the job is published: a worker that claims a unit of it finds the buffers in its inbox.
      this.#outbox.postMessage(message);
    }
    publishJob(this.#ring, slot, {
      units: plan.units,
      perUnit: plan.perUnit,
      items: plan.items,
      isStatic,
      kernel,
      sequence,
    });
    // A static job has a list for each; foreign buffers must not stay in anybody's inbox.
    const wakeAll = isStatic || transfer.buffers !== undefined;
    ringDoorbell(this.#ring, wakeAll ? MAX_THREADS : Math.min(plan.units, threads));
    return job;
  }

  async #finish(job: Job): Promise<void> {
    const { words } = this.#ring;
    if (job.helps || this.#crew.attached === 0) {
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
    if (job.helps || this.#crew.attached === 0) {
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
    const { slot, transfer, tally } = job;
    this.#jobs.delete(job);
    this.#buffers[slot.number] = undefined;
    for (const [index, ns] of slot.cpuNs.entries()) {
      if (ns === 0) continue;
      tally.participants.add(index);
      if (index !== CALLER) tally.workerNs += ns;
    }
    const { words } = this.#ring;
    if (job.lostUnits || (words[slot.base + LEFT] as number) > 0) {
      collectLeft(slot, words[slot.base + ITEMS] as number, transfer, tally, job.order);
    }
    this.#free.push(slot);
    this.#waiting.shift()?.();
  }
}

/** Notes that the items at places from `first` on were not begun. */
export function leaveFrom(first: number, transfer: Transfer, tally: Tally, order?: Uint32Array): void {
  for (let place = first; place < transfer.bytes.length; place++) {
    const item = order ? (order[place] as number) : place;
    tally.bytesLeft += transfer.bytes[item] as number;
    tally.left.add(item);
  }
}

function kernelOf(transfer: Transfer, typedArrays: boolean): number {
  if (transfer.buffers) return KERNEL_FOREIGN;
  return typedArrays ? KERNEL_TYPED_ARRAY : KERNEL_MEMORY_COPY;
}

/** Where a job's cutting led to. */
interface Plan {
  readonly units: number;
  readonly perUnit: number;
  readonly items: number;
  /** See {@link Job}. */
  readonly next: number;
  readonly order: Uint32Array | undefined;
}

/** Cuts a transfer into windows, one a slot. */
interface Cutter {
  /** Writes the window that begins at place `first`. */
  cut(slot: Slot, first: number): Plan;
  /** The items at each place of the windows to come; `undefined` where they are the same. */
  readonly order: Uint32Array | undefined;
}

function createCutter(transfer: Transfer, { isStatic, threads }: Manner): Cutter {
  if (isStatic) return { cut: (slot, first) => planWindow(slot, transfer, first, threads), order: undefined };
  const isOrdered = gainsFromOrder(transfer);
  let order: Uint32Array | undefined;
  return {
    cut(slot, first) {
      // The first window is copied as it is: it hides what the order of the others costs.
      if (isOrdered && first === 0) return planClaims(slot, transfer, 0, HEAD_ITEMS, threads);
      if (isOrdered) order ??= orderBySource(transfer);
      return planClaims(slot, transfer, first, transfer.bytes.length, threads, order);
    },
    get order() {
      return order;
    },
  };
}

function planWindow(slot: Slot, transfer: Transfer, first: number, threads: number): Plan {
  const size = first === 0 ? FIRST_WINDOW : SLOT_DESCRIPTORS;
  const next = Math.min(first + size, transfer.bytes.length);
  const items = planStatic(slot, slot.lists, transfer, first, next, threads);
  return { units: threads, perUnit: 0, items, next, order: undefined };
}

function planClaims(
  slot: Slot,
  transfer: Transfer,
  first: number,
  end: number,
  threads: number,
  order?: Uint32Array,
): Plan {
  const share = transfer.seen.total / (threads * UNITS_A_THREAD);
  const unitBytes = Math.min(Math.max(share, MIN_UNIT_BYTES), MAX_UNIT_BYTES);
  const piece = Math.ceil(unitBytes / MIN_UNIT_BYTES) * MIN_UNIT_BYTES;
  const { used, next, bytes } = planDynamic(slot, transfer, first, end, piece, order);
  const perUnit = Math.max(1, Math.floor((piece * used) / Math.max(bytes, 1)));
  return { units: Math.ceil(used / perUnit), perUnit, items: used, next, order };
}

/** Notes which of a slot's descriptors have bytes left, and whose they are. */
function collectLeft(slot: Slot, items: number, transfer: Transfer, tally: Tally, order?: Uint32Array): void {
  const words = slot.descriptors;
  for (let i = 0; i < items; i++) {
    const left = words[i * DESCRIPTOR_WORDS + 2] as number;
    if (left === 0) continue;
    tally.bytesLeft += left;
    const to = words[i * DESCRIPTOR_WORDS] as number;
    noteLeft(tally.left, transfer, slot.source[i] as number, to, to + left, order);
  }
}

/** Adds the items, from place `first` on, that were merged into one descriptor and reach beyond address `to`. */
function noteLeft(
  left: Set<number>,
  transfer: Transfer,
  first: number,
  to: number,
  end: number,
  order?: Uint32Array,
): void {
  let touching = 0;
  for (let place = first; place < transfer.to.length && touching < end; place++) {
    const item = order ? (order[place] as number) : place;
    const bytes = transfer.bytes[item] as number;
    if (bytes === 0) continue;
    if (place > first && transfer.to[item] !== touching) return;
    touching = (transfer.to[item] as number) + bytes;
    if (touching > to) left.add(item);
  }
}
