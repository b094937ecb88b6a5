import { types } from 'node:util';
import { anything, type Check, type Checks, checkOptions, numberFrom, oneOf, wholeNumber } from '../check.js';
import { ErrnoError, invalid, show } from '../errno.js';
import { seededRandom, shuffle } from '../random.js';
import {
  formatSize,
  GiB,
  MAX_PAGE_ORDER,
  MiB,
  type NodeId,
  type Order,
  PAGE_SIZE,
  type Pfn,
  pagesOf,
  parseSize,
} from '../units.js';
import { Memory, type SharedWasmMemory } from '../wasm.js';
import { BuddyAllocator } from './buddy-allocator.js';
import { Folio } from './folio.js';
import { createPageMetadata, NO_PAGE, type PageMetadata, PG, RESERVED_NID } from './page-metadata.js';
import { PcpLists } from './pcp-lists.js';
import { PoisonMap } from './poison-map.js';

/** What a 32-bit WebAssembly memory can address, in bytes. */
const WASM_LIMIT = 4 * GiB;
/** Bytes below the first node: frame 0, the poison map, and the area that copy engines keep their descriptors in. */
const RESERVED_BYTES = 32 * MiB;
const BLOCK_PAGES = 1 << MAX_PAGE_ORDER;
const POISON_PFN = 1;
const WASM_PAGE = 64 * 1024;
const MAX_NODES = RESERVED_NID;

/** How frames may lie: names of {@link Frames}. */
export const FRAMES = ['sequential', 'shuffled'] as const;
/** How the frames of a list of folios lie: ascending, or in any order, as on a machine that has run for a while. */
export type Frames = (typeof FRAMES)[number];

const OPTIONS: Checks<PhysicalMemoryOptions> = { nodes: anything, pcpHigh: numberFrom(0, Number.POSITIVE_INFINITY) };
const checkCount = wholeNumber(0, Number.POSITIVE_INFINITY);
const checkPages = wholeNumber(1, Number.POSITIVE_INFINITY);
const checkOrder = wholeNumber(0, MAX_PAGE_ORDER);
const checkBytes = wholeNumber(0, Number.POSITIVE_INFINITY);
const NODE_OPTIONS: Checks<Pick<FrameOptions, 'node'>> = { node: anything };
const FRAME_OPTIONS: Checks<FrameOptions> = { ...NODE_OPTIONS, frames: oneOf(FRAMES), seed: checkSeed };

/** Options of {@link PhysicalMemory.create}. */
export interface PhysicalMemoryOptions {
  /** Size of each NUMA node: bytes, or a string such as `'1G'`; a multiple of 4 KiB. */
  nodes: readonly (number | string)[];
  /**
   * Pages of each node that freed folios keep for the next allocation of their order, before they are merged with their
   * neighbours (the kernel's per-cpu page lists). They count as free. Default: 0.
   */
  pcpHigh?: number | undefined;
}

/** Options of {@link PhysicalMemory.allocFolios}. */
export interface FrameOptions {
  /** The node to allocate on. Default: 0. */
  node?: number | undefined;
  /** How the list's frames lie. Default: `'sequential'`. */
  frames?: Frames | undefined;
  /** Seed of the shuffling, a whole number. Default: 1. */
  seed?: number | undefined;
}

/** A NUMA node: a contiguous range of frames with its own free lists. */
export interface MemoryNode {
  /** Its number, from 0. */
  readonly id: NodeId;
  /** The first frame, a multiple of 4 MiB. */
  readonly startPfn: Pfn;
  /** One past the last frame. */
  readonly endPfn: Pfn;
  /** Pages free now. */
  readonly freePages: number;
  /**
   * Free blocks of exactly `order` now, as /proc/buddyinfo counts them: without what {@link PhysicalMemoryOptions.pcpHigh}
   * keeps.
   *
   * @throws ErrnoError EINVAL for an order that doesn't exist
   */
  freeBlocks(order: number): number;
}

/**
 * The whole physical address space: one shared WebAssembly memory, whose frames are the pages that folios live in.
 * Frame `p` is the bytes from `4096 * p` on. Pages take real memory only once they are touched.
 *
 * The thread that made it allocates, frees and poisons. Every thread may read and write bytes, take references and
 * lock folios.
 */
export class PhysicalMemory {
  /** The WebAssembly memory itself, to import into a module or to send to a worker. */
  readonly wasm: SharedWasmMemory;
  /** All bytes, from physical address 0. */
  readonly bytes: Uint8Array;
  /** Metadata of every frame. */
  readonly page: PageMetadata;
  /** The nodes, by their id. */
  readonly nodes: readonly MemoryNode[];
  /** Physical address of the poison map. */
  readonly poisonAddress: number = POISON_PFN * PAGE_SIZE;
  readonly #poison: PoisonMap;
  readonly #allocators: readonly BuddyAllocator[];
  readonly #pcp: readonly PcpLists[];
  readonly #reserved: BuddyAllocator;
  /** Physical addresses of the nodes' memory: one span, unless a node's size leaves frames before the next that are nobody's. */
  readonly #spans: readonly Span[];
  /** Made once: every allocation that names a node is checked. */
  readonly #checkNode: Check;

  /** Whether something is one, and no object that only looks like it. @internal */
  static is(value: unknown): value is PhysicalMemory {
    return typeof value === 'object' && value !== null && #poison in value;
  }

  /**
   * Boots a physical memory. There is nothing to close: it is given back once nothing refers to it or to a view on it.
   *
   * @throws ErrnoError EINVAL for a node size that isn't a multiple of 4 KiB above 0, a wrong `pcpHigh`, or an option that
   * doesn't exist; ENOMEM for more than a 32-bit WebAssembly memory has, or more than the machine will map.
   */
  static create(options: PhysicalMemoryOptions): PhysicalMemory {
    const { nodes, pcpHigh = 0 } = checkOptions(options, OPTIONS);
    if (!Array.isArray(nodes) || nodes.length < 1 || nodes.length > MAX_NODES) {
      throw invalid('nodes', `must be 1 to ${MAX_NODES} sizes`, nodes);
    }
    // Not by map(), which would pass over holes.
    const sizes = Array.from(nodes, checkNodeSize);
    return new PhysicalMemory(sizes, pcpHigh);
  }

  private constructor(sizes: readonly number[], pcpHigh: number) {
    const starts: number[] = [];
    let end = RESERVED_BYTES;
    for (const size of sizes) {
      const start = Math.ceil(end / (BLOCK_PAGES * PAGE_SIZE)) * BLOCK_PAGES * PAGE_SIZE;
      starts.push(start);
      end = start + size;
    }
    this.wasm = mapMemory(end, sizes);
    this.bytes = new Uint8Array(this.wasm.buffer);
    const pages = pagesOf(end);
    this.page = createPageMetadata(pages);
    this.#poison = new PoisonMap(this.buffer, this.poisonAddress);
    // The reserved frames, and those between two nodes; each node then claims its own.
    this.page.nid.fill(RESERVED_NID);
    this.#reserved = new BuddyAllocator(this.page, this.#poison, BLOCK_PAGES, pagesOf(RESERVED_BYTES));
    this.#checkNode = wholeNumber(0, sizes.length - 1);
    this.#allocators = sizes.map((size, id) => {
      const start = pagesOf(starts[id]);
      this.page.nid.fill(id, start, start + pagesOf(size));
      return new BuddyAllocator(this.page, this.#poison, start, start + pagesOf(size));
    });
    this.#spans = spansOf(starts, sizes);
    this.#pcp = sizes.map(() => new PcpLists(pcpHigh));
    const freePages = (id: number) => this.#freePages(id);
    this.nodes = this.#allocators.map((allocator, id) => ({
      id: id as NodeId,
      startPfn: allocator.start as Pfn,
      endPfn: allocator.end as Pfn,
      get freePages() {
        return freePages(id);
      },
      freeBlocks: (order) => {
        checkOrder('order', order);
        return allocator.freeBlocks(order as Order);
      },
    }));
  }

  /** The shared buffer behind every frame. */
  get buffer(): SharedArrayBuffer {
    return this.wasm.buffer;
  }

  /**
   * The folio whose first page is `pfn`: a view, without a reference of its own. What the view says of any other page means
   * nothing.
   *
   * @throws ErrnoError EINVAL for what is no frame of this memory
   */
  folio(pfn: number): Folio {
    if (!this.#isFrame(pfn)) throw invalid('pfn', 'must be a frame of this memory', pfn);
    return new Folio(this, pfn as Pfn);
  }

  /**
   * Allocates a folio of 2^order pages, with one reference that the caller owns. Its bytes are what they were.
   *
   * @throws ErrnoError EINVAL for an order, a node or an option that doesn't exist; ENOMEM if the node has no free block of
   * that order, however many pages it has.
   */
  allocFolio(order: number, options: Pick<FrameOptions, 'node'> = {}): Folio {
    checkOrder('order', order);
    const { node } = checkOptions(options, NODE_OPTIONS);
    return this.folio(this.#allocBlock(order as Order, this.#nodeId(node)));
  }

  /**
   * As {@link allocFolio}, for hot loops: the folio's PFN, or 0, which is no folio's, if the node has no free block of
   * that order.
   *
   * @internal
   */
  takeFolio(order: Order, node: NodeId): Pfn {
    const { flags, refcount } = this.page;
    const pfn = this.#pcp[node].take(order) ?? this.#takeBlock(order, node);
    if (pfn === undefined) return NO_PAGE as Pfn;
    this.page.order[pfn] = order;
    // Plain stores: until its PFN is handed on, with whatever orders that, nobody else looks at the entry of a free folio,
    // and a reference is never taken from 0.
    flags[pfn] = PG.head;
    refcount[pfn] = 1;
    return pfn;
  }

  /**
   * Allocates `count` folios at once, or none (alloc_pages_bulk). Each has one reference that the caller owns.
   *
   * @returns the folios' PFNs, in the order that `frames` asks for
   * @throws ErrnoError as {@link allocFolio}; EINVAL for a count that isn't a whole number, 0 or more, a seed that isn't one, or
   * another order of `frames`
   */
  allocFolios(count: number, order: number, options: FrameOptions = {}): Uint32Array {
    checkCount('count', count);
    const { frames = 'sequential', seed = 1, node: asked } = checkOptions(options, FRAME_OPTIONS);
    const node = this.#nodeId(asked);
    checkOrder('order', order);
    const size = order as Order;
    if (count * 2 ** size > this.#freePages(node)) {
      throw new ErrnoError(
        'ENOMEM',
        `${count} folios of order ${size} are more than node ${node} has: ` +
          `${formatSize(this.#freePages(node) * PAGE_SIZE)} are free; free some, or ask for fewer`,
      );
    }
    const pfns = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      try {
        pfns[i] = this.#allocBlock(size, node);
      } catch (error) {
        this.freeFolios(pfns.subarray(0, i));
        throw error;
      }
    }
    pfns.sort();
    return frames === 'shuffled' ? shuffle(pfns, seededRandom(seed)) : pfns;
  }

  /**
   * Drops a reference on each folio; see {@link Folio.put}.
   *
   * @throws ErrnoError EINVAL for what is no Uint32Array; and at the first that is free, EINVAL, or that can't be freed, EBUSY:
   * those before it were dropped.
   */
  freeFolios(pfns: Uint32Array): void {
    if (!types.isUint32Array(pfns)) throw invalid('pfns', 'must be a Uint32Array', pfns);
    // Not by its iterator, which one that was transferred has none of.
    for (let i = 0; i < pfns.length; i++) this.putFolio(pfns[i]);
  }

  /**
   * Drops a reference, or several, on the folio at `pfn` and frees it with the last; see {@link Folio.put}.
   *
   * @throws ErrnoError as there; EINVAL for a number of references that it doesn't have
   */
  putFolio(pfn: number, references = 1): void {
    const { flags, refcount, order } = this.page;
    const allocator = this.#allocatorOf(pfn);
    if (!allocator || !(flags[pfn] & PG.head) || refcount[pfn] === 0) throw notAllocated(pfn);
    if (!(Number.isInteger(references) && references > 0 && references <= refcount[pfn])) {
      throw invalid('references', `must be 1 to ${refcount[pfn]}, which it has`, references);
    }
    // Orders every holder's use of the bytes before the free: the thread that takes the count to 0 comes last.
    if (Atomics.sub(refcount, pfn, references) > references) return;
    if (flags[pfn] & PG.movable) this.#refuseMovable(pfn, references);
    this.#freeBlock(pfn as Pfn, order[pfn] as Order, allocator);
  }

  /**
   * Cuts a folio into folios of one page each, which are then held as it was (split_page). The caller has frozen it at 0
   * references, locked and unmapped; each of the new ones has its flags and `references`.
   *
   * @internal
   */
  splitFolio(pfn: Pfn, references: number): void {
    const { flags, refcount, order, mapping, index } = this.page;
    const pages = 1 << order[pfn];
    for (let page = pfn + pages - 1; page >= pfn; page--) {
      order[page] = 0;
      mapping[page] = mapping[pfn];
      index[page] = index[pfn] + (page - pfn);
      Atomics.store(flags, page, flags[pfn]);
      // Last, for from then on others may take references.
      Atomics.store(refcount, page, references);
    }
  }

  /**
   * Allocates `pages` frames in a row (alloc_contig_pages). The caller owns them until {@link freeContig}.
   *
   * @returns the first frame
   * @throws ErrnoError EINVAL for a page count, a node or an option that doesn't exist; ENOMEM if no free run is that long.
   */
  allocContig(pages: number, options: Pick<FrameOptions, 'node'> = {}): Pfn {
    checkPages('pages', pages);
    const node = this.#nodeId(checkOptions(options, NODE_OPTIONS).node);
    this.#drain(node);
    return this.#allocRun(pages, this.#allocators[node], `node ${node}`);
  }

  /**
   * Allocates frames below the nodes, in the area that is reserved for copy engines' descriptors.
   *
   * @internal
   */
  allocReserved(pages: number): Pfn {
    return this.#allocRun(pages, this.#reserved, "the reserved area for engines' descriptors (close an engine first)");
  }

  /**
   * Frees what {@link allocContig} returned.
   *
   * @throws ErrnoError EINVAL if `pfn` isn't the first frame of such a range (a double free).
   */
  freeContig(pfn: number): void {
    const pages = this.contigPages(pfn);
    const isReserved = pages > 0 && pfn >= this.#reserved.start && pfn < this.#reserved.end;
    const allocator = isReserved ? this.#reserved : this.#allocatorOf(pfn);
    if (!allocator || pages === 0) {
      throw new ErrnoError('EINVAL', `PFN ${show(pfn)} is not the first page of an allocated range: already freed?`);
    }
    Atomics.store(this.page.flags, pfn, 0);
    Atomics.store(this.page.refcount, pfn, 0);
    allocator.freeRange(pfn, pages);
  }

  /** Pages of the range that {@link allocContig} returned `pfn` for; 0 if there is none. */
  contigPages(pfn: number): number {
    const { flags, next } = this.page;
    return this.#isFrame(pfn) && Atomics.load(flags, pfn) & PG.contig ? next[pfn] : 0;
  }

  /** Physical address where the nodes start: below it is reserved. */
  get startAddress(): number {
    return RESERVED_BYTES;
  }

  /**
   * Whether the `bytes` from physical address `address` are nodes' memory, all of them: nothing that is reserved, or between
   * two nodes, or beyond the last.
   *
   * @internal
   */
  holds(address: number, bytes: number): boolean {
    for (const { start, end } of this.#spans) if (address >= start && address + bytes <= end) return true;
    return false;
  }

  /** Poisoned frames. */
  get poisonedFrames(): number {
    return this.#poison.count;
  }

  /**
   * Marks a frame as having a hardware memory error (memory_failure): copying from it fails with EHWPOISON, and it is
   * not allocated again until {@link unpoison}.
   *
   * @throws ErrnoError EINVAL if no node has that frame; EBUSY if it is poisoned already.
   */
  poison(pfn: number): void {
    const allocator = this.#allocatorOf(pfn);
    if (!allocator) throw invalid('pfn', 'must be a frame of a node', pfn);
    if (!this.#poison.set(pfn)) throw new ErrnoError('EBUSY', `PFN ${pfn} is poisoned already`);
    this.#drain(this.page.nid[pfn] as NodeId);
    allocator.takeFrame(pfn as Pfn);
  }

  /**
   * Takes the mark of {@link poison} away; a frame that nobody holds goes back to the free lists.
   *
   * @throws ErrnoError EINVAL if the frame isn't poisoned.
   */
  unpoison(pfn: number): void {
    const allocator = this.#allocatorOf(pfn);
    if (!allocator || !this.#poison.clear(pfn)) throw invalid('pfn', 'must be a poisoned frame', pfn);
    if (!this.#isHeld(pfn, allocator)) allocator.freeRange(pfn, 1);
  }

  /**
   * Whether any frame under the `bytes` from `address` is poisoned.
   *
   * @throws ErrnoError EINVAL for what is no address, or no number of bytes
   */
  isPoisoned(address: number, bytes: number): boolean {
    checkBytes('address', address);
    checkBytes('bytes', bytes);
    return this.#poison.touches(address, bytes);
  }

  /** Whether `pfn` is a page of an allocated folio or range. Looks at every head that could reach it. */
  #isHeld(pfn: number, allocator: BuddyAllocator): boolean {
    const { flags, order, next } = this.page;
    for (let head = pfn; head >= allocator.start; head--) {
      const bits = Atomics.load(flags, head);
      if (bits & PG.contig) return pfn < head + next[head];
      if (bits & PG.head) return pfn < head + (1 << order[head]);
      if (bits & PG.buddy) return false;
    }
    return false;
  }

  #nodeId(node: number | undefined): NodeId {
    if (node !== undefined) this.#checkNode('node', node);
    return (node ?? 0) as NodeId;
  }

  #freePages(node: number): number {
    return this.#allocators[node].freePages + this.#pcp[node].pages;
  }

  /** Gives what the node's lists of freed folios keep back to its buddy allocator. */
  #drain(node: NodeId): void {
    if (this.#pcp[node].pages === 0) return;
    const allocator = this.#allocators[node];
    this.#pcp[node].drain((pfn, pages) => allocator.freeRange(pfn, pages));
  }

  #takeBlock(order: Order, node: NodeId): Pfn | undefined {
    const allocator = this.#allocators[node];
    const pfn = allocator.take(order);
    if (pfn !== undefined || this.#pcp[node].pages === 0) return pfn;
    this.#drain(node);
    return allocator.take(order);
  }

  /** Its owner's callbacks would be called for frames that are somebody else's by then. */
  #refuseMovable(pfn: number, references: number): never {
    // Nobody has seen the 0: who has no reference takes none, and isolation is this thread's.
    Atomics.store(this.page.refcount, pfn, references);
    throw new ErrnoError('EBUSY', `PFN ${pfn} is a movable folio: machine.clearMovable comes before it is freed`);
  }

  #freeBlock(pfn: Pfn, order: Order, allocator: BuddyAllocator): void {
    const { flags, nid, mapping } = this.page;
    // A plain store: nobody else holds the folio, and none is got from 0 references.
    flags[pfn] = 0;
    mapping[pfn] = 0;
    if (this.#poison.covers(pfn, order)) allocator.freeRange(pfn, 1 << order);
    else if (!this.#pcp[nid[pfn]].give(pfn, order)) allocator.freeBlock(pfn, order);
  }

  #isFrame(pfn: number): boolean {
    return Number.isInteger(pfn) && pfn >= 0 && pfn < this.page.nid.length;
  }

  #allocatorOf(pfn: number): BuddyAllocator | undefined {
    if (!this.#isFrame(pfn)) return undefined;
    const allocator = this.#allocators[this.page.nid[pfn]];
    return allocator && pfn >= allocator.start && pfn < allocator.end ? allocator : undefined;
  }

  #allocBlock(order: Order, node: NodeId): Pfn {
    const pfn = this.takeFolio(order, node);
    if (pfn === NO_PAGE) {
      throw new ErrnoError(
        'ENOMEM',
        `node ${node} has no free block of order ${order} (${formatSize(PAGE_SIZE << order)}); ` +
          `${formatSize(this.#freePages(node) * PAGE_SIZE)} are free in smaller blocks: free some, or ask for smaller folios`,
      );
    }
    return pfn;
  }

  #allocRun(pages: number, allocator: BuddyAllocator, where: string): Pfn {
    const pfn = allocator.takeContig(pages);
    if (pfn === undefined) {
      throw new ErrnoError(
        'ENOMEM',
        `${formatSize(pages * PAGE_SIZE)} in a row are not free in ${where}, where ` +
          `${formatSize(allocator.freePages * PAGE_SIZE)} are free in all: free some, or start with more memory`,
      );
    }
    this.page.next[pfn] = pages;
    // Release: whoever finds the flag finds the length.
    Atomics.store(this.page.flags, pfn, PG.contig);
    Atomics.store(this.page.refcount, pfn, 1);
    return pfn;
  }
}

function notAllocated(pfn: number): ErrnoError {
  return new ErrnoError('EINVAL', `PFN ${show(pfn)} is not the first page of an allocated folio: already freed?`);
}

function checkSeed(name: string, value: unknown): void {
  if (!Number.isInteger(value)) throw invalid(name, 'must be a whole number', value);
}

/** Physical addresses from `start` up to, not including, `end`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where nodes lie, of which those that touch are one. */
function spansOf(starts: readonly number[], sizes: readonly number[]): Span[] {
  const spans: { start: number; end: number }[] = [];
  for (const [i, start] of starts.entries()) {
    const last = spans.at(-1);
    if (last?.end === start) last.end += sizes[i];
    else spans.push({ start, end: start + sizes[i] });
  }
  return spans;
}

function checkNodeSize(size: number | string): number {
  const bytes = parseSize(size, 'node size');
  if (bytes <= 0 || bytes % PAGE_SIZE !== 0) throw invalid('node size', 'must be a multiple of 4K above 0', size);
  return bytes;
}

function mapMemory(bytes: number, sizes: readonly number[]): SharedWasmMemory {
  const asked = sizes.map(formatSize).join(' + ');
  if (bytes > WASM_LIMIT) {
    throw new ErrnoError(
      'ENOMEM',
      `${asked} is more than a 32-bit WebAssembly memory has: 4G, of which ${formatSize(RESERVED_BYTES)} are ` +
        `reserved; ask for at most ${formatSize(WASM_LIMIT - RESERVED_BYTES)} (${WASM_LIMIT - RESERVED_BYTES} bytes) in all`,
    );
  }
  const pages = Math.ceil(bytes / WASM_PAGE);
  try {
    return new Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    throw new ErrnoError('ENOMEM', `the machine cannot map ${asked} of shared memory: ask for less`, { cause });
  }
}
