import { ErrnoError, invalid, show } from '../../errno.js';
import type { Steps } from '../../steps.js';
import type { CopyMethod } from '../../words.js';
import { type CopyItems, type Ranges, takeArrays } from './items.js';
import { type EngineMemory, isRange, isShared, Line, type PlacedBuffer } from './line.js';
import { type Lists, openLists } from './lists.js';
import { checkOverlap } from './overlap.js';
import { createSurvey, type Survey, survey, surveyItems } from './survey.js';
import { createTally, type Tally } from './tally.js';

/** A destination and a source of the same length: views on shared memory. */
export interface CopyPair {
  /** Where the bytes go. From the call to its end it is the engine's: nobody else may read or write it. */
  to: ArrayBufferView;
  /** Where they come from, as many bytes; not to be written to meanwhile. */
  from: ArrayBufferView;
}

/** What batches are checked against: the same for all of an engine. */
export interface BatchRules {
  readonly memory: EngineMemory;
  readonly method: CopyMethod;
}

/** What is done with the items of a batch: a fill's have the same range on both sides, of which `from` is not read. */
export type Work =
  | { readonly kind: 'copy' }
  | { readonly kind: 'fill'; readonly byte: number }
  | { readonly kind: 'compare' };

const COPY: Work = { kind: 'copy' };

/** Items to copy, or whatever their work is, and what becomes of them. Their addresses are in the engine's memory, or beyond it on a {@link Line}. */
export interface Batch extends Ranges {
  readonly work: Work;
  /** Position of each item in the call; `undefined` if they are the same. */
  readonly index: Uint32Array | undefined;
  /** The buffers beside the engine's memory that the items are in; empty if there are none. */
  readonly foreign: readonly PlacedBuffer[];
  /** What a look at all items told. */
  readonly seen: Survey;
  readonly tally: Tally;
  /** Where the batch's arrays are from, which must be done with once they are released. */
  readonly lists: Lists;
  /** Whether its bytes are to go past the caches; for who knows of the whole call to say, before it is copied. */
  streams: boolean;
}

/** The position of what is the only one of its call: errors name it without. */
const ONLY = -1;
/** Items, or pairs, of a step. */
const STEP_ITEMS = 8192;
const STEP_PAIRS = 512;

/** What a call was given: nobody else changes the list, or the arrays, until it is copied. */
export type Given = readonly unknown[] | CopyItems;

/**
 * Takes what a call was given over, each part read once.
 *
 * @param lists where arrays for it come from
 * @param keeps whether the arrays of a CopyItems stay as they are until the call's end, for the caller's thread waits; those on
 * shared memory don't
 * @throws ErrnoError EINVAL unless it is a list of pairs or a CopyItems
 */
export function takeItems(items: unknown, keeps: boolean, lists: Lists): Given {
  // Neither slice(), which a subclass has make one of its own, nor the iterator, which takes its time for a list of holes.
  if (Array.isArray(items)) return keeps ? items : ([] as unknown[]).concat(items);
  const { to, from, bytes } = takeArrays(items, 'an array of { to, from } or a CopyItems');
  if ([to, from, bytes].some(isGone)) throw invalid('items', 'must not have been transferred', items);
  if (keeps && ![to, from, bytes].some(({ buffer }) => isShared(buffer))) return { to, from, bytes };
  return { to: takeWords(to, lists), from: takeWords(from, lists), bytes: takeWords(bytes, lists) };
}

function takeWords(array: Uint32Array, lists: Lists): Uint32Array {
  // Its memory may grow, by another thread, between a look at its length and the copy.
  if (isShared(array.buffer)) return new Uint32Array(array);
  const words = lists.words(array.length);
  words.set(array);
  return words;
}

/** Whether an array has lost its memory, which leaves it empty: nothing else tells on Node.js 20. */
function isGone(array: Uint32Array): boolean {
  if (array.length > 0) return false;
  try {
    return !new Uint32Array(array);
  } catch {
    return true;
  }
}

function isList(given: Given): given is readonly unknown[] {
  return Array.isArray(given);
}

/**
 * Checks what a call is to copy. Nothing is copied yet.
 *
 * @throws ErrnoError EINVAL for what isn't a view on shared memory, lengths that differ, ranges that overlap, or views
 * that the method asked for can't copy; EFAULT for an address outside the nodes.
 */
export function createBatch(rules: BatchRules, given: Given, lists: Lists): Steps<Batch> {
  return isList(given) ? batchOfPairs(rules, given, lists) : batchOfItems(rules.memory, given, lists);
}

/**
 * A batch of items in the engine's memory that nobody need check, for a migrator whose frames were just allocated: they lie
 * in the nodes, none overlaps another, and the arrays stay as they are until the call's end.
 */
export function trustedBatch(work: Work, items: CopyItems): Batch {
  return finishBatch(items, survey(items), [], openLists(), work);
}

function finishBatch(
  { to, from, bytes }: Ranges,
  seen: Survey,
  foreign: readonly PlacedBuffer[],
  lists: Lists,
  work: Work = COPY,
): Batch {
  return { work, to, from, bytes, index: undefined, foreign, seen, tally: createTally(), lists, streams: false };
}

/** A view that a call was given, and what an error calls it. */
export interface NamedView {
  readonly name: string;
  readonly view: ArrayBufferView;
}

/**
 * Checks the view, or the two, that something else than a copy is to be done with: they may overlap.
 *
 * @throws ErrnoError as {@link createBatch}
 */
export function* createWork(rules: BatchRules, work: Work, views: readonly NamedView[]): Steps<Batch> {
  const line = new Line(rules.memory);
  const placed: { address: number; bytes: number }[] = [];
  for (const { name, view } of views) {
    placed.push(placeView(rules, line, view, name));
    yield;
  }
  const [target, source = target] = placed;
  if (target.bytes !== source.bytes) {
    const [to, from] = views;
    throw invalid(to.name, `must have the same length as ${from.name}`, `${target.bytes} and ${source.bytes} bytes`);
  }
  const items = {
    to: Float64Array.of(target.address),
    from: Float64Array.of(source.address),
    bytes: Float64Array.of(target.bytes),
  };
  return finishBatch(items, survey(items), line.foreign, openLists(), work);
}

/** Where a view is on the line; each part of it is read once. */
function placeView(rules: BatchRules, line: Line, view: unknown, name: string): { address: number; bytes: number } {
  if (!ArrayBuffer.isView(view)) throw noView(view, name, ONLY);
  const { buffer, byteOffset, byteLength: bytes } = view;
  const base = baseOf(rules, line, buffer, view, name, ONLY);
  if (!isRange(byteOffset, bytes, buffer.byteLength)) throw notInBuffer(view, name, ONLY);
  const address = base + byteOffset;
  if (base === 0 && bytes > 0) checkRange(rules.memory, address, bytes, name, ONLY);
  return { address, bytes };
}

function* batchOfItems(memory: EngineMemory, items: CopyItems, lists: Lists): Steps<Batch> {
  const count = items.to.length;
  const seen = createSurvey();
  for (let first = 0; first < count; first += STEP_ITEMS) {
    surveyItems(seen, items, first, Math.min(first + STEP_ITEMS, count));
    yield;
  }
  yield* checkAddresses(memory, items, seen, Number.POSITIVE_INFINITY);
  yield* checkOverlap(items, seen);
  return finishBatch(items, seen, [], lists);
}

/** Throws EFAULT if an item reaches beyond the nodes; what starts from `end` on is another buffer's. */
function* checkAddresses(
  memory: EngineMemory,
  items: Ranges,
  { toLow, toHigh, fromLow, fromHigh }: Survey,
  end: number,
): Steps<void> {
  if (toHigh === 0) return;
  if (memory.holds(toLow, toHigh - toLow) && memory.holds(fromLow, fromHigh - fromLow)) return;
  for (let i = 0; i < items.bytes.length; i++) {
    if (i % STEP_ITEMS === 0) yield;
    if (items.bytes[i] === 0) continue;
    if (items.to[i] < end) checkRange(memory, items.to[i], items.bytes[i], 'to', i);
    if (items.from[i] < end) checkRange(memory, items.from[i], items.bytes[i], 'from', i);
  }
}

function checkRange(memory: EngineMemory, address: number, bytes: number, side: string, item: number): void {
  if (memory.holds(address, bytes)) return;
  throw new ErrnoError(
    'EFAULT',
    `${nameOf(side, item)}: ${bytes} bytes from ${address} are not inside the nodes' memory, ${memory.describe()}`,
  );
}

function* batchOfPairs(rules: BatchRules, pairs: readonly unknown[], lists: Lists): Steps<Batch> {
  const count = pairs.length;
  const items = createRanges(count, lists);
  const line = new Line(rules.memory);
  const seen = createSurvey();
  for (let first = 0; first < count; first += STEP_PAIRS) {
    const end = Math.min(first + STEP_PAIRS, count);
    takePairs(rules, line, pairs, items, first, end);
    surveyItems(seen, items, first, end);
    yield;
  }
  yield* checkAddresses(rules.memory, items, seen, rules.memory.buffer.byteLength);
  yield* checkOverlap(items, seen);
  return finishBatch(items, seen, line.foreign, lists);
}

/** Room for as many items, wherever they are. @throws ErrnoError ENOMEM for more than there is memory for */
function createRanges(count: number, lists: Lists): Record<'to' | 'from' | 'bytes', Float64Array> {
  try {
    return { to: lists.doubles(count), from: lists.doubles(count), bytes: lists.doubles(count) };
  } catch (cause) {
    throw new ErrnoError('ENOMEM', `items: there is no memory for a list of ${count}: copy it in parts`, { cause });
  }
}

/** Reads pairs `first` up to `end`, each part once, and checks them. */
function takePairs(
  rules: BatchRules,
  line: Line,
  pairs: readonly unknown[],
  items: Ranges,
  first: number,
  end: number,
): void {
  // Mostly one buffer on each side: a look at the map costs as much as all else.
  let toBuffer: ArrayBufferLike | undefined;
  let fromBuffer: ArrayBufferLike | undefined;
  let toBase = 0;
  let fromBase = 0;
  // As long as they were then: to ask each time costs a third more, and one that has grown since is asked again.
  let toRoom = 0;
  let fromRoom = 0;
  for (let i = first; i < end; i++) {
    const { to, from } = (pairs[i] ?? {}) as Partial<CopyPair>;
    if (!ArrayBuffer.isView(to)) throw noView(to, 'to', i);
    if (!ArrayBuffer.isView(from)) throw noView(from, 'from', i);
    const writes = to.buffer;
    const reads = from.buffer;
    if (writes !== toBuffer) {
      toBase = baseOf(rules, line, writes, to, 'to', i);
      toBuffer = writes;
      toRoom = writes.byteLength;
    }
    if (reads !== fromBuffer) {
      fromBase = baseOf(rules, line, reads, from, 'from', i);
      fromBuffer = reads;
      fromRoom = reads.byteLength;
    }
    const bytes = to.byteLength;
    const fromBytes = from.byteLength;
    if (bytes !== fromBytes) throw unequal(i, bytes, fromBytes);
    const target = to.byteOffset;
    const source = from.byteOffset;
    if (!isRange(target, bytes, toRoom) && !isRange(target, bytes, writes.byteLength)) throw notInBuffer(to, 'to', i);
    if (!isRange(source, bytes, fromRoom) && !isRange(source, bytes, reads.byteLength)) {
      throw notInBuffer(from, 'from', i);
    }
    items.to[i] = toBase + target;
    items.from[i] = fromBase + source;
    items.bytes[i] = bytes;
  }
}

function nameOf(side: string, item: number): string {
  return item === ONLY ? side : `${side} of item ${item}`;
}

function unequal(item: number, to: number, from: number): ErrnoError {
  return invalid(`item ${item}`, 'to and from must have the same length', `${show(to)} and ${show(from)} bytes`);
}

function noView(value: unknown, side: string, item: number): ErrnoError {
  return invalid(nameOf(side, item), 'must be a view such as a Uint8Array', value);
}

function notInBuffer(view: ArrayBufferView, side: string, item: number): ErrnoError {
  return invalid(nameOf(side, item), 'must have the byteOffset and the byteLength of a range of its buffer', view);
}

/** Where the buffer of a view is on the line; throws EINVAL for one that can't be copied. */
function baseOf(
  { method }: BatchRules,
  line: Line,
  buffer: ArrayBufferLike,
  view: ArrayBufferView,
  side: string,
  item: number,
): number {
  const base = line.baseOf(buffer);
  if (base < 0) {
    throw new ErrnoError(
      'EINVAL',
      `${nameOf(side, item)}: ${show(view)} is on memory that is not shared, which other threads can't reach; ` +
        'use engine.allocate(bytes), or a view on a SharedArrayBuffer',
    );
  }
  if (base > 0 && method === 'memory.copy') {
    throw new ErrnoError(
      'EINVAL',
      `${item === ONLY ? side : `item ${item}`}: memory.copy reaches the engine's own memory alone; use engine.allocate(bytes), or method 'auto'`,
    );
  }
  return base;
}

/** A batch of the items at some positions of another. */
export function* selectItems(batch: Batch, positions: readonly number[]): Steps<Batch> {
  const count = positions.length;
  const items = createRanges(count, batch.lists);
  const index = new Uint32Array(count);
  for (const [i, position] of positions.entries()) {
    if (i % STEP_ITEMS === 0) yield;
    items.to[i] = batch.to[position];
    items.from[i] = batch.from[position];
    items.bytes[i] = batch.bytes[position];
    index[i] = indexOf(batch, position);
  }
  return {
    ...finishBatch(items, survey(items), batch.foreign, batch.lists, batch.work),
    index,
    streams: batch.streams,
  };
}

/** Position in the call of a batch's item. */
export function indexOf(batch: Batch, position: number): number {
  return batch.index ? batch.index[position] : position;
}
