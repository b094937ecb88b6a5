import fc from 'fast-check';
import { PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { seededRandom, shuffle } from '#src/random.js';

const code = (errno: string) => expect.objectContaining({ name: 'ErrnoError', code: errno });
const FIRST = 8192;

function boot(size: number | string = '4M') {
  const memory = PhysicalMemory.create({ nodes: [size] });
  const [node] = memory.nodes;
  if (!node) throw new Error('no node');
  const freeBlocks = () => Array.from({ length: 11 }, (_, order) => node.freeBlocks(order));
  return { memory, node, freeBlocks };
}

describe('a poisoned frame', () => {
  it('is not allocated, and all others are', () => {
    const { memory, node } = boot();
    for (const pfn of [FIRST, FIRST + 513, FIRST + 1023]) memory.poison(pfn);
    expect([memory.poisonedFrames, node.freePages]).toEqual([3, 1021]);
    const pfns = new Set(memory.allocFolios(1021, 0));
    expect(pfns.size).toBe(1021);
    expect([FIRST, FIRST + 513, FIRST + 1023].some((pfn) => pfns.has(pfn))).toBe(false);
    expect(() => memory.allocFolio(0)).toThrow(code('ENOMEM'));
  });

  it('splits the block that it is in', () => {
    const { memory, freeBlocks } = boot();
    memory.poison(FIRST + 5);
    expect(freeBlocks()).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    expect(() => memory.allocFolio(10)).toThrow(code('ENOMEM'));
  });

  it('interrupts a contiguous range', () => {
    const { memory } = boot();
    memory.poison(FIRST + 500);
    expect(() => memory.allocContig(524)).toThrow(code('ENOMEM'));
    expect(memory.allocContig(523)).toBe(FIRST + 501);
    expect(memory.allocContig(500)).toBe(FIRST);
  });

  it('is withheld when its folio is freed, and the rest of the folio is not', () => {
    const { memory, node, freeBlocks } = boot();
    const folio = memory.allocFolio(9);
    memory.poison(folio.pfn + 7);
    expect([node.freePages, folio.refcount]).toEqual([512, 1]);
    folio.put();
    expect(node.freePages).toBe(1023);
    expect(memory.allocFolios(1023, 0)).not.toContain(folio.pfn + 7);
    expect(freeBlocks()).toEqual(Array(11).fill(0));
  });

  it('is withheld when its contiguous range is freed', () => {
    const { memory, node } = boot();
    const pfn = memory.allocContig(700);
    memory.poison(pfn);
    memory.poison(pfn + 699);
    memory.freeContig(pfn);
    expect(node.freePages).toBe(1022);
    const pfns = memory.allocFolios(1022, 0);
    expect(pfns.includes(pfn) || pfns.includes(pfn + 699)).toBe(false);
  });

  it('stays poisoned through allocation and free of its neighbours', () => {
    const { memory, node, freeBlocks } = boot();
    memory.poison(FIRST + 1);
    const before = freeBlocks();
    memory.freeFolios(memory.allocFolios(1023, 0));
    expect([freeBlocks(), node.freePages]).toEqual([before, 1023]);
  });
});

describe('unpoison', () => {
  it('gives a free frame back, and blocks merge again', () => {
    const { memory, node, freeBlocks } = boot('5M');
    const before = freeBlocks();
    memory.poison(FIRST + 100);
    memory.poison(FIRST + 101);
    memory.unpoison(FIRST + 100);
    expect([memory.poisonedFrames, node.freePages]).toEqual([1, 1279]);
    memory.unpoison(FIRST + 101);
    expect([memory.poisonedFrames, node.freePages]).toEqual([0, 1280]);
    expect(freeBlocks()).toEqual(before);
  });

  it.each(['folio', 'contiguous range'])('leaves a frame to the %s that holds it', (kind) => {
    const { memory, node, freeBlocks } = boot();
    const before = freeBlocks();
    const pfn = kind === 'folio' ? memory.allocFolio(8).pfn : memory.allocContig(256);
    for (const frame of [pfn, pfn + 1, pfn + 255]) memory.poison(frame);
    for (const frame of [pfn + 255, pfn, pfn + 1]) memory.unpoison(frame);
    expect(node.freePages).toBe(768);
    const others = memory.allocFolios(768, 0);
    expect(others.some((other) => other >= pfn && other < pfn + 256)).toBe(false);
    if (kind === 'folio') memory.putFolio(pfn);
    else memory.freeContig(pfn);
    expect(node.freePages).toBe(256);
    memory.freeFolios(others);
    expect(freeBlocks()).toEqual(before);
  });

  it('after the free of its folio gives the frame back', () => {
    const { memory, node, freeBlocks } = boot();
    const before = freeBlocks();
    const folio = memory.allocFolio(4);
    memory.poison(folio.pfn);
    memory.poison(folio.pfn + 1);
    folio.put();
    memory.unpoison(folio.pfn + 1);
    memory.unpoison(folio.pfn);
    expect([node.freePages, freeBlocks()]).toEqual([1024, before]);
  });

  it('brings the node back to what it was, whatever was allocated meanwhile', () => {
    const { memory, node, freeBlocks } = boot('7M');
    const before = freeBlocks();
    const step = fc.oneof(
      fc.tuple(fc.constant('poison' as const), fc.integer({ min: node.startPfn, max: node.endPfn - 1 })),
      fc.tuple(fc.constantFrom('unpoison' as const, 'free' as const), fc.nat()),
      fc.tuple(fc.constant('allocFolio' as const), fc.integer({ min: 0, max: 9 })),
      fc.tuple(fc.constant('allocContig' as const), fc.integer({ min: 1, max: 300 })),
    );
    const steps = fc.array(step, { maxLength: 100, size: 'max' });
    fc.assert(
      fc.property(steps, fc.nat(), (list, seed) => {
        const model = new Model(memory);
        for (const [name, value] of list) {
          model[name](value);
          expect(memory.poisonedFrames).toBe(model.poisoned.size);
          expect(node.freePages).toBe(node.endPfn - node.startPfn - model.withheldFrames());
        }
        model.giveAllBack(seed);
        expect([memory.poisonedFrames, freeBlocks()]).toEqual([0, before]);
      }),
      { numRuns: 100 },
    );
  });
});

/** What is held and what is poisoned, beside the memory that it is done to. */
class Model {
  readonly poisoned = new Set<number>();
  readonly #held: { pfn: number; pages: number; free: () => void }[] = [];
  readonly #memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.#memory = memory;
  }

  poison(pfn: number): void {
    if (this.poisoned.has(pfn)) return;
    this.#memory.poison(pfn);
    this.poisoned.add(pfn);
  }

  unpoison(choice: number): void {
    const pfn = Array.from(this.poisoned)[choice % Math.max(this.poisoned.size, 1)];
    if (pfn === undefined) return;
    this.#memory.unpoison(pfn);
    this.poisoned.delete(pfn);
  }

  allocFolio(order: number): void {
    const pfn = unlessNoMemory(() => this.#memory.allocFolio(order).pfn);
    if (pfn !== undefined) this.#hold(pfn, 2 ** order, () => this.#memory.putFolio(pfn));
  }

  allocContig(pages: number): void {
    const pfn = unlessNoMemory(() => this.#memory.allocContig(pages));
    if (pfn !== undefined) this.#hold(pfn, pages, () => this.#memory.freeContig(pfn));
  }

  free(choice: number): void {
    this.#held.splice(choice % Math.max(this.#held.length, 1), 1)[0]?.free();
  }

  /** Frames that are held, poisoned or both. */
  withheldFrames(): number {
    const isHeld = (frame: number) => this.#held.some(({ pfn, pages }) => frame >= pfn && frame < pfn + pages);
    const held = this.#held.reduce((sum, { pages }) => sum + pages, 0);
    return held + Array.from(this.poisoned).filter((frame) => !isHeld(frame)).length;
  }

  giveAllBack(seed: number): void {
    const last = [
      ...this.#held.map(({ free }) => free),
      ...Array.from(this.poisoned, (pfn) => () => this.#memory.unpoison(pfn)),
    ];
    for (const act of shuffle(last, seededRandom(seed))) act();
  }

  #hold(pfn: number, pages: number, free: () => void): void {
    expect(Array.from(this.poisoned).some((frame) => frame >= pfn && frame < pfn + pages)).toBe(false);
    expect(this.#held.some((other) => pfn < other.pfn + other.pages && other.pfn < pfn + pages)).toBe(false);
    this.#held.push({ pfn, pages, free });
  }
}

function unlessNoMemory<T>(allocate: () => T): T | undefined {
  try {
    return allocate();
  } catch (error) {
    expect(error).toEqual(code('ENOMEM'));
    return undefined;
  }
}

describe('poison', () => {
  it('is found under any range that touches it', () => {
    const { memory } = boot();
    memory.poison(FIRST + 40);
    const address = (FIRST + 40) * 4096;
    expect(memory.isPoisoned(address, 1)).toBe(true);
    expect(memory.isPoisoned(address + 4095, 1)).toBe(true);
    expect(memory.isPoisoned(address - 1, 2)).toBe(true);
    expect(memory.isPoisoned(address - 65536, 131072)).toBe(true);
    expect(memory.isPoisoned(address - 65536, 65536)).toBe(false);
    expect(memory.isPoisoned(address + 4096, 65536)).toBe(false);
    expect(memory.isPoisoned(address, 0)).toBe(false);
    memory.unpoison(FIRST + 40);
    expect(memory.isPoisoned(address, 4096)).toBe(false);
  });

  it('is set once and cleared once', () => {
    const { memory, node } = boot();
    memory.poison(FIRST + 31);
    expect(() => memory.poison(FIRST + 31)).toThrow(code('EBUSY'));
    expect(() => memory.unpoison(FIRST + 32)).toThrow(code('EINVAL'));
    memory.unpoison(FIRST + 31);
    expect(() => memory.unpoison(FIRST + 31)).toThrow(code('EINVAL'));
    expect([memory.poisonedFrames, node.freePages]).toEqual([0, 1024]);
  });

  it.each([-1, 0, 1024, 4095, 5120, 4096.5, 2 ** 30, Number.NaN])('is refused for frame %d', (pfn) => {
    const { memory, node } = boot();
    expect(() => memory.poison(pfn)).toThrow(code('EINVAL'));
    expect(() => memory.unpoison(pfn)).toThrow(code('EINVAL'));
    expect([memory.poisonedFrames, node.freePages]).toEqual([0, 1024]);
  });
});
