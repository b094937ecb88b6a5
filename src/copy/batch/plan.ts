import { MAX_THREADS, wholeNumber } from '../../check.js';
import { CACHE_LINE } from '../../units.js';
import { type CopyItems, type Ranges, takeArrays } from './items.js';

/** Words of a descriptor: to, from, bytes. */
export const DESCRIPTOR_WORDS = 3;
/** The most lists of a plan: one for each worker thread, and one for the caller. */
export const MAX_LISTS = MAX_THREADS + 1;
/** The longest that merging makes a descriptor: what its word can hold. */
const MAX_DESCRIPTOR_BYTES = 2 ** 32 - 1;
const checkLists = wholeNumber(1, MAX_LISTS);

/** Where a planner writes: descriptors, and for each the position of the (first) item it came from. */
export interface PlanTarget {
  /** Triples of to, from and bytes. */
  readonly descriptors: Uint32Array | Float64Array;
  /** For each descriptor the position of its item, the first of them where neighbours were merged. */
  readonly source: Uint32Array;
}

/** One item list a thread. */
export interface CopyPlan extends PlanTarget {
  /** Triples of to, from and bytes: physical addresses in bytes, and above 0. */
  readonly descriptors: Uint32Array;
  /** How the batch was cut: every folio into a chunk a thread, or a run of whole folios a thread. */
  readonly distribution: 'chunks' | 'folios';
  /** Thread `t` copies descriptors `lists[t]` up to, not including, `lists[t + 1]`. */
  readonly lists: Uint32Array;
}

/**
 * Cuts a batch into one item list a thread, as copy_page_lists_mt does: with fewer folios than threads every folio is
 * cut into one chunk a thread; otherwise every thread gets a run of whole folios, the first `n mod threads` threads one
 * more. Chunks begin on a cache line of their destination and the last takes the rest, so every byte is in exactly one
 * descriptor; the published driver leaves up to `threads - 1` bytes a folio out. Neighbours in a list that touch on both
 * sides are one descriptor.
 *
 * A pure function: it looks at addresses and lengths alone, and the items stay as they are.
 *
 * @param items the batch; an item of 0 bytes gets no descriptor
 * @param lists threads that copy, 1 to 65: 64 workers and a caller that helps
 * @throws ErrnoError EINVAL for another number of lists, or what is no CopyItems with arrays of one length
 *
 * @example
 * ```js
 * import { planCopy } from 'mtcopy';
 *
 * const items = { to: Uint32Array.of(0), from: Uint32Array.of(2 ** 20), bytes: Uint32Array.of(2 ** 20) };
 * const { distribution, descriptors, lists } = planCopy(items, 2);
 * console.log(distribution, Array.from(lists)); // chunks [ 0, 1, 2 ]
 * console.log(descriptors.subarray(3)); // Uint32Array(3) [ 524288, 1572864, 524288 ]
 * ```
 */
export function planCopy(items: CopyItems, lists: number): CopyPlan {
  checkLists('lists', lists);
  const taken = takeArrays(items);
  const count = taken.to.length;
  const capacity = staticCapacity(count, lists);
  const target = { descriptors: new Uint32Array(capacity * DESCRIPTOR_WORDS), source: new Uint32Array(capacity) };
  const borders = new Uint32Array(lists + 1);
  const used = planStatic(target, borders, taken, 0, count, lists);
  return {
    distribution: count < lists ? 'chunks' : 'folios',
    descriptors: target.descriptors.subarray(0, used * DESCRIPTOR_WORDS),
    source: target.source.subarray(0, used),
    lists: borders,
  };
}

/** Descriptors that {@link planStatic} may need for `count` items. */
function staticCapacity(count: number, threads: number): number {
  return count < threads ? count * threads : count;
}

/**
 * Writes the lists of items `first` up to `end` to `target`, and their borders to `lists`.
 *
 * @param inChunks whether every item is cut into a chunk a list, instead of a run of whole items a list. Default: with fewer
 * items than lists, as published
 * @returns the number of descriptors written
 */
export function planStatic(
  target: PlanTarget,
  lists: { [index: number]: number },
  items: Ranges,
  first: number,
  end: number,
  threads: number,
  inChunks = end - first < threads,
): number {
  const count = end - first;
  let used = 0;
  lists[0] = 0;
  for (let thread = 0; thread < threads; thread++) {
    if (inChunks) {
      used = writeChunks(target, used, items, first, end, thread, threads);
    } else {
      const runFirst = first + runStart(count, thread, threads);
      used = writeFolios(target, used, items, runFirst, first + runStart(count, thread + 1, threads));
    }
    lists[thread + 1] = used;
  }
  return used;
}

/** Where thread `thread`'s run of whole folios begins: the first `count mod threads` threads have one more. */
function runStart(count: number, thread: number, threads: number): number {
  return thread * Math.floor(count / threads) + Math.min(thread, count % threads);
}

/** Writes chunk `chunk` of `chunks` of items `first` up to `end` as a list; returns where the next begins. */
function writeChunks(
  target: PlanTarget,
  list: number,
  items: Ranges,
  first: number,
  end: number,
  chunk: number,
  chunks: number,
): number {
  let used = list;
  for (let i = first; i < end; i++) {
    const to = items.to[i];
    const from = items.from[i];
    const bytes = items.bytes[i];
    const border = chunkBorder(to, bytes, chunk, chunks);
    const length = chunkBorder(to, bytes, chunk + 1, chunks) - border;
    used = append(target, list, used, to + border, from + border, length, i);
  }
  return used;
}

/** Offset in the item at which chunk `chunk` begins: a cache line of the destination, or one of the item's ends. */
function chunkBorder(to: number, bytes: number, chunk: number, chunks: number): number {
  if (chunk === 0) return 0;
  if (chunk === chunks) return bytes;
  const border = Math.floor(bytes / chunks) * chunk;
  return Math.max(0, border - ((to + border) % CACHE_LINE));
}

/** Writes items `first` up to `end`, whole, as a list; returns where the next begins. */
function writeFolios(target: PlanTarget, list: number, items: Ranges, first: number, end: number): number {
  const { to, from, bytes } = items;
  let used = list;
  for (let i = first; i < end; i++) {
    used = append(target, list, used, to[i], from[i], bytes[i], i);
  }
  return used;
}

/** Appends a descriptor to the list that begins at `list`, or lengthens its last where both sides touch. */
function append(
  { descriptors, source }: PlanTarget,
  list: number,
  used: number,
  to: number,
  from: number,
  bytes: number,
  item: number,
): number {
  if (bytes === 0) return used;
  const word = used * DESCRIPTOR_WORDS;
  if (used > list) {
    const length = descriptors[word - 1];
    const touches = descriptors[word - 3] + length === to && descriptors[word - 2] + length === from;
    if (touches && length + bytes <= MAX_DESCRIPTOR_BYTES) {
      descriptors[word - 1] = length + bytes;
      return used;
    }
  }
  descriptors[word] = to;
  descriptors[word + 1] = from;
  descriptors[word + 2] = bytes;
  source[used] = item;
  return used + 1;
}

/** What {@link planDynamic} wrote. */
export interface DynamicPlan {
  /** Descriptors written. */
  used: number;
  /** The first item that is not in them. */
  next: number;
  /** Bytes in them. */
  bytes: number;
}

/**
 * Writes items from `first` on for threads that claim them one after the other: none longer than `pieceBytes`,
 * neighbours merged up to that, as many items as `target` has room for. Where there is an `itemAt`, `first`, `end` and
 * `source` count places in it, and its entries are the items.
 */
export function planDynamic(
  target: PlanTarget,
  items: Ranges,
  first: number,
  end: number,
  pieceBytes: number,
  itemAt?: Uint32Array,
): DynamicPlan {
  const { descriptors, source } = target;
  const { to: targets, from: sources, bytes: lengths } = items;
  const capacity = source.length;
  let used = 0;
  let total = 0;
  // The end of the last descriptor, and its length: read back from shared memory they cost more than the rest.
  let toEnd = -1;
  let fromEnd = -1;
  let length = 0;
  let i = first;
  for (; i < end && used < capacity; i++) {
    const item = itemAt ? itemAt[i] : i;
    const bytes = lengths[item];
    if (bytes === 0) continue;
    const to = targets[item];
    const from = sources[item];
    const word = used * DESCRIPTOR_WORDS;
    if (to === toEnd && from === fromEnd && length + bytes <= pieceBytes) {
      length += bytes;
      descriptors[word - 1] = length;
    } else if (bytes <= pieceBytes) {
      descriptors[word] = to;
      descriptors[word + 1] = from;
      descriptors[word + 2] = bytes;
      source[used++] = i;
      length = bytes;
    } else {
      const pieces = Math.ceil(bytes / pieceBytes);
      if (used + pieces > capacity) break;
      writePieces(target, used, to, from, bytes, i, pieceBytes);
      used += pieces;
      length = bytes - (pieces - 1) * pieceBytes;
    }
    toEnd = to + bytes;
    fromEnd = from + bytes;
    total += bytes;
  }
  return { used, next: i, bytes: total };
}

/** Writes an item of more than `pieceBytes` in pieces. */
function writePieces(
  { descriptors, source }: PlanTarget,
  used: number,
  to: number,
  from: number,
  bytes: number,
  item: number,
  pieceBytes: number,
): void {
  for (let done = 0, next = used; done < bytes; done += pieceBytes, next++) {
    descriptors[next * DESCRIPTOR_WORDS] = to + done;
    descriptors[next * DESCRIPTOR_WORDS + 1] = from + done;
    descriptors[next * DESCRIPTOR_WORDS + 2] = Math.min(pieceBytes, bytes - done);
    source[next] = item;
  }
}
