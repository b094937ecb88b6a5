import { MAX_THREADS } from '../../check.js';
import { PAGE_SIZE } from '../../units.js';
import type { JobTarget } from '../batch/cut-jobs.js';
import { DESCRIPTOR_WORDS, MAX_LISTS } from '../batch/plan.js';

/*
 * The protocol between the caller and its workers: a few words of the shared memory. docs/architecture.md, "The job ring",
 * says what state each goes through, why no wake-up and no unit is lost, and what a worker's death leaves. A unit is a
 * thread's whole list (static schedule) or a few descriptors (dynamic); its owner word decides who copies it.
 */

/** Jobs that may be in flight at once. */
export const SLOTS = 8;
/** Descriptors that a job has room for. */
const SLOT_DESCRIPTORS = 16384;
/** The caller's number among the threads that claim units, after the workers'. */
export const CALLER = MAX_THREADS;
const PARTICIPANTS = MAX_THREADS + 1;

/** Words of 128 bytes: two cache lines, for the hardware fetches them in pairs. */
const LINE = 32;

/** Owner word of a unit that nobody may claim. */
export const CLOSED = 0;
/** Owner word of a unit that the next thread may claim. */
export const FREE = -1;

/** Worker states. */
export const DETACHED = 0;
export const ATTACHED = 1;
export const LEAVING = 2;

/** What a job does with its items: copies them, */
export const OPERATION_COPY = 0;
/** fills the destination of each with a byte, */
export const OPERATION_FILL = 1;
/** or compares the two sides of its one item. */
export const OPERATION_COMPARE = 2;

/** {@link FOUND} while no difference is known: higher than the address of any descriptor. */
const NOTHING_FOUND = -1;

/** By which method: WebAssembly's memory.copy, memory.fill, or its loop over words. */
export const METHOD_MEMORY_COPY = 0;
/** Typed arrays over the engine's own memory. */
export const METHOD_TYPED_ARRAY = 1;
/** Typed arrays over the user's buffers, which came to the thread's inbox, and the engine's memory. */
export const METHOD_FOREIGN = 2;
/** The walker in C, with streaming stores, over the engine's own memory: of copies alone. */
export const METHOD_STREAMING = 3;
/** Those in C over the buffers of a table. */
export const METHOD_LINE = 4;
/** The same with streaming stores. */
export const METHOD_LINE_STREAMING = 5;

/** Whether a method's descriptors are 64-bit words: those on a line. */
export function isWide(method: number): boolean {
  return method === METHOD_FOREIGN || method === METHOD_LINE || method === METHOD_LINE_STREAMING;
}

// Header, in words from the start of the area.
export const DOORBELL = 0;
/** Messages with foreign buffers that were sent. */
export const MESSAGES = 1;
/** A word that nobody else uses: what the caller writes there it finds in every view on this memory. */
export const PROBE = 2;
const WORKERS = LINE;
const HEADER_WORDS = WORKERS + MAX_THREADS * LINE;

// Slot, in words from the start of the slot.
export const CURSOR = 0;
export const ANNOUNCED = 1;
export const PENDING = LINE;
export const DONE = 2 * LINE;
export const LEFT = 3 * LINE;
export const STOP = 4 * LINE;
/** Address of the lowest descriptor in which a difference was found, as 32 bits without a sign. */
export const FOUND = STOP + 1;
export const UNITS = 5 * LINE;
export const PER_UNIT = UNITS + 1;
export const COUNT = UNITS + 2;
export const METHOD = UNITS + 3;
export const SEQUENCE = UNITS + 4;
export const HELPS = UNITS + 5;
export const OPERATION = UNITS + 6;
/** What a fill fills with. */
export const BYTE = UNITS + 7;
const LISTS = 6 * LINE;
const CPU_NS = LISTS + 3 * LINE;
const OWNERS = CPU_NS + 5 * LINE;
const DESCRIPTORS = OWNERS + SLOT_DESCRIPTORS;
const SLOT_WORDS = DESCRIPTORS + SLOT_DESCRIPTORS * DESCRIPTOR_WORDS;

/** Pages of shared memory that a ring takes. */
export const RING_PAGES = Math.ceil(((HEADER_WORDS + (SLOTS + 1) * SLOT_WORDS) * 4) / PAGE_SIZE);

/** One slot of the ring, as views on the shared memory. Made once a thread: hot loops index them. */
export interface Slot {
  /** Index of the slot in {@link JobRing.slots}. */
  readonly number: number;
  /** Index of the slot's first word in {@link JobRing.words}. */
  readonly base: number;
  /** Physical address of the first descriptor. */
  readonly descriptorsAddress: number;
  /** Physical address of the stop word. */
  readonly stopAddress: number;
  /** Physical address of the word that counts what is left for good. */
  readonly leftAddress: number;
  /** Physical address of the word for the lowest difference. */
  readonly foundAddress: number;
  /** CPU nanoseconds that each participant has spent on the job. */
  readonly cpuNs: Float64Array;
  /** Index in {@link JobRing.words} of unit 0's owner word. */
  readonly owners: number;
  /** Where a job in the engine's memory is written: 32-bit words. */
  readonly narrow: JobTarget & { readonly descriptors: Uint32Array };
  /** Where one that reaches beyond it is written, in the same place: 64-bit words, for half as many descriptors. */
  readonly wide: JobTarget & { readonly descriptors: Float64Array };
}

/** The shared area of one engine, seen from one thread. */
export interface JobRing {
  /** The area's words, the doorbell first. */
  readonly words: Int32Array;
  readonly slots: readonly Slot[];
  /** A slot that no worker looks at, for what the caller copies at once. */
  readonly own: Slot;
}

/** The ring at physical address `address` of `buffer`. Its bytes are the caller's to zero before the first worker looks. */
export function openRing(buffer: SharedArrayBuffer, address: number): JobRing {
  const slots = Array.from({ length: SLOTS + 1 }, (_, i): Slot => {
    const base = HEADER_WORDS + i * SLOT_WORDS;
    const at = (word: number) => address + (base + word) * 4;
    const lists = new Int32Array(buffer, at(LISTS), MAX_LISTS + 1);
    const source = new Uint32Array(SLOT_DESCRIPTORS);
    const words = SLOT_DESCRIPTORS * DESCRIPTOR_WORDS;
    return {
      number: i,
      base,
      descriptorsAddress: at(DESCRIPTORS),
      stopAddress: at(STOP),
      leftAddress: at(LEFT),
      foundAddress: at(FOUND),
      cpuNs: new Float64Array(buffer, at(CPU_NS), PARTICIPANTS),
      owners: base + OWNERS,
      narrow: { lists, source, descriptors: new Uint32Array(buffer, at(DESCRIPTORS), words) },
      wide: {
        lists,
        source: source.subarray(0, SLOT_DESCRIPTORS / 2),
        descriptors: new Float64Array(buffer, at(DESCRIPTORS), words / 2),
      },
    };
  });
  const own = slots.pop() as Slot;
  return { words: new Int32Array(buffer, address, RING_PAGES * (PAGE_SIZE / 4)), slots, own };
}

/** Index of the state word of worker `index`. */
export function workerState(index: number): number {
  return WORKERS + index * LINE;
}

/**
 * Index of the word where worker `index` leaves the operating system's number of its thread; 0 where the platform doesn't
 * tell.
 */
export function workerTid(index: number): number {
  return WORKERS + index * LINE + 1;
}

/** Index of the word where worker `index` leaves Node.js's number of its thread, whose inbox bears it. */
export function workerInbox(index: number): number {
  return WORKERS + index * LINE + 2;
}

/** What is done with a job's items, and how. */
export interface JobWork {
  readonly operation: number;
  readonly method: number;
  /** What a fill fills with; anything for others. */
  readonly byte: number;
}

/** What a job's fields say. */
export interface JobFields extends JobWork {
  readonly units: number;
  /** Descriptors a unit, of a dynamic job. */
  readonly perUnit: number;
  /** Descriptors in all. */
  readonly count: number;
  /** Whether the calling thread takes part. */
  readonly helps: boolean;
  /** Number of the job, which differs from that of every other job in flight. */
  readonly sequence: number;
}

/** Bytes that the descriptors `first` up to `end` of a job have left, in the words that it is written in. */
export function bytesLeft(descriptors: Uint32Array | Float64Array, first: number, end: number): number {
  let bytes = 0;
  for (let i = first; i < end; i++) bytes += descriptors[i * DESCRIPTOR_WORDS + 2];
  return bytes;
}

/** Says in a slot what is done with the items of its next job, nothing of which is left or found yet. */
export function writeWork({ words }: JobRing, { base }: Slot, { operation, method, byte }: JobWork): void {
  words[base + OPERATION] = operation;
  words[base + METHOD] = method;
  words[base + BYTE] = byte;
  words[base + LEFT] = 0;
  words[base + FOUND] = NOTHING_FOUND;
}

/** The place, of a job's first `count` descriptors, of the lowest in which a difference was found; -1 if none was. */
export function foundIn({ words }: JobRing, slot: Slot, count: number): number {
  const { base, descriptorsAddress } = slot;
  const found = words[base + FOUND];
  const bytes = DESCRIPTOR_WORDS * (isWide(words[base + METHOD]) ? 8 : 4);
  const place = ((found >>> 0) - descriptorsAddress) / bytes;
  // Any other than NOTHING_FOUND a program has written there.
  return Number.isInteger(place) && place >= 0 && place < count ? place : -1;
}

/** Opens a closed slot, whose descriptors are written, to every thread; {@link ringDoorbell} then wakes the sleepers. */
export function publishJob(ring: JobRing, slot: Slot, job: JobFields): void {
  const { words } = ring;
  const { base, owners } = slot;
  writeWork(ring, slot, job);
  words[base + UNITS] = job.units;
  words[base + PER_UNIT] = job.perUnit;
  words[base + COUNT] = job.count;
  words[base + HELPS] = job.helps ? 1 : 0;
  words[base + STOP] = 0;
  slot.cpuNs.fill(0);
  words[base + SEQUENCE] = job.sequence;
  Atomics.store(words, base + DONE, 0);
  Atomics.store(words, base + PENDING, job.units);
  // Each store orders all of the above, and the descriptors, before the claim that finds FREE. It comes after PENDING,
  // for a thread with an old ticket may claim and finish the unit at once.
  for (let unit = 0; unit < job.units; unit++) Atomics.store(words, owners + unit, FREE);
  // From here on tickets lead to units. An old ticket taken before this leads to a CLOSED word, or to a FREE one that its
  // holder rightly gets; the same unit's new ticket then finds it owned and goes on to the next.
  Atomics.store(words, base + CURSOR, 0);
  // Last: a worker that reads this number and then finds no unit may take it that the job has none left for it.
  Atomics.store(words, base + ANNOUNCED, job.sequence);
}

/** Tells the workers that something changed, and wakes up to `count` of those that sleep. */
export function ringDoorbell({ words }: JobRing, count: number): void {
  // Orders what was changed before the wake-up: a worker reads the doorbell first and looks second, so either it sees
  // the change or its wait finds another number and returns.
  Atomics.add(words, DOORBELL, 1);
  Atomics.notify(words, DOORBELL, count);
}

/** Whether every unit of the slot's job is finished, and the slot the caller's again. */
export function isDone({ words }: JobRing, slot: Slot): boolean {
  // Acquire: the bytes that the workers copied, and their CPU times, are seen after this.
  return Atomics.load(words, slot.base + DONE) === 1;
}

/** Workers from 0 up to `count` that take jobs now. */
export function countAttached({ words }: JobRing, count: number): number {
  let attached = 0;
  for (let index = 0; index < count; index++) {
    // Against the worker's own store: once it is seen, the worker will see all that is published from here on.
    if (Atomics.load(words, workerState(index)) === ATTACHED) attached++;
  }
  return attached;
}

/**
 * Offers the units that worker `index` owned when its thread ended to the others. Returns whether there are any that nobody
 * owns.
 */
export function reofferUnits({ words }: JobRing, slot: Slot, index: number): boolean {
  let offered = false;
  for (let unit = 0; unit < words[slot.base + UNITS]; unit++) {
    // The thread is gone, so nobody else changes a word that says it owns the unit. Release: its descriptors were last
    // written by that thread, whose end the caller has seen.
    const owner = Atomics.compareExchange(words, slot.owners + unit, index + 1, FREE);
    if (owner === index + 1 || owner === FREE) offered = true;
  }
  // After the units: the thread may also have drawn a ticket and ended before its claim, so all are offered again.
  Atomics.store(words, slot.base + CURSOR, 0);
  return offered;
}

/** Whether no unit is free or owned: what {@link isDone} says of a job that lost a worker, whose count means nothing. */
export function isAbandoned({ words }: JobRing, slot: Slot): boolean {
  for (let unit = 0; unit < words[slot.base + UNITS]; unit++) {
    // Acquire: pairs with the owner's last store, which comes after its last byte and its last count.
    if (Atomics.load(words, slot.owners + unit) !== CLOSED) return false;
  }
  return true;
}
