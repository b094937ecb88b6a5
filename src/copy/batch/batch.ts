import { ErrnoError, invalid, show } from '../../errno.js';
import { GiB, PAGE_SIZE } from '../../units.js';
import { type CopyItems, checkLengths, createCopyItems } from './items.js';
import { checkOverlap, checkOverlapInMemory, type Survey, survey } from './overlap.js';
import { createTally, type Tally } from './tally.js';

/** A destination and a source of the same length: views on shared memory. */
export interface CopyPair {
  to: ArrayBufferView;
  from: ArrayBufferView;
}

/** Which loop may copy the bytes: names of {@link CopyMethod}. */
export const COPY_METHODS = ['auto', 'memory.copy', 'typed-array'] as const;
/** Which loop copies the bytes; see CreateOptions. */
export type CopyMethod = (typeof COPY_METHODS)[number];

/** What batches are checked against: the same for all of an engine. */
export interface BatchRules {
  readonly memory: EngineMemory;
  readonly method: CopyMethod;
}

/** What a batch must know of an engine's memory: where it is, and from which address on it may be copied. */
export interface EngineMemory {
  readonly buffer: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly startAddress: number;
}

/** The buffers of a batch that isn't in the engine's own memory; its items' addresses are offsets from where each starts. */
export interface ForeignBuffers {
  readonly to: SharedArrayBuffer;
  readonly toStart: number;
  readonly from: SharedArrayBuffer;
  readonly fromStart: number;
  /** Whether `from` is the engine's own memory, whose frames may be poisoned. */
  readonly fromEngine: boolean;
}

/**
 * Items that one kind of job can copy, all in the engine's memory or all between the same two buffers, and what becomes of
 * them. A call has one batch, or several if its items are between several buffers.
 */
export interface Batch extends CopyItems {
  to: Uint32Array;
  from: Uint32Array;
  bytes: Uint32Array;
  /** Position of each item in the call; `undefined` if they are the same. */
  readonly index: Uint32Array | undefined;
  /** The two buffers that `to` and `from` are offsets in; `undefined` for the engine's memory, whose addresses they are. */
  readonly buffers: ForeignBuffers | undefined;
  /** What a look at all items told. */
  readonly seen: Survey;
  /** Whether the arrays are the user's own, who may write to them as soon as the event loop turns. */
  isBorrowed: boolean;
  readonly tally: Tally;
}

/** In a buffer of more than 4 GiB offsets are counted from a multiple of this, so that they fit 32 bits. */
const FOREIGN_START = 2 ** 31;
/** The longest item between two buffers; longer pairs are several. */
const MAX_FOREIGN_BYTES = 2 ** 30;

/**
 * Checks what a call is to copy and sorts it into batches. Nothing is copied yet.
 *
 * @throws ErrnoError EINVAL for what isn't a view on shared memory, lengths that differ, ranges that overlap, or views
 * that the method asked for can't copy; EFAULT for an address outside the nodes.
 */
export function createBatches(rules: BatchRules, items: unknown): Batch[] {
  const { memory } = rules;
  if (isCopyItems(items)) return [checkItems(memory, items)];
  if (!Array.isArray(items)) throw invalid('items', 'must be an array of { to, from } or a CopyItems', items);
  // Each pair is read once, holes too: what is checked must be what is copied.
  const pairs = Array.from(
    items as (CopyPair | undefined)[],
    (pair) => ({ to: pair?.to, from: pair?.from }) as CopyPair,
  );
  let inMemory = true;
  for (const [i, pair] of pairs.entries()) inMemory = checkPair(rules, pair, i) && inMemory;
  return inMemory ? [batchInMemory(pairs)] : batchesBetweenBuffers(memory, pairs);
}

/**
 * A batch of items in the engine's memory that nobody need check, for a migrator whose frames were just allocated: they lie
 * in the nodes, none overlaps another, and the arrays stay as they are until the call's end.
 */
export function trustedBatch(items: CopyItems): Batch {
  return createBatch(items, survey(items));
}

/** What a batch may have beside its items. */
type BatchExtras = Partial<Pick<Batch, 'index' | 'buffers' | 'isBorrowed'>>;

/** A batch of which nothing is copied yet. Its arrays are its own unless it is said to have borrowed them. */
function createBatch({ to, from, bytes }: CopyItems, seen: Survey, extras: BatchExtras = {}): Batch {
  const { index, buffers, isBorrowed = false } = extras;
  return { to, from, bytes, index, buffers, seen, isBorrowed, tally: createTally() };
}

function isCopyItems(items: unknown): items is CopyItems {
  const { to, from, bytes } = (items ?? {}) as Partial<CopyItems>;
  return to instanceof Uint32Array && from instanceof Uint32Array && bytes instanceof Uint32Array;
}

function checkItems(memory: EngineMemory, given: CopyItems): Batch {
  // What other threads can write to is copied first: what was checked must be what is planned.
  const isShared = [given.to, given.from, given.bytes].some(({ buffer }) => buffer instanceof SharedArrayBuffer);
  const items = isShared ? copyOf(given) : given;
  checkLengths(items);
  const { to, from, bytes } = items;
  const seen = survey(items);
  const low = memory.startAddress;
  const high = memory.bytes.length;
  if (seen.toLow < low || seen.toHigh > high) throw fault('to', to, bytes, memory);
  if (seen.fromLow < low || seen.fromHigh > high) throw fault('from', from, bytes, memory);
  checkOverlapInMemory(items, seen);
  return createBatch(items, seen, { isBorrowed: !isShared });
}

function fault(side: string, addresses: Uint32Array, bytes: Uint32Array, memory: EngineMemory): ErrnoError {
  const { length: high } = memory.bytes;
  const low = memory.startAddress;
  const isOutside = (address: number, i: number) => bytes[i] !== 0 && (address < low || address + bytes[i] > high);
  const i = addresses.findIndex(isOutside);
  const range = `${bytes[i]} bytes from ${addresses[i]}`;
  return new ErrnoError('EFAULT', `${side} of item ${i}: ${range} are not inside the nodes' memory, ${low} to ${high}`);
}

/**
 * Checks one pair.
 *
 * @returns whether both sides are in the engine's memory
 * @throws as {@link createBatches}, but for overlaps
 */
export function checkPair({ memory, method }: BatchRules, pair: CopyPair, i: number): boolean {
  const to = checkView(pair.to, `to of item ${i}`);
  const from = checkView(pair.from, `from of item ${i}`);
  if (to.byteLength !== from.byteLength) {
    throw invalid(
      `item ${i}`,
      'to and from must have the same length',
      `${to.byteLength} and ${from.byteLength} bytes`,
    );
  }
  checkReserved(memory, to, `to of item ${i}`);
  checkReserved(memory, from, `from of item ${i}`);
  const inMemory = to.buffer === memory.buffer && from.buffer === memory.buffer;
  if (!inMemory && method === 'memory.copy') {
    throw new ErrnoError(
      'EINVAL',
      `item ${i}: memory.copy reaches the engine's own memory alone; use engine.allocate(bytes), or method 'auto'`,
    );
  }
  return inMemory;
}

function checkView(view: unknown, name: string): ArrayBufferView {
  if (!ArrayBuffer.isView(view)) throw invalid(name, 'must be a view such as a Uint8Array', view);
  if (!(view.buffer instanceof SharedArrayBuffer)) {
    throw new ErrnoError(
      'EINVAL',
      `${name}: ${show(view)} is on memory that is not shared, which other threads can't reach; ` +
        'use engine.allocate(bytes), or a view on a SharedArrayBuffer',
    );
  }
  return view;
}

function checkReserved(memory: EngineMemory, view: ArrayBufferView, name: string): void {
  if (view.buffer !== memory.buffer || view.byteOffset >= memory.startAddress || view.byteLength === 0) return;
  throw new ErrnoError('EFAULT', `${name}: address ${view.byteOffset} is reserved, below the first node`);
}

function batchInMemory(pairs: readonly CopyPair[]): Batch {
  const items = createCopyItems(pairs.length);
  for (let i = 0; i < pairs.length; i++) {
    const { to, from } = pairs[i];
    items.to[i] = to.byteOffset;
    items.from[i] = from.byteOffset;
    items.bytes[i] = to.byteLength;
  }
  const seen = survey(items);
  checkOverlapInMemory(items, seen);
  return createBatch(items, seen);
}

/** A pair between two buffers, or a part of one that is short enough for 32-bit offsets. */
interface ForeignItem {
  /** Position of the pair. */
  readonly index: number;
  readonly to: number;
  readonly from: number;
  readonly bytes: number;
}

/** A batch between two buffers that is being put together. */
interface ForeignBatch {
  readonly buffers: ForeignBuffers;
  readonly items: ForeignItem[];
}

/** One batch for every two buffers that the pairs copy between. */
function batchesBetweenBuffers(memory: EngineMemory, pairs: readonly CopyPair[]): Batch[] {
  const bases = placeBuffers(pairs);
  const place = (view: ArrayBufferView) => (bases.get(view.buffer) as number) + view.byteOffset;
  const ranges = {
    to: Float64Array.from(pairs, ({ to }) => place(to)),
    from: Float64Array.from(pairs, ({ from }) => place(from)),
    bytes: Float64Array.from(pairs, ({ to }) => to.byteLength),
  };
  checkOverlap(ranges, survey(ranges));
  const batches = new Map<string, ForeignBatch>();
  for (const [index, { to, from }] of pairs.entries()) {
    for (let done = 0; done < to.byteLength; done += MAX_FOREIGN_BYTES) {
      const toStart = startOf(to, done);
      const fromStart = startOf(from, done);
      const key = [bases.get(to.buffer), toStart, bases.get(from.buffer), fromStart].join();
      let batch = batches.get(key);
      if (!batch) {
        batch = { buffers: foreignBuffers(memory, to, toStart, from, fromStart), items: [] };
        batches.set(key, batch);
      }
      batch.items.push({
        index,
        to: to.byteOffset + done - toStart,
        from: from.byteOffset + done - fromStart,
        bytes: Math.min(MAX_FOREIGN_BYTES, to.byteLength - done),
      });
    }
  }
  return Array.from(batches.values(), finishForeign);
}

function foreignBuffers(
  memory: EngineMemory,
  to: ArrayBufferView,
  toStart: number,
  from: ArrayBufferView,
  fromStart: number,
): ForeignBuffers {
  return {
    to: to.buffer as SharedArrayBuffer,
    toStart,
    from: from.buffer as SharedArrayBuffer,
    fromStart,
    fromEngine: from.buffer === memory.buffer,
  };
}

/** What the offset at `done` bytes into `view` is counted from: 0 wherever 32 bits hold that. */
function startOf({ buffer, byteOffset }: ArrayBufferView, done: number): number {
  return buffer.byteLength <= 4 * GiB ? 0 : Math.floor((byteOffset + done) / FOREIGN_START) * FOREIGN_START;
}

/** Places every buffer at an address of its own on one line, so that one check finds overlaps in all of them. */
function placeBuffers(pairs: readonly CopyPair[]): Map<ArrayBufferLike, number> {
  const bases = new Map<ArrayBufferLike, number>();
  let end = 0;
  for (const pair of pairs) {
    for (const { buffer } of [pair.to, pair.from]) {
      if (bases.has(buffer)) continue;
      bases.set(buffer, end);
      end += Math.ceil(buffer.byteLength / PAGE_SIZE) * PAGE_SIZE;
    }
  }
  return bases;
}

function finishForeign({ buffers, items }: ForeignBatch): Batch {
  const columns = {
    to: Uint32Array.from(items, ({ to }) => to),
    from: Uint32Array.from(items, ({ from }) => from),
    bytes: Uint32Array.from(items, ({ bytes }) => bytes),
  };
  const index = Uint32Array.from(items, ({ index }) => index);
  return createBatch(columns, survey(columns), { index, buffers });
}

/** Gives the batch arrays of its own. To be called before the event loop turns while items are still to be planned. */
export function ownItems(batch: Batch): void {
  if (!batch.isBorrowed) return;
  Object.assign(batch, copyOf(batch));
  batch.isBorrowed = false;
}

function copyOf({ to, from, bytes }: CopyItems): CopyItems {
  return { to: to.slice(), from: from.slice(), bytes: bytes.slice() };
}

/** A batch of the items at some positions of another. */
export function selectItems(batch: Batch, positions: readonly number[]): Batch {
  const select = (array: Uint32Array) => Uint32Array.from(positions, (i) => array[i]);
  const items = { to: select(batch.to), from: select(batch.from), bytes: select(batch.bytes) };
  const index = Uint32Array.from(positions, (i) => indexOf(batch, i));
  return createBatch(items, survey(items), { index, buffers: batch.buffers });
}

/** Position in the call of a batch's item. */
export function indexOf(batch: Batch, position: number): number {
  return batch.index ? batch.index[position] : position;
}
