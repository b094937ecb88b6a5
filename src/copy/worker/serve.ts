import { readlinkSync } from 'node:fs';
import { BroadcastChannel, type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { PoisonMap } from '../../memory/poison-map.js';
import type { ThreadData } from '../../threads/pool.js';
import type { SharedWasmMemory, WasmModule } from '../../wasm.js';
import type { ForeignBuffers } from '../batch/batch.js';
import { createCpuClock } from './cpu-clock.js';
import { createHaltPoll } from './halt-poll.js';
import {
  ANNOUNCED,
  ATTACHED,
  DETACHED,
  DOORBELL,
  LEAVING,
  METHOD,
  METHOD_FOREIGN,
  openRing,
  SEQUENCE,
  SLOTS,
  type Slot,
  workerState,
  workerTid,
} from './job-ring.js';
import { createCopyRange, type ForeignViews, openBuffers } from './methods.js';
import { copyUnit, type Participant } from './participate.js';

/** What every worker of an engine gets once, with its workerData. */
export interface WorkerSetup {
  readonly memory: SharedWasmMemory;
  readonly module: WasmModule;
  readonly ringAddress: number;
  /** Whether the engine's schedule is static. */
  readonly isStatic: boolean;
  readonly poisonAddress: number;
  /** Name of the channel that foreign buffers come over. */
  readonly channel: string;
}

/** A message on that channel: the buffers of job `sequence` in slot `slot`. */
export interface ForeignMessage extends ForeignBuffers {
  readonly slot: number;
  readonly sequence: number;
}

/** A message, with the buffers as this thread sees them. */
interface Received {
  readonly sequence: number;
  readonly views: ForeignViews;
}

const { memory, module, ringAddress, isStatic, poisonAddress, channel } = (workerData as ThreadData<WorkerSetup>).setup;
const ring = openRing(memory.buffer, ringAddress);
const { words } = ring;
const poison = new PoisonMap(memory.buffer, poisonAddress);
const inbox = new BroadcastChannel(channel);
/** The newest message for each slot; dropped with the job, so that a user's buffer can be collected. */
const received: (Received | undefined)[] = new Array(SLOTS).fill(undefined);
const clock = createCpuClock();
const sleepUnless = createHaltPoll(words);
const copyRange = createCopyRange({
  memory,
  module,
  poisonAddress,
  isPoisoned: (address, bytes) => poison.touches(address, bytes),
  words,
  foreign: buffersOf,
});
/** Sequence of the last job that this worker is through with, for each slot. */
const seen = new Int32Array(SLOTS).fill(-1);

/**
 * The long-lived task of worker `index`: copies what is published, sleeps in between, and returns once it is told to
 * leave. While it runs, its thread's event loop doesn't.
 */
export default function serve(index: number): void {
  const participant: Participant = { index, ring, isStatic, copyRange, clock };
  words[workerTid(index)] = threadId();
  // Tells the caller that this worker takes jobs from now on, after the thread id it may need.
  Atomics.store(words, workerState(index), ATTACHED);
  Atomics.notify(words, workerState(index));
  for (;;) {
    // First the doorbell, then all that it announces: what comes later changes it, and the wait below doesn't sleep.
    const bell = Atomics.load(words, DOORBELL);
    const leaving = Atomics.load(words, workerState(index)) === LEAVING;
    clock.wake();
    for (const slot of ring.slots) visit(participant, slot);
    // The caller may have changed its mind: then the exchange fails, and the worker stays.
    if (leaving && Atomics.compareExchange(words, workerState(index), LEAVING, DETACHED) === LEAVING) return;
    sleepUnless(DOORBELL, bell);
  }
}

/** Copies what the job in a slot has for this worker: one list of a static job, all it can claim of a dynamic one. */
function visit(participant: Participant, slot: Slot): void {
  const { base, number } = slot;
  const sequence = Atomics.load(words, base + ANNOUNCED);
  if (seen[number] === sequence) return;
  if (words[base + METHOD] === METHOD_FOREIGN) {
    receiveBuffers();
    // This worker attached after the job was published: it leaves the job to those that have its buffers.
    if (received[number]?.sequence !== sequence) return;
  }
  if (isStatic) copyUnit(participant, slot);
  else while (copyUnit(participant, slot));
  seen[number] = sequence;
  if (received[number]?.sequence === sequence) received[number] = undefined;
}

function receiveBuffers(): void {
  // Its types leave the BroadcastChannel out, which its documentation names.
  const port = inbox as unknown as MessagePort;
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
    const message = next.message as ForeignMessage;
    received[message.slot] = { sequence: message.sequence, views: openBuffers(message) };
  }
}

/**
 * The buffers of the job whose unit this worker has just claimed. They were sent before it was published, so they are
 * there, unless this thread attached between the two and came to the unit by an old ticket.
 */
function buffersOf(slot: Slot): ForeignViews | undefined {
  if (received[slot.number]?.sequence !== words[slot.base + SEQUENCE]) receiveBuffers();
  const message = received[slot.number];
  return message?.sequence === words[slot.base + SEQUENCE] ? message.views : undefined;
}

/** The operating system's number of this thread, or 0 where the platform doesn't tell. */
function threadId(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').at(-1));
  } catch {
    return 0;
  }
}
