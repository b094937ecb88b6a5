import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { CopyItems } from './copy-items.js';
import type { Dispatcher } from './dispatcher.js';
import type { CopyResult, FailedItem } from './result.js';
import { createTally, leaveFrom, type Part } from './tally.js';
import { type CopyPair, createTransfers, itemOf, type KernelName, selectItems, type Transfer } from './transfer.js';

/** One call of the API, from its checked arguments to its result. */
export interface Call {
  /** Items of the batch. */
  readonly items: number;
  /** Bytes of those that can be copied. */
  readonly bytes: number;
  readonly parts: readonly Part[];
  /** Positions in the batch of the items whose source was poisoned from the start. */
  readonly poisoned: readonly number[];
  /** When the call began, by performance.now(). */
  readonly started: number;
}

/** Checks a batch; throws what {@link createTransfers} does. Poisoned items are set apart, so that neighbours can be merged. */
export function createCall(memory: PhysicalMemory, batch: readonly CopyPair[] | CopyItems, kernel: KernelName): Call {
  const started = performance.now();
  const transfers = createTransfers(memory, batch, kernel);
  const poisoned: number[] = [];
  const parts = transfers.map((transfer) => {
    if (memory.poisonedFrames === 0) return { transfer, tally: createTally() };
    const healthy: number[] = [];
    for (let i = 0; i < transfer.bytes.length; i++) {
      if (isPoisoned(memory, transfer, i)) poisoned.push(itemOf(transfer, i));
      else healthy.push(i);
    }
    return { transfer: selectItems(transfer, healthy), tally: createTally() };
  });
  const bytes = parts.reduce((sum, { transfer }) => sum + transfer.seen.total, 0);
  const items = 'to' in batch ? batch.to.length : batch.length;
  return { items, bytes, parts, poisoned, started };
}

/** Has the call copy nothing, for it was aborted before it began. */
export function refuseCall(call: Call): void {
  for (const part of call.parts) {
    part.tally.stopped = true;
    leaveFrom(0, part);
  }
}

/** Whether an abort left something undone. */
export function isCutShort({ parts }: Call): boolean {
  return parts.some(({ tally }) => tally.stopped && tally.left.size > 0);
}

/** Ends the call between two items. */
export function stopCall(call: Call, dispatcher: Dispatcher): void {
  for (const { tally } of call.parts) dispatcher.stop(tally);
}

/**
 * Copies what was left only because a frame of a neighbour that it was merged with got poisoned in mid-copy: that fails
 * the neighbour alone.
 */
export function recopyHealthy(call: Call, memory: PhysicalMemory, dispatcher: Dispatcher, typedArrays: boolean): void {
  for (const { transfer, tally } of call.parts) {
    if (tally.lostWorker || tally.stopped) continue;
    const healthy = Array.from(tally.left.keys()).filter((position) => !isPoisoned(memory, transfer, position));
    if (healthy.length === 0) continue;
    const again = { transfer: selectItems(transfer, healthy), tally: createTally() };
    dispatcher.copyInline(again, typedArrays);
    for (const [i, position] of healthy.entries()) if (!again.tally.left.has(i)) tally.left.delete(position);
  }
}

/** What the call did. */
export function resultOf(call: Call, memory: PhysicalMemory): CopyResult {
  const codes = new Map<number, FailedItem['code']>(call.poisoned.map((index) => [index, 'EHWPOISON']));
  const participants = new Set<number>();
  let bytes = call.bytes;
  let workerNs = 0;
  for (const { transfer, tally } of call.parts) {
    for (const participant of tally.participants) participants.add(participant);
    workerNs += tally.workerNs;
    for (const [position, missing] of tally.left) {
      bytes -= missing;
      const code = isPoisoned(memory, transfer, position) ? 'EHWPOISON' : tally.stopped ? 'ECANCELED' : 'EAGAIN';
      codes.set(itemOf(transfer, position), code);
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

function isPoisoned(memory: PhysicalMemory, transfer: Transfer, position: number): boolean {
  const fromEngine = transfer.buffers?.fromEngine ?? true;
  return fromEngine && memory.isPoisoned(transfer.from[position], transfer.bytes[position]);
}
