import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Steps } from '../steps.js';
import {
  type Batch,
  type BatchRules,
  createBatch,
  createWork,
  indexOf,
  type NamedView,
  selectItems,
  takeItems,
  trustedBatch,
  type Work,
} from './batch/batch.js';
import type { CopyItems } from './batch/items.js';
import { openLists } from './batch/lists.js';
import { leaveFrom } from './batch/tally.js';
import type { CopyResult, FailedItem } from './result.js';

/** Items of a step. */
const STEP_ITEMS = 4096;

/** One call of the API, from its checked arguments to its result. */
export interface Call {
  readonly memory: PhysicalMemory;
  readonly batch: Batch;
  /** When the call began, by performance.now(). */
  readonly started: number;
}

/**
 * Takes over what a call is to copy, at once but for what `keeps` says of {@link takeItems}; and checks it, in steps. Throws what
 * that and {@link createBatch} do.
 */
export function openCall(
  memory: PhysicalMemory,
  rules: BatchRules,
  items: unknown,
  keeps: boolean,
  started: number,
): Steps<Call> {
  const lists = openLists();
  return checkCall(memory, createBatch(rules, takeItems(items, keeps, lists), lists), started);
}

function* checkCall(memory: PhysicalMemory, steps: Steps<Batch>, started: number): Steps<Call> {
  return { memory, started, batch: yield* steps };
}

/** A call whose items nobody need check: {@link trustedBatch} says what that asks of its maker. */
export function openTrustedCall(memory: PhysicalMemory, work: Work, items: CopyItems): Call {
  return { memory, started: performance.now(), batch: trustedBatch(work, items) };
}

/** The call that does something else with a view, or with two; throws what {@link createWork} does. */
export function* openWork(
  memory: PhysicalMemory,
  rules: BatchRules,
  work: Work,
  views: readonly NamedView[],
  started: number,
): Steps<Call> {
  return { memory, started, batch: yield* createWork(rules, work, views) };
}

/** Whether an abort left something undone. */
export function isCutShort({ batch: { tally } }: Call): boolean {
  return tally.stopped && tally.left.size > 0;
}

/**
 * The next batch to copy for a call: its items without those whose source is poisoned, and then again what was left only
 * because a frame of a neighbour that it was merged with got poisoned meanwhile, which is to fail the neighbour alone.
 *
 * @param copied the one before
 * @returns `undefined` if that was all
 */
export function* nextBatch(call: Call, copied?: Batch): Steps<Batch | undefined> {
  const { memory, batch } = call;
  const { tally, bytes } = batch;
  if (copied && copied !== batch) addPart(call, copied);
  if (tally.stopped) {
    if (!copied) leaveFrom(0, batch, tally);
    return undefined;
  }
  if (!copied && memory.poisonedFrames === 0) return batch;
  const positions = copied ? tally.left.keys() : bytes.keys();
  const healthy: number[] = [];
  let looks = 0;
  for (const position of positions) {
    if (++looks % STEP_ITEMS === 0) yield;
    if (isPoisoned(memory, batch, position)) tally.left.set(position, tally.left.get(position) ?? bytes[position]);
    else healthy.push(position);
  }
  for (const position of healthy) tally.left.delete(position);
  if (healthy.length === bytes.length && !copied) return batch;
  if (healthy.length === 0) return undefined;
  const part = yield* selectItems(batch, healthy);
  // The call may have been aborted in between.
  part.tally.stopped = tally.stopped;
  return part;
}

/** Adds what became of a part of the call's items. */
function addPart({ batch }: Call, part: Batch): void {
  const { tally } = part;
  for (const participant of tally.participants) batch.tally.participants.add(participant);
  batch.tally.workerNs += tally.workerNs;
  batch.tally.stopped ||= tally.stopped;
  batch.tally.difference = Math.min(batch.tally.difference, tally.difference);
  for (const [position, missing] of tally.left) batch.tally.left.set(indexOf(part, position), missing);
}

/** What the call did. */
export function resultOf(call: Call): CopyResult {
  const { memory, batch, started } = call;
  const { tally, seen } = batch;
  const failed: FailedItem[] = [];
  const found = differenceOf(call);
  // Nobody knows of what comes after a difference.
  let bytes = found >= 0 && tally.left.size === 0 ? found : seen.total;
  for (const [index, missing] of tally.left) {
    bytes -= missing;
    // Nothing else leaves an item: what a worker that ended has left is copied by others.
    failed.push({ index, code: isPoisoned(memory, batch, index) ? 'EHWPOISON' : 'ECANCELED' });
  }
  return {
    bytes,
    items: batch.bytes.length - failed.length,
    failed: failed.sort((a, b) => a.index - b.index),
    threads: tally.participants.size,
    wallNs: Math.round((performance.now() - started) * 1e6),
    workerNs: Math.round(tally.workerNs),
  };
}

/** Offset of the first byte that differs, of a compare that is through; -1 if none does. */
export function differenceOf({ batch: { tally, to } }: Call): number {
  return tally.difference === Number.POSITIVE_INFINITY ? -1 : tally.difference - to[0];
}

/** Whether an item reads a poisoned frame. A fill reads none. */
function isPoisoned(memory: PhysicalMemory, { work, to, from, bytes }: Batch, position: number): boolean {
  if (work.kind === 'fill') return false;
  if (touchesPoison(memory, from[position], bytes[position])) return true;
  return work.kind === 'compare' && touchesPoison(memory, to[position], bytes[position]);
}

/** Whether a range on a call's line has a poisoned frame. */
export function touchesPoison(memory: PhysicalMemory, address: number, bytes: number): boolean {
  // Beyond the engine's memory other buffers begin, which have no poisoned frames.
  return address < memory.bytes.length && memory.isPoisoned(address, bytes);
}
