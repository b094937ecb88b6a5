import { workerData } from 'node:worker_threads';
import { createCopyOne } from '../../copy/copy-one.js';
import { createStreamList, type StreamList, type StreamListArea } from '../../copy/stream-list.js';
import { createCpuClock } from '../../copy/worker/cpu-clock.js';
import { loadNativeWalker } from '../../copy/worker/native-walker.js';
import { ERRNO } from '../../errno.js';
import { PoisonMap } from '../../memory/poison-map.js';
import type { ThreadData } from '../../threads/pool.js';
import { monotonicMs } from '../../trace/clock.js';
import { createTraceWriter, DESCRIPTORS, type TraceSetup, type TraceWriter } from '../../trace/ring.js';
import type { SharedWasmMemory } from '../../wasm.js';
import { createPacer, type Pace } from './pacer.js';
import { createCopyPrivate } from './private.js';
import {
  ACTIVE,
  ATTACHED,
  BELL,
  completionRecord,
  DETACHED,
  DMA_TRANS_ABORTED,
  DMA_TRANS_NOERROR,
  DMA_TRANS_READ_FAILED,
  DMA_TRANS_WRITE_FAILED,
  DONE,
  FAULT,
  FAULT_SHIFT,
  HEAD,
  INTERRUPT,
  IRQ,
  LEAVING,
  NEXT,
  openRing,
  SCRAMBLE,
  SEQUENCE_MASK,
  SILENCE,
  STATE,
  TERMINATE,
  TERMINATED,
  UNSCRAMBLE,
} from './ring.js';
import { createRuns, findRuns, type RunFinder, type Runs } from './runs.js';
import { createTranslator, type IommuArea, WAITERS } from './translate.js';

/** What a channel's thread gets once, with its workerData. */
export interface ChannelSetup extends Pace {
  readonly memory: SharedWasmMemory;
  readonly poisonAddress: number;
  readonly ring: SharedArrayBuffer;
  /** Places of the ring. */
  readonly size: number;
  /** Its number, by which it finds where to record what it does; `undefined` where nobody traces. */
  readonly number: number;
  readonly trace: TraceSetup | undefined;
  readonly iommu: IommuArea;
  /** Engines that share the channel's queue. */
  readonly engines: number;
  /** Whether every descriptor raises an interrupt. */
  readonly interruptEach: boolean;
  /** The device's, for what is private to it; 0 if it has none, and no such descriptor. */
  readonly key: number;
  /** Path of the loop in C, and where its list is, this thread's alone; `undefined` where there is none. */
  readonly stream: ({ readonly path: string } & StreamListArea) | undefined;
}

/** What one of several engines copies before it is the next one's turn, in bytes. */
const PIECE_BYTES = 64 * 1024;

/** What the loop in C copies at once, in bytes: a thread that is in it can't be ended. */
const STREAMED_BYTES = 1024 * 1024;

/** One of the engines that share the queue, and the descriptor that it has. */
interface Engine {
  readonly runs: Runs;
  /** Sequence number of the descriptor; -1 for none. */
  sequence: number;
  /** What its completion record will be. */
  record: number;
  /** Whether it unscrambles and scrambles, as flags. */
  scramble: number;
  /** The run, and the byte in it, that is copied next. */
  run: number;
  offset: number;
  /** Bytes of the whole descriptor. */
  bytes: number;
}

const { setup } = workerData as ThreadData<ChannelSetup>;
const ring = openRing(setup.ring, setup.size);
const { words, records, flags } = ring;
const { words: iommuWords, mode } = setup.iommu;
const copyOne = createCopyOne({ wasm: setup.memory, poisonAddress: setup.poisonAddress });
const list = setup.stream && openList(setup.stream);
const { translate, refresh } = createTranslator(setup.iommu);
const poison = new PoisonMap(setup.memory.buffer, setup.poisonAddress);
const copyPrivate = createCopyPrivate(setup.memory.buffer, poison, setup.key);
const finder: RunFinder = { ring, mode, translate, poison };
const pacer = createPacer(setup, setup.size);
const clock = createCpuClock();
const trace = setup.trace && createTraceWriter(setup.trace, setup.number);
const engines = Array.from(
  { length: setup.engines },
  (): Engine => ({ runs: createRuns(), sequence: -1, record: 0, scramble: 0, run: 0, offset: 0, bytes: 0 }),
);
/** What the clock of all threads is ahead of this one's, in milliseconds. */
const clockOffset = monotonicMs() - performance.now();
/** Sequence numbers of descriptors that a fault has copied, and complete, after all others. */
const putOff: number[] = [];
/** The completion record of what went well. */
const NO_ERROR = completionRecord(DMA_TRANS_NOERROR, 0);
/** Sequence number of the next descriptor to take. */
let next = 0;
/** Whether a trace has a slice that has not ended: since the channel was last at rest. Bytes and descriptors copied in it. */
let isTraced = false;
let tracedBytes = 0;
let tracedDescriptors = 0;
/** Whether something was completed without an interrupt since the last one. */
let isUnannounced = false;

/** The long-lived task of a channel's thread: copies what is issued, sleeps in between, and returns once it is told to. */
export default function serve(): void {
  next = words[NEXT];
  pacer.clear();
  // What an earlier task had begun when it threw was given up by the caller: its frames may be anybody's by now.
  for (const engine of engines) engine.sequence = -1;
  if (trace && isTraced) endSlice(trace);
  putOff.length = 0;
  isUnannounced = false;
  // Tells the caller that the channel is served, after what it left for this thread was read.
  Atomics.store(words, STATE, ATTACHED);
  Atomics.notify(words, STATE);
  for (;;) {
    // First the bell, then all that it announces: what comes later changes it, and the wait below doesn't sleep.
    const bell = Atomics.load(words, BELL);
    const leaving = Atomics.load(words, STATE) === LEAVING;
    obeyTerminate();
    // Acquire: a descriptor is written before HEAD is moved past it.
    const head = Atomics.load(words, HEAD);
    if (next !== head && pacer.count === 0) pacer.wake(ring.issuedMs[0] - clockOffset);
    clock.start();
    work(head);
    // What was dropped in the middle.
    if (trace && isTraced) endSlice(trace);
    if (pacer.count > 0) {
      account();
      sleepUntilDue(bell);
      continue;
    }
    if (Atomics.load(words, HEAD) !== head) continue;
    finishPutOff();
    account();
    if (isUnannounced) interrupt();
    if (leaving) break;
    Atomics.wait(words, BELL, bell);
    clock.wake();
  }
  // The next task goes on from there; the caller starts one if HEAD is not there yet.
  words[NEXT] = next;
  // Last: from here on this task touches nothing.
  Atomics.store(words, STATE, DETACHED);
}

/** Drops everything if the caller says so. Nothing is copied from here on that was issued before. */
function obeyTerminate(): void {
  // Acquire: HEAD was written before.
  const asked = Atomics.load(words, TERMINATE);
  if (asked === words[TERMINATED]) return;
  next = Atomics.load(words, HEAD);
  pacer.clear();
  putOff.length = 0;
  // Release: this thread's last byte and its last record come before.
  Atomics.store(words, TERMINATED, asked);
  Atomics.notify(words, TERMINATED);
}

/** Copies the descriptors up to `head`, and completes those whose time has come. */
function work(head: number): void {
  completeDue();
  while (next !== head && Atomics.load(words, TERMINATE) === words[TERMINATED]) {
    runEngines(head);
    completeDue();
  }
}

/** Gives each engine a descriptor, and has them copied, a piece of each in turn. */
function runEngines(head: number): void {
  beginTranslating();
  let busy = 0;
  for (const engine of engines) {
    if (next === head) break;
    if (take(engine)) busy++;
  }
  while (busy > 0) {
    // The last one first: nobody may count on an order of engines that work side by side.
    for (let i = engines.length - 1; i >= 0; i--) {
      const engine = engines[i];
      if (engine.sequence < 0 || !step(engine)) continue;
      finish(engine);
      busy--;
    }
  }
  endTranslating();
}

function beginTranslating(): void {
  // Before anything is translated: an unmap that comes later sees it, and one that came before is seen in `refresh`.
  Atomics.store(words, ACTIVE, words[ACTIVE] + 1);
  refresh();
}

function endTranslating(): void {
  // Release: the last byte comes before. An unmap that has seen the odd value sleeps on it, and counts itself among the
  // waiters before it looks: either it sees this value, or it is seen here.
  Atomics.store(words, ACTIVE, words[ACTIVE] + 1);
  if (Atomics.load(iommuWords, WAITERS) > 0) Atomics.notify(words, ACTIVE);
}

/** Gives an engine the next descriptor; false if that is put off. */
function take(engine: Engine): boolean {
  const sequence = next;
  const fault = flags[sequence & (ring.size - 1)] >>> FAULT_SHIFT;
  next = (next + 1) & SEQUENCE_MASK;
  if (fault === FAULT.last) putOff.push(sequence);
  else begin(engine, sequence, fault);
  return fault !== FAULT.last;
}

function begin(engine: Engine, sequence: number, fault: number): void {
  if (trace && !isTraced) {
    isTraced = true;
    trace.begin(DESCRIPTORS, 0);
  }
  engine.sequence = sequence;
  engine.run = 0;
  engine.offset = 0;
  const slot = sequence & (ring.size - 1);
  engine.scramble = flags[slot] & (UNSCRAMBLE | SCRAMBLE);
  engine.record = findRuns(finder, slot, engine.runs, fault === FAULT.iommu);
  engine.bytes = 0;
  for (let i = 0; i < engine.runs.count; i++) engine.bytes += engine.runs.bytes[i];
  if (fault !== FAULT.none) misbehave(engine, fault);
}

/** Has the device do wrong, as a test wants it. */
function misbehave(engine: Engine, fault: number): void {
  // Odd while it is silent; a test makes it even.
  if (fault === FAULT.silence) Atomics.wait(words, SILENCE, Atomics.or(words, SILENCE, 1) | 1);
  if (fault === FAULT.die) process.exit(1);
  if (fault === FAULT.throw) throw new Error('the channel has a fault');
  if (fault === FAULT.read) engine.record = completionRecord(DMA_TRANS_READ_FAILED, ERRNO.EIO);
  if (fault === FAULT.write) engine.record = completionRecord(DMA_TRANS_WRITE_FAILED, ERRNO.EIO);
  if (fault === FAULT.abort) engine.record = completionRecord(DMA_TRANS_ABORTED, ERRNO.EIO);
  if (fault === FAULT.cancel) engine.record = completionRecord(DMA_TRANS_ABORTED, ERRNO.ECANCELED);
}

/** Copies a piece of an engine's descriptor; the whole if the engine is the only one. Returns whether that was its end. */
function step(engine: Engine): boolean {
  const { runs } = engine;
  if (engine.record !== NO_ERROR) return true;
  const limit = engines.length === 1 ? Number.POSITIVE_INFINITY : PIECE_BYTES;
  if (list && engine.scramble === 0) return stream(engine, list, limit);
  for (let copied = 0; engine.run < runs.count && copied < limit; ) {
    const { run, offset } = engine;
    const piece = Math.min(runs.bytes[run] - offset, limit - copied);
    if (!copyPiece(engine, runs.to[run] + offset, runs.from[run] + offset, piece)) {
      // Poisoned since it was looked at.
      engine.record = completionRecord(DMA_TRANS_READ_FAILED, ERRNO.EHWPOISON);
      return true;
    }
    copied += piece;
    advance(engine, piece);
  }
  return engine.run === runs.count;
}

/** Counts some bytes of the run at hand as copied. */
function advance(engine: Engine, bytes: number): void {
  engine.offset += bytes;
  if (engine.offset < engine.runs.bytes[engine.run]) return;
  engine.run++;
  engine.offset = 0;
}

/**
 * As {@link step}, past the caches, as a device does that is none of the CPU's. What is copied is seen by every thread before
 * this returns, and so before the descriptor's record.
 */
function stream(engine: Engine, list: StreamList, limit: number): boolean {
  const { runs } = engine;
  for (let copied = 0; engine.run < runs.count && copied < limit; ) {
    let count = 0;
    for (; count < list.room && engine.run < runs.count && copied < limit; count++) {
      const { run, offset } = engine;
      const piece = Math.min(runs.bytes[run] - offset, limit - copied);
      list.put(count, runs.to[run] + offset, runs.from[run] + offset, piece);
      copied += piece;
      advance(engine, piece);
    }
    for (let at = 0; at < count; ) at = list.walk(at, count, STREAMED_BYTES);
    for (let at = 0; at < count; at++) {
      if (list.left(at) === 0) continue;
      engine.record = completionRecord(DMA_TRANS_READ_FAILED, ERRNO.EHWPOISON);
      return true;
    }
  }
  return engine.run === runs.count;
}

function openList({ path, ...area }: NonNullable<ChannelSetup['stream']>): StreamList {
  const { memory, poisonAddress } = setup;
  return createStreamList(loadNativeWalker(path), { buffer: memory.buffer, poisonAddress }, area);
}

/** Copies some bytes of a run; false if a source frame is poisoned. */
function copyPiece({ scramble }: Engine, to: number, from: number, bytes: number): boolean {
  return scramble === 0 ? copyOne(to, from, bytes) : copyPrivate(to, from, bytes, scramble);
}

/** A descriptor is copied, or has failed: completes it, now or when its time comes. */
function finish(engine: Engine): void {
  const { sequence, record } = engine;
  engine.sequence = -1;
  if (trace) noteCopied(trace, engine);
  if (pacer.isPaced) pacer.add(sequence, record, engine.bytes);
  else complete(sequence, record);
}

/** A descriptor is copied, or has failed; ends the slice with the last one that there is. */
function noteCopied(writer: TraceWriter, { record, bytes }: Engine): void {
  if (record === NO_ERROR) tracedBytes += bytes;
  tracedDescriptors++;
  if (next !== Atomics.load(words, HEAD)) return;
  for (const { sequence } of engines) if (sequence >= 0) return;
  // Before its completion record: who has seen that may end this thread.
  endSlice(writer);
}

function endSlice(writer: TraceWriter): void {
  writer.end(DESCRIPTORS, tracedBytes, tracedDescriptors);
  isTraced = false;
  tracedBytes = 0;
  tracedDescriptors = 0;
}

function completeDue(): void {
  for (let sequence = pacer.due(); sequence >= 0; sequence = pacer.due()) complete(sequence, pacer.take());
}

function finishPutOff(): void {
  const [engine] = engines;
  for (const sequence of putOff) {
    beginTranslating();
    begin(engine, sequence, FAULT.none);
    while (!step(engine));
    endTranslating();
    engine.sequence = -1;
    if (trace) noteCopied(trace, engine);
    complete(sequence, engine.record);
  }
  putOff.length = 0;
}

function complete(sequence: number, record: number): void {
  const slot = sequence & (ring.size - 1);
  const interrupts = setup.interruptEach || (flags[slot] & INTERRUPT) !== 0;
  // Before the record: whoever has seen that everything is complete knows what it took.
  if (interrupts || ((sequence + 1) & SEQUENCE_MASK) === words[HEAD]) account();
  // Release: the descriptor's last byte comes before its record.
  Atomics.store(records, slot, record);
  Atomics.store(words, DONE, words[DONE] + 1);
  isUnannounced = true;
  if (interrupts) interrupt();
}

/** Wakes the caller. */
function interrupt(): void {
  isUnannounced = false;
  // Orders the records before the wake-up: the caller reads this word first and the records second.
  Atomics.add(words, IRQ, 1);
  Atomics.notify(words, IRQ);
}

/** Adds up the thread's CPU time, and begins a new stretch of it. */
function account(): void {
  ring.cpuNs[0] += clock.stop();
  clock.start();
}

function sleepUntilDue(bell: number): void {
  const ms = pacer.sleepMs();
  if (ms === 0) return;
  Atomics.wait(words, BELL, bell, ms);
  clock.wake();
}
