import { ErrnoError, invalid, show } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { GiB, PAGE_SIZE } from '../units.js';
import { type CopyItems, checkLengths, createCopyItems } from './copy-items.js';
import type { ForeignBuffers } from './kernels.js';
import { checkOverlap, checkOverlapInMemory, type Survey, survey } from './overlap.js';

/** A destination and a source of the same length: views on shared memory. */
export interface CopyPair {
  to: ArrayBufferView;
  from: ArrayBufferView;
}

export const KERNEL_NAMES = ['auto', 'memory.copy', 'typed-array'] as const;
/** Which code moves the bytes; see CreateOptions. */
export type KernelName = (typeof KERNEL_NAMES)[number];

/** Items that one kind of job can copy: all in the engine's memory, or all between the same two buffers. */
export interface Transfer extends CopyItems {
  /** Position of each item in the user's batch; `undefined` if they are the same. */
  readonly index: Uint32Array | undefined;
  /** The two buffers that `to` and `from` are offsets in; `undefined` for the engine's memory, whose addresses they are. */
  readonly buffers: ForeignBuffers | undefined;
  /** What a look at all items told. */
  readonly seen: Survey;
  /** Whether the arrays are the user's own, who may write to them as soon as the event loop turns. */
  readonly isBorrowed: boolean;
}

/** In a buffer of more than 4 GiB offsets are counted from a multiple of this, so that they fit 32 bits. */
const WINDOW = 2 ** 31;
/** The longest stretch that is one item between two buffers. */
const SEGMENT = 2 ** 30;

/**
 * Checks a batch and turns it into transfers. Nothing is copied yet.
 *
 * @throws ErrnoError EINVAL for what isn't a view on shared memory, lengths that differ, ranges that overlap, or views
 * that the kernel asked for can't copy; EFAULT for an address outside the nodes.
 */
export function createTransfers(memory: PhysicalMemory, batch: unknown, kernel: KernelName): Transfer[] {
  if (isCopyItems(batch)) return [checkItems(memory, batch)];
  if (!Array.isArray(batch)) throw invalid('items', 'must be an array of { to, from } or a CopyItems', batch);
  // Each pair is read once, holes too: what is checked must be what is copied.
  const pairs = Array.from(
    batch as (CopyPair | undefined)[],
    (pair) => ({ to: pair?.to, from: pair?.from }) as CopyPair,
  );
  let inMemory = true;
  for (const [i, pair] of pairs.entries()) inMemory = checkPair(pair, i, memory, kernel) && inMemory;
  return inMemory ? [transferInMemory(pairs)] : transfersBetweenBuffers(memory, pairs);
}

function isCopyItems(batch: unknown): batch is CopyItems {
  const { to, from, bytes } = (batch ?? {}) as Partial<CopyItems>;
  return to instanceof Uint32Array && from instanceof Uint32Array && bytes instanceof Uint32Array;
}

function checkItems(memory: PhysicalMemory, given: CopyItems): Transfer {
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
  return { to, from, bytes, index: undefined, buffers: undefined, seen, isBorrowed: !isShared };
}

function fault(side: string, addresses: Uint32Array, bytes: Uint32Array, memory: PhysicalMemory): ErrnoError {
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
 * @throws as {@link createTransfers}, but for overlaps
 */
export function checkPair(pair: CopyPair, i: number, memory: PhysicalMemory, kernel: KernelName): boolean {
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
  if (!inMemory && kernel === 'memory.copy') {
    throw new ErrnoError(
      'EINVAL',
      `item ${i}: memory.copy reaches the engine's own memory alone; use engine.allocate(bytes), or kernel 'auto'`,
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

function checkReserved(memory: PhysicalMemory, view: ArrayBufferView, name: string): void {
  if (view.buffer !== memory.buffer || view.byteOffset >= memory.startAddress || view.byteLength === 0) return;
  throw new ErrnoError('EFAULT', `${name}: address ${view.byteOffset} is reserved, below the first node`);
}

function transferInMemory(pairs: readonly CopyPair[]): Transfer {
  const items = createCopyItems(pairs.length);
  for (let i = 0; i < pairs.length; i++) {
    const { to, from } = pairs[i];
    items.to[i] = to.byteOffset;
    items.from[i] = from.byteOffset;
    items.bytes[i] = to.byteLength;
  }
  const seen = survey(items);
  checkOverlapInMemory(items, seen);
  return { ...items, index: undefined, buffers: undefined, seen, isBorrowed: false };
}

/** A stretch of a pair between two buffers, short enough for 32-bit offsets from its windows. */
interface Segment {
  readonly item: number;
  readonly to: number;
  readonly from: number;
  readonly bytes: number;
}

interface Group {
  readonly to: SharedArrayBuffer;
  readonly from: SharedArrayBuffer;
  readonly toWindow: number;
  readonly fromWindow: number;
  readonly segments: Segment[];
}

/** One transfer for every two buffers that the pairs copy between. */
function transfersBetweenBuffers(memory: PhysicalMemory, pairs: readonly CopyPair[]): Transfer[] {
  const bases = placeBuffers(pairs);
  const place = (view: ArrayBufferView) => (bases.get(view.buffer) as number) + view.byteOffset;
  const ranges = {
    to: Float64Array.from(pairs, ({ to }) => place(to)),
    from: Float64Array.from(pairs, ({ from }) => place(from)),
    bytes: Float64Array.from(pairs, ({ to }) => to.byteLength),
  };
  checkOverlap(ranges, survey(ranges));
  const groups = new Map<string, Group>();
  for (const [item, pair] of pairs.entries()) {
    for (let done = 0; done < pair.to.byteLength; done += SEGMENT) {
      const toWindow = windowOf(pair.to, done);
      const fromWindow = windowOf(pair.from, done);
      const key = [bases.get(pair.to.buffer), toWindow, bases.get(pair.from.buffer), fromWindow].join();
      let group = groups.get(key);
      if (!group) {
        const [to, from] = [pair.to.buffer as SharedArrayBuffer, pair.from.buffer as SharedArrayBuffer];
        group = { to, from, toWindow, fromWindow, segments: [] };
        groups.set(key, group);
      }
      group.segments.push({
        item,
        to: pair.to.byteOffset + done - toWindow * WINDOW,
        from: pair.from.byteOffset + done - fromWindow * WINDOW,
        bytes: Math.min(SEGMENT, pair.to.byteLength - done),
      });
    }
  }
  return Array.from(groups.values(), (group) => transferOf(memory, group));
}

/** Number of the window that offsets at `done` bytes into `view` are counted from. */
function windowOf({ buffer, byteOffset }: ArrayBufferView, done: number): number {
  return buffer.byteLength <= 4 * GiB ? 0 : Math.floor((byteOffset + done) / WINDOW);
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

function transferOf(memory: PhysicalMemory, group: Group): Transfer {
  const { segments, toWindow, fromWindow } = group;
  const items = {
    to: Uint32Array.from(segments, (segment) => segment.to),
    from: Uint32Array.from(segments, (segment) => segment.from),
    bytes: Uint32Array.from(segments, (segment) => segment.bytes),
  };
  return {
    ...items,
    index: Uint32Array.from(segments, (segment) => segment.item),
    buffers: {
      to: group.to,
      toStart: toWindow * WINDOW,
      from: group.from,
      fromStart: fromWindow * WINDOW,
      fromEngine: group.from === memory.buffer,
    },
    seen: survey(items),
    isBorrowed: false,
  };
}

/** The same transfer on arrays of its own. To be made before the event loop turns while items are still to be planned. */
export function ownTransfer(transfer: Transfer): Transfer {
  return transfer.isBorrowed ? { ...transfer, ...copyOf(transfer), isBorrowed: false } : transfer;
}

function copyOf({ to, from, bytes }: CopyItems): CopyItems {
  return { to: to.slice(), from: from.slice(), bytes: bytes.slice() };
}

/** A transfer of the items at some positions. */
export function selectItems(transfer: Transfer, positions: readonly number[]): Transfer {
  const select = (array: Uint32Array) => Uint32Array.from(positions, (i) => array[i]);
  const items = { to: select(transfer.to), from: select(transfer.from), bytes: select(transfer.bytes) };
  const index = Uint32Array.from(positions, (i) => itemOf(transfer, i));
  return { ...items, index, buffers: transfer.buffers, seen: survey(items), isBorrowed: false };
}

/** Position in the user's batch of a transfer's item. */
export function itemOf(transfer: Transfer, position: number): number {
  return transfer.index ? transfer.index[position] : position;
}
