import { readlinkSync } from 'node:fs';
import { BroadcastChannel, type MessagePort, receiveMessageOnPort, threadId, workerData } from 'node:worker_threads';
import { PoisonMap } from '../../memory/poison-map.js';
import type { ThreadData } from '../../threads/pool.js';
import { createTraceWriter, type TraceSetup } from '../../trace/ring.js';
import type { SharedWasmMemory, WasmModule } from '../../wasm.js';
import { createCpuClock } from './cpu-clock.js';
import { createForgetter } from './forget-buffers.js';
import { type ForeignMessage, inboxName } from './inbox.js';
import {
  ANNOUNCED,
  ATTACHED,
  DETACHED,
  DOORBELL,
  LEAVING,
  MESSAGES,
  METHOD,
  METHOD_FOREIGN,
  openRing,
  SEQUENCE,
  SLOTS,
  type Slot,
  workerInbox,
  workerState,
  workerTid,
} from './job-ring.js';
import { type OpenLine, openLine } from './line-views.js';
import { createCopyRange } from './methods.js';
import { loadNativeWalker } from './native-walker.js';
import { copyUnit, type Held, hasSpareList, NO_LIMIT, type Participant } from './participate.js';

/** What every worker of an engine gets once, with its workerData. */
export interface WorkerSetup {
  readonly memory: SharedWasmMemory;
  readonly module: WasmModule;
  /** Path of the walkers in C, and their tables; `undefined` where there are none. */
  readonly native: { readonly path: string; readonly area: SharedArrayBuffer } | undefined;
  readonly ringAddress: number;
  /** Whether the engine's schedule is static. */
  readonly isStatic: boolean;
  readonly poisonAddress: number;
  /** What the names of the threads' inboxes begin with; see {@link inboxName}. */
  readonly channel: string;
  /** Where each worker says what it copies, by its number; `undefined` where nobody traces. */
  readonly trace: TraceSetup | undefined;
}

/** A number that no thread has. */
const NO_THREAD = -1;

/** A message, with the buffers as this thread sees them. */
interface Received {
  readonly sequence: number;
  readonly line: OpenLine;
}

const { setup } = workerData as ThreadData<WorkerSetup>;
const { memory, module, ringAddress, isStatic, poisonAddress, channel, trace } = setup;
const ring = openRing(memory.buffer, ringAddress);
const { words } = ring;
const poison = new PoisonMap(memory.buffer, poisonAddress);
const bytes = new Uint8Array(memory.buffer);
/** The newest message for each slot; dropped with the job, so that a user's buffer can be collected. */
const received: (Received | undefined)[] = new Array(SLOTS).fill(undefined);
const forgetter = createForgetter();
const clock = createCpuClock();
const copyRange = createCopyRange({
  memory,
  module,
  native: setup.native && { walker: loadNativeWalker(setup.native.path), area: setup.native.area },
  poisonAddress,
  isPoisoned: (address, length) => poison.touches(address, length),
  words,
  lineOf,
});
/** Sequence of the last job that this worker is through with, for each slot. */
const seen = new Int32Array(SLOTS).fill(-1);
/** Open as long as the thread lives: one that is closed goes on to receive until the event loop turns, and keeps it. */
const inbox = new BroadcastChannel(inboxName(channel, threadId));
/** Messages that were sent when this worker last looked. */
let messages = -1;

/**
 * The long-lived task of worker `index`: copies what is published, sleeps in between, and returns once it is told to
 * leave. While it runs, its thread's event loop doesn't.
 */
export default function serve(index: number): void {
  try {
    serveJobs(index);
  } catch (error) {
    // A caller that blocks hears of no error, but looks whether there is such a thread. Release: the descriptors that this
    // one has changed come before.
    Atomics.store(words, workerTid(index), NO_THREAD);
    throw error;
  }
}

function serveJobs(index: number): void {
  const writer = trace && createTraceWriter(trace, index);
  const participant: Participant = { index, ring, isStatic, copyRange, clock, trace: writer };
  // Of this task alone: what it owned if it throws the caller gives to others.
  const held: Held = { unit: -1, next: 0, end: 0 };
  words[workerTid(index)] = systemThreadId();
  words[workerInbox(index)] = threadId;
  // Tells the caller that this worker takes jobs from now on, after the two numbers that it may need.
  Atomics.store(words, workerState(index), ATTACHED);
  Atomics.notify(words, workerState(index));
  for (;;) {
    // First the doorbell, then all that it announces: what comes later changes it, and the wait below doesn't sleep.
    const bell = Atomics.load(words, DOORBELL);
    // Before the slots: what was published while this worker counted as there is found below.
    const leaving = Atomics.load(words, workerState(index)) === LEAVING;
    clock.wake();
    for (const slot of ring.slots) visit(participant, slot, held);
    // Those of jobs that others were through with before this thread woke up. To one that is leaving nobody sends any more.
    receiveBuffers();
    if (leaving) break;
    forgetter.tidyUp();
    Atomics.wait(words, DOORBELL, bell);
  }
  forgetter.forgetAll();
  // Last: from here on the number is another task's.
  Atomics.store(words, workerState(index), DETACHED);
}

/** Copies what the job in a slot has for this worker: one list of a static job, all it can claim of a dynamic one. */
function visit(participant: Participant, slot: Slot, held: Held): void {
  const { base, number } = slot;
  const sequence = Atomics.load(words, base + ANNOUNCED);
  if (seen[number] === sequence) return;
  if (words[base + METHOD] === METHOD_FOREIGN) {
    receiveBuffers();
    // This worker attached after the job was published: it leaves the job to those that have its buffers.
    if (received[number]?.sequence !== sequence) return;
  }
  while (copyUnit(participant, slot, held, NO_LIMIT)) {
    if (isStatic && held.unit < 0 && !hasSpareList(ring, slot)) break;
  }
  seen[number] = sequence;
  // Also what came for a job before it, which others were through with by the time that this worker looked.
  const message = received[number];
  if (message && !isBefore(sequence, message.sequence)) received[number] = undefined;
}

/** Whether job `a` came before `b`. Sequences wrap, as the word does. */
function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

function receiveBuffers(): void {
  // Acquire: pairs with the caller's count, which comes after the message.
  const count = Atomics.load(words, MESSAGES);
  if (count === messages) return;
  messages = count;
  // Its types leave the BroadcastChannel out, which its documentation names.
  const port = inbox as unknown as MessagePort;
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) take(next.message);
}

function take({ slot, sequence, foreign, freshBytes, views }: ForeignMessage): void {
  const { base } = ring.slots[slot];
  forgetter.note(freshBytes, views);
  // The slot may hold a later job by now.
  const isOver = isBefore(sequence, Atomics.load(words, base + ANNOUNCED)) || seen[slot] === sequence;
  if (!isOver) received[slot] = { sequence, line: openLine(bytes, foreign) };
}

/**
 * The line of the job whose unit this worker has just claimed. Its buffers were sent before it was published, so they are
 * there, unless this thread attached between the two and came to the unit by an old ticket.
 */
function lineOf(slot: Slot): OpenLine | undefined {
  if (received[slot.number]?.sequence !== words[slot.base + SEQUENCE]) receiveBuffers();
  const message = received[slot.number];
  return message?.sequence === words[slot.base + SEQUENCE] ? message.line : undefined;
}

/** The operating system's number of this thread, or 0 where the platform doesn't tell. */
function systemThreadId(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return 0;
  }
}
