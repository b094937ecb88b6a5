import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BuddyAllocator } from '#src/memory/buddy-allocator.js';
import { createPageMetadata, PG } from '#src/memory/page-metadata.js';
import { PhysicalMemory } from '#src/memory/physical-memory.js';
import { PoisonMap } from '#src/memory/poison-map.js';
import { seededRandom } from '#src/random.js';
import type { Order, Pfn } from '#src/units.js';

const START = 1024;
const ORDERS = Array.from({ length: 11 }, (_, order) => order as Order);

interface Block {
  first: Pfn;
  pages: number;
}

/** An allocator with the marks that its user puts on allocated blocks, beside a map of which frames are free. */
class Model {
  readonly allocator: BuddyAllocator;
  readonly live: Block[] = [];
  readonly end: number;
  readonly #page;
  readonly #poison;
  readonly #free: Uint8Array;
  readonly #poisoned = new Set<number>();

  constructor(pages: number) {
    this.end = START + pages;
    this.#page = createPageMetadata(this.end);
    const bits = new SharedArrayBuffer(PoisonMap.BITS_OFFSET + Math.ceil(this.end / 32) * 4);
    this.#poison = new PoisonMap(bits, 0, this.end);
    this.allocator = new BuddyAllocator(this.#page, this.#poison, START, this.end);
    this.#free = new Uint8Array(this.end).fill(1, START);
  }

  take(order: Order): void {
    const first = this.allocator.take(order);
    const fits = this.freeBlocks().some((blocks, size) => size >= order && blocks > 0);
    expect(first !== undefined).toBe(fits);
    if (first === undefined) return;
    expect(first % 2 ** order).toBe(0);
    this.#page.order[first] = order;
    this.#hold({ first, pages: 2 ** order }, PG.head);
  }

  takeContig(pages: number): void {
    const first = this.allocator.takeContig(pages);
    expect(first).toBe(this.#firstRun(pages));
    if (first === undefined) return;
    this.#page.next[first] = pages;
    this.#hold({ first, pages }, PG.contig);
  }

  free(choice: number): void {
    const [block] = this.live.splice(choice % Math.max(this.live.length, 1), 1);
    if (!block) return;
    this.#page.flags[block.first] = 0;
    this.allocator.freeRange(block.first, block.pages);
    this.#free.fill(1, block.first, block.first + block.pages);
    for (const pfn of this.#poisoned) this.#free[pfn] = 0;
  }

  poison(choice: number): void {
    const pfn = (START + (choice % (this.end - START))) as Pfn;
    if (!this.#poison.set(pfn)) return;
    expect(this.allocator.takeFrame(pfn)).toBe(this.#free[pfn] === 1);
    this.#free[pfn] = 0;
    this.#poisoned.add(pfn);
  }

  /** Once nothing is allocated. */
  unpoison(): void {
    for (const pfn of this.#poisoned) {
      this.#poison.clear(pfn);
      this.allocator.freeRange(pfn, 1);
      this.#free[pfn] = 1;
    }
    this.#poisoned.clear();
  }

  check(): void {
    const free = this.#free.reduce((sum, bit) => sum + bit, 0);
    expect(this.allocator.freePages).toBe(free);
    expect(ORDERS.map((order) => this.allocator.freeBlocks(order))).toEqual(this.freeBlocks());
  }

  /** Blocks an order if everything that can merge has: the free frames cut into the largest aligned blocks. */
  freeBlocks(): number[] {
    const blocks = ORDERS.map(() => 0);
    for (let pfn = START; pfn < this.end; ) {
      let order = 0;
      if (!this.#free[pfn]) {
        pfn++;
        continue;
      }
      while (order < 10 && pfn % 2 ** (order + 1) === 0 && this.#allFree(pfn + 2 ** order, 2 ** order)) order++;
      blocks[order] = blocks[order] + 1;
      pfn += 2 ** order;
    }
    return blocks;
  }

  #hold(block: Block, mark: number): void {
    expect(block.first).toBeGreaterThanOrEqual(START);
    expect(this.#allFree(block.first, block.pages)).toBe(true);
    this.#free.fill(0, block.first, block.first + block.pages);
    this.#page.flags[block.first] = mark;
    this.live.push(block);
  }

  #allFree(first: number, pages: number): boolean {
    if (first + pages > this.end) return false;
    const taken = this.#free.indexOf(0, first);
    return taken === -1 || taken >= first + pages;
  }

  #firstRun(pages: number): number | undefined {
    for (let first = this.#free.indexOf(1); first !== -1; ) {
      const taken = this.#free.indexOf(0, first);
      if ((taken === -1 ? this.end : taken) - first >= pages) return first;
      first = taken === -1 ? -1 : this.#free.indexOf(1, taken);
    }
    return undefined;
  }
}

/** Whole 4 MiB blocks, and sizes that are not multiples of it. */
const nodePages = fc.oneof(fc.constantFrom(1024, 2048, 3072), fc.integer({ min: 1, max: 3500 }));
const orders = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 10 })).map((order) => order as Order);
const contigs = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2500 }));
const operations = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ take: orders }), weight: 6 },
    { arbitrary: fc.record({ contig: contigs }), weight: 6 },
    { arbitrary: fc.record({ free: fc.nat() }), weight: 6 },
    { arbitrary: fc.record({ poison: fc.nat() }), weight: 1 },
  ),
  { maxLength: 120, size: 'max' },
);

describe('buddy allocator', () => {
  it('never hands a frame out twice, counts free pages, and merges all that can merge', () => {
    fc.assert(
      fc.property(nodePages, operations, fc.infiniteStream(fc.nat()), (pages, list, choices) => {
        const model = new Model(pages);
        const boot = model.freeBlocks();
        model.check();
        for (const operation of list) {
          if ('take' in operation) model.take(operation.take);
          else if ('contig' in operation) model.takeContig(operation.contig);
          else if ('poison' in operation) model.poison(operation.poison);
          else model.free(operation.free);
          model.check();
        }
        while (model.live.length > 0) model.free(choices.next().value ?? 0);
        model.check();
        model.unpoison();
        model.check();
        expect(model.allocator.freePages).toBe(pages);
        expect(ORDERS.map((order) => model.allocator.freeBlocks(order))).toEqual(boot);
      }),
      { numRuns: 150 },
    );
  });

  it('has the largest blocks that fit at boot', () => {
    const { allocator } = new Model(2 * 1024 + 512 + 4 + 1);
    expect(ORDERS.map((order) => allocator.freeBlocks(order))).toEqual([1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
  });

  it.each(ORDERS)('hands out a fresh range of order %i in ascending order', (order) => {
    const { allocator } = new Model(2 * 1024);
    const blocks = (2 * 1024) / 2 ** order;
    const taken = Array.from({ length: blocks }, () => allocator.take(order));
    expect(taken).toEqual(Array.from({ length: blocks }, (_, i) => START + i * 2 ** order));
    expect(allocator.take(0 as Order)).toBeUndefined();
  });

  it('has no block of an order although it has the pages', () => {
    const model = new Model(1024);
    for (let i = 0; i < 1024; i++) model.take(0 as Order);
    for (let i = 0; i < 512; i++) model.free(i);
    expect(model.allocator.freePages).toBe(512);
    expect(model.allocator.freeBlocks(0 as Order)).toBe(512);
    expect(model.allocator.take(1 as Order)).toBeUndefined();
  });
});

/** How often `run` reads shared memory by Atomics: every look at a frame is such a read. */
function looks(run: () => void): number {
  const { load } = Atomics;
  let count = 0;
  Atomics.load = ((array: Int32Array, index: number) => {
    count++;
    return load(array, index);
  }) as typeof load;
  try {
    run();
  } finally {
    Atomics.load = load;
  }
  return count;
}

describe('ranges in a row', () => {
  /** What a search may look at: the frames of the 4 MiB where it ends, and of those that were changed since the last. */
  const BLOCK = 1024;
  /** Splitting and merging blocks looks at some more. */
  const REST = 64;

  it('are found without a look at what was allocated before', () => {
    const memory = PhysicalMemory.create({ nodes: ['128M'] });
    const most = Math.max(...Array.from({ length: 9000 }, () => looks(() => memory.allocContig(3))));
    expect(most).toBeLessThan(BLOCK + REST);
  });

  it('are found past the holes that many small ones leave', () => {
    const memory = PhysicalMemory.create({ nodes: ['128M'] });
    const live = Array.from({ length: 9000 }, () => memory.allocContig(3));
    const random = seededRandom(1);
    const round = () => {
      memory.freeContig(live.splice(Math.floor(random() * live.length), 1)[0]);
      memory.allocContig(2);
      memory.allocContig(5);
    };
    const most = Math.max(...Array.from({ length: 800 }, () => looks(round)));
    // Twice the 4 MiB where one was freed, and those in which the second search ends.
    expect(most).toBeLessThan(3 * BLOCK + REST);
  });

  it('that fill many blocks cost a look or two at each', () => {
    const memory = PhysicalMemory.create({ nodes: ['512M'] });
    memory.allocContig(1);
    const round = () => {
      const ranges = [120 * BLOCK, 1000].map((pages) => memory.allocContig(pages));
      for (const pfn of ranges) memory.freeContig(pfn);
    };
    const most = Math.max(...Array.from({ length: 100 }, () => looks(round)));
    expect(most).toBeLessThan(4 * 120 + 3 * BLOCK + REST);
  });
});
