import type { PhysicalMemory } from '../memory/physical-memory.js';
import {
  type Batch,
  type BatchRules,
  type CopyPair,
  createBatches,
  indexOf,
  selectItems,
  trustedBatch,
} from './batch/batch.js';
import type { CopyItems } from './batch/items.js';
import { leaveFrom } from './batch/tally.js';
import type { Dispatcher } from './dispatcher.js';
import type { CopyResult, FailedItem } from './result.js';

/** What all calls of an engine are checked against. */
export interface CallRules extends BatchRules {
  readonly memory: PhysicalMemory;
}

/** One call of the API, from its checked arguments to its result. */
export interface Call {
  readonly memory: PhysicalMemory;
  /** Items of the call. */
  readonly items: number;
  /** Bytes of those that can be copied. */
  readonly bytes: number;
  readonly batches: readonly Batch[];
  /** Positions in the call of the items whose source was poisoned from the start. */
  readonly poisoned: readonly number[];
  /** When the call began, by performance.now(). */
  readonly started: number;
}

/** Checks what a call is to copy; throws what {@link createBatches} does. */
export function createCall(rules: CallRules, items: readonly CopyPair[] | CopyItems): Call {
  const started = performance.now();
  const batches = createBatches(rules, items);
  const count = 'to' in items ? items.to.length : items.length;
  return openCall(rules.memory, batches, count, started);
}

/** A call whose items nobody need check: {@link trustedBatch} says what that asks of its maker. */
export function createTrustedCall({ memory }: CallRules, items: CopyItems): Call {
  const started = performance.now();
  return openCall(memory, [trustedBatch(items)], items.to.length, started);
}

/** Sets poisoned items apart, so that neighbours can be merged. */
function openCall(memory: PhysicalMemory, all: readonly Batch[], items: number, started: number): Call {
  const poisoned: number[] = [];
  const batches = memory.poisonedFrames === 0 ? all : all.map((batch) => withoutPoisoned(memory, batch, poisoned));
  const bytes = batches.reduce((sum, { seen }) => sum + seen.total, 0);
  return { memory, items, bytes, batches, poisoned, started };
}

function withoutPoisoned(memory: PhysicalMemory, batch: Batch, poisoned: number[]): Batch {
  const healthy: number[] = [];
  for (let i = 0; i < batch.bytes.length; i++) {
    if (isPoisoned(memory, batch, i)) poisoned.push(indexOf(batch, i));
    else healthy.push(i);
  }
  return selectItems(batch, healthy);
}

/** Has the call copy nothing, for it was aborted before it began. */
export function refuseCall({ batches }: Call): void {
  for (const batch of batches) {
    batch.tally.stopped = true;
    leaveFrom(0, batch, batch.tally);
  }
}

/** Whether an abort left something undone. */
export function isCutShort({ batches }: Call): boolean {
  return batches.some(({ tally }) => tally.stopped && tally.left.size > 0);
}

/** Ends the call between two items. */
export function stopCall(call: Call, dispatcher: Dispatcher): void {
  for (const { tally } of call.batches) dispatcher.stop(tally);
}

/**
 * Copies what was left only because a frame of a neighbour that it was merged with got poisoned in mid-copy: that fails
 * the neighbour alone.
 */
export function recopyHealthy({ memory, batches }: Call, dispatcher: Dispatcher): void {
  for (const batch of batches) {
    const { left, lostWorker, stopped } = batch.tally;
    if (lostWorker || stopped) continue;
    const healthy = Array.from(left.keys()).filter((position) => !isPoisoned(memory, batch, position));
    if (healthy.length === 0) continue;
    const again = selectItems(batch, healthy);
    dispatcher.copyInline(again);
    for (const [i, position] of healthy.entries()) if (!again.tally.left.has(i)) left.delete(position);
  }
}

/** What the call did. */
export function resultOf(call: Call): CopyResult {
  const codes = new Map<number, FailedItem['code']>(call.poisoned.map((index) => [index, 'EHWPOISON']));
  const participants = new Set<number>();
  let bytes = call.bytes;
  let workerNs = 0;
  for (const batch of call.batches) {
    const { tally } = batch;
    for (const participant of tally.participants) participants.add(participant);
    workerNs += tally.workerNs;
    for (const [position, missing] of tally.left) {
      bytes -= missing;
      const code = isPoisoned(call.memory, batch, position) ? 'EHWPOISON' : tally.stopped ? 'ECANCELED' : 'EAGAIN';
      codes.set(indexOf(batch, position), code);
    }
  }
  return {
    bytes,
    items: call.items - codes.size,
    failed: Array.from(codes, ([index, code]) => ({ index, code })).sort((a, b) => a.index - b.index),
    threads: participants.size,
    wallNs: Math.round((performance.now() - call.started) * 1e6),
    workerNs: Math.round(workerNs),
  };
}

function isPoisoned(memory: PhysicalMemory, { buffers, from, bytes }: Batch, position: number): boolean {
  return (buffers?.fromEngine ?? true) && memory.isPoisoned(from[position], bytes[position]);
}
