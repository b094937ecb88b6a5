import { ErrnoError, formatSize, PhysicalMemory } from 'mtcopy';
import { describe, expect, it } from 'vitest';
import { PG, RESERVED_NID } from '#src/memory/page-metadata.js';

const code = (errno: string) => expect.objectContaining({ name: 'ErrnoError', code: errno });
const boot = (...nodes: (number | string)[]) => PhysicalMemory.create({ nodes });

describe('nodes', () => {
  it('are ranges of frames from 4 MiB borders on', () => {
    const memory = boot('5M', 8192, '4M');
    expect(memory.nodes.map(({ id, startPfn, endPfn }) => [id, startPfn, endPfn - startPfn])).toEqual([
      [0, 8192, 1280],
      [1, 10240, 2],
      [2, 11264, 1024],
    ]);
    expect(memory.nodes.map((node) => node.freePages)).toEqual([1280, 2, 1024]);
    expect(memory.startAddress).toBe(8192 * 4096);
    expect(memory.bytes.length).toBeGreaterThanOrEqual(8192 * 4096);
    expect(memory.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('own the frames inside them and no others', () => {
    const memory = boot('5M', '4K');
    memory.page.nid.forEach((nid, pfn) => {
      const node = memory.nodes.find(({ startPfn, endPfn }) => pfn >= startPfn && pfn < endPfn);
      if (nid !== (node?.id ?? RESERVED_NID)) expect.fail(`frame ${pfn} is on node ${nid}, not ${node?.id}`);
    });
  });

  it('allocate for themselves', () => {
    const memory = boot('4M', '4M');
    const folio = memory.allocFolio(3, { node: 1 });
    expect(folio.nid).toBe(1);
    expect(memory.nodes.map((node) => node.freePages)).toEqual([1024, 1016]);
    expect(memory.nodes[1]?.freeBlocks(3)).toBe(1);
    folio.put();
    expect(memory.nodes[1]?.freeBlocks(10)).toBe(1);
  });

  it.each([-1, 11, 0.5, Number.NaN])('have no blocks of order %j to count', (order) => {
    expect(() => boot('4M').nodes[0]?.freeBlocks(order)).toThrow(code('EINVAL'));
  });

  it.each([[0], [100], [-4096], [4096.5], ['5000'], ['many'], [Number.NaN]])('refuse the size %j', (size) => {
    expect(() => boot(size)).toThrow(code('EINVAL'));
  });

  it.each([
    undefined,
    {},
    { nodes: [] },
    { nodes: ['4M'], pcphigh: 8 },
    { nodes: '4M' },
    { nodes: Array(256).fill('4K') },
  ])('refuse %j', (options) => {
    expect(() => PhysicalMemory.create(options as never)).toThrow(code('EINVAL'));
  });

  it('end at 4 GiB, and the error says so and what fits', () => {
    expect(() => boot('2G', '2G')).toThrow(code('ENOMEM'));
    expect(() => boot('2G', '2G')).toThrow(/2G \+ 2G.* 4G, .* at most 4064M \(4261412864 bytes\)/);
    expect(boot(4261412864).nodes[0]?.freePages).toBe(4261412864 / 4096);
  });
});

describe('frames', () => {
  it('are at most 64 bytes of metadata a page', () => {
    const memory = boot('64M');
    const arrays = Object.values(memory.page);
    const buffers = new Set<ArrayBufferLike>(arrays.map((array) => array.buffer));
    const bytes = Array.from(buffers).reduce((sum, buffer) => sum + buffer.byteLength, 0);
    expect(bytes / memory.page.nid.length).toBeLessThanOrEqual(64);
    expect(arrays.every((array) => array.buffer instanceof SharedArrayBuffer)).toBe(true);
  });

  it('come in ascending order', () => {
    const memory = boot('4M');
    const pfns = memory.allocFolios(256, 2);
    expect(pfns).toEqual(Uint32Array.from({ length: 256 }, (_, i) => 8192 + 4 * i));
    memory.freeFolios(pfns);
    expect(memory.allocFolios(256, 2, { frames: 'sequential' })).toEqual(pfns);
  });

  it('come in an order that the seed decides', () => {
    const shuffled = (seed?: number) => {
      const options = seed === undefined ? {} : { seed };
      return boot('4M').allocFolios(1024, 0, { frames: 'shuffled', ...options });
    };
    const first = shuffled(7);
    expect(first.slice().sort()).toEqual(Uint32Array.from({ length: 1024 }, (_, i) => 8192 + i));
    expect(first).not.toEqual(first.slice().sort());
    expect(shuffled(7)).toEqual(first);
    expect(shuffled(8)).not.toEqual(first);
    expect(shuffled()).toEqual(shuffled(1));
    expect(shuffled(-1)).not.toEqual(shuffled(1));
  });

  it('are in no other order', () => {
    expect(() => boot('4M').allocFolios(1, 0, { frames: 'shuffle' as never })).toThrow(code('EINVAL'));
  });

  it.each(['7', 0.5, Number.NaN, Number.POSITIVE_INFINITY, 7n, Symbol('seed'), null])(
    'are not shuffled by the seed %s',
    (seed) => {
      const memory = boot('4M');
      for (const frames of ['shuffled', 'sequential'] as const)
        expect(() => memory.allocFolios(4, 0, { frames, seed: seed as never })).toThrow(code('EINVAL'));
      expect(memory.nodes[0]?.freePages).toBe(1024);
    },
  );

  it('are allocated all or none', () => {
    const memory = boot('5M');
    const before = Array.from({ length: 11 }, (_, order) => memory.nodes[0]?.freeBlocks(order));
    expect(() => memory.allocFolios(3, 9)).toThrow(code('ENOMEM'));
    expect(() => memory.allocFolios(1281, 0)).toThrow(code('ENOMEM'));
    expect(memory.nodes[0]?.freePages).toBe(1280);
    expect(Array.from({ length: 11 }, (_, order) => memory.nodes[0]?.freeBlocks(order))).toEqual(before);
    expect(memory.allocFolios(1280, 0)).toHaveLength(1280);
    expect(memory.allocFolios(0, 0)).toHaveLength(0);
  });

  it('are all given back when a later folio finds no block', () => {
    const memory = boot('4M');
    const pfns = memory.allocFolios(1024, 0);
    const freed = pfns.filter((pfn, i) => i < 64 || pfn % 2 === 0);
    memory.freeFolios(freed);
    const before = Array.from({ length: 11 }, (_, order) => memory.nodes[0]?.freeBlocks(order));
    expect(() => memory.allocFolios(17, 2)).toThrow(code('ENOMEM'));
    expect(Array.from({ length: 11 }, (_, order) => memory.nodes[0]?.freeBlocks(order))).toEqual(before);
    expect(memory.nodes[0]?.freePages).toBe(freed.length);
    expect(memory.allocFolios(freed.length, 0)).toEqual(freed);
  });

  it.each([2 ** 33, 2 ** 40])('run out at %d folios', (count) => {
    expect(() => boot('4M').allocFolios(count, 0)).toThrow(code('ENOMEM'));
  });

  it('may be free, but in no block of the order', () => {
    const memory = boot('4M');
    const pfns = memory.allocFolios(1024, 0);
    memory.freeFolios(pfns.filter((pfn) => pfn % 2 === 0));
    expect(memory.nodes[0]?.freePages).toBe(512);
    expect(() => memory.allocFolio(1)).toThrow(/^ENOMEM: node 0 .* order 1 \(8K\); 2M are free in smaller blocks/);
    expect(() => memory.allocContig(2)).toThrow(code('ENOMEM'));
  });

  it.each([-1, 11, 0.5, Number.NaN])('refuse order %d', (order) => {
    const memory = boot('4M');
    expect(() => memory.allocFolio(order)).toThrow(code('EINVAL'));
    expect(() => memory.allocFolios(1, order)).toThrow(code('EINVAL'));
  });

  it.each([-1, 1, 0.5])('refuse node %d of one', (node) => {
    const memory = boot('4M');
    expect(() => memory.allocFolio(0, { node })).toThrow(code('EINVAL'));
    expect(() => memory.allocFolios(1, 0, { node })).toThrow(code('EINVAL'));
    expect(() => memory.allocContig(1, { node })).toThrow(code('EINVAL'));
  });

  it.each([-1, 1.5, Number.NaN])('refuse a count of %d', (count) => {
    expect(() => boot('4M').allocFolios(count, 0)).toThrow(code('EINVAL'));
    expect(() => boot('4M').allocContig(count)).toThrow(code('EINVAL'));
  });
});

describe('a range of bytes', () => {
  it.each([
    ['one node', ['5M']],
    ['nodes that touch', ['4M', '8M', '4M']],
    ['nodes with gaps between them', ['5M', 8192, '4M', '4M', '4K', '4K']],
  ])('is held if every frame under it is a node’s: %s', (_, nodes) => {
    const memory = boot(...nodes);
    const { nid } = memory.page;
    const isNodes = (first: number, end: number) =>
      first >= 0 && end <= nid.length && nid.subarray(first, end).every((node) => node !== RESERVED_NID);
    // Borders of nodes, and frames beside them.
    const borders = memory.nodes.flatMap(({ startPfn, endPfn }) => [startPfn, endPfn]);
    const frames = Array.from(
      new Set([0, ...borders, ...borders.map((pfn) => pfn - 1), ...borders.map((pfn) => pfn + 1)]),
    );
    const wrong = [];
    for (const first of frames) {
      for (const end of frames.filter((pfn) => pfn > first)) {
        const [address, bytes] = [first * 4096, (end - first) * 4096];
        if (memory.holds(address, bytes) !== isNodes(first, end)) wrong.push([first, end]);
        if (memory.holds(address + 1, bytes - 1) !== isNodes(first, end))
          wrong.push([first, end, 'from its second byte']);
        if (memory.holds(address, bytes + 1) !== isNodes(first, end + 1)) wrong.push([first, end, 'and a byte more']);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('is not held if its place is no number', () => {
    const memory = boot('4M');
    expect(memory.holds(memory.startAddress, 0)).toBe(true);
    expect(memory.holds(Number.NaN, 4096)).toBe(false);
    expect(memory.holds(memory.startAddress, Number.NaN)).toBe(false);
    expect(memory.holds(memory.startAddress, Number.POSITIVE_INFINITY)).toBe(false);
  });
});

describe('contiguous ranges', () => {
  it('take any number of pages and give them back', () => {
    const memory = boot('12M');
    const pfns = [1, 3, 1500, 700].map((pages) => memory.allocContig(pages));
    expect(pfns.map((pfn) => memory.contigPages(pfn))).toEqual([1, 3, 1500, 700]);
    const frames = pfns.flatMap((pfn) => Array.from({ length: memory.contigPages(pfn) }, (_, i) => pfn + i));
    expect(new Set(frames).size).toBe(2204);
    expect(memory.nodes[0]?.freePages).toBe(3072 - 2204);
    for (const pfn of pfns) memory.freeContig(pfn);
    expect(memory.nodes[0]?.freeBlocks(10)).toBe(3);
    expect(pfns.map((pfn) => memory.contigPages(pfn))).toEqual([0, 0, 0, 0]);
  });

  it('are freed once, by their first frame', () => {
    const memory = boot('4M');
    const pfn = memory.allocContig(10);
    const folio = memory.allocFolio(0);
    expect(() => memory.freeContig(pfn + 1)).toThrow(code('EINVAL'));
    expect(() => memory.freeContig(folio.pfn)).toThrow(code('EINVAL'));
    expect(() => memory.putFolio(pfn)).toThrow(code('EINVAL'));
    memory.freeContig(pfn);
    expect(() => memory.freeContig(pfn)).toThrow(code('EINVAL'));
    expect(memory.nodes[0]?.freePages).toBe(1023);
  });

  it.each([-1, 0, 0.5, 2 ** 20, Number.NaN])('are not at frame %d', (pfn) => {
    const memory = boot('4M');
    expect(memory.contigPages(pfn)).toBe(0);
    expect(() => memory.freeContig(pfn)).toThrow(code('EINVAL'));
  });
});

describe('folio', () => {
  it.each([0, 4, 9, 10])('of order %i is a view on its frames', (order) => {
    const memory = boot('4M', '8M');
    memory.allocFolio(0, { node: 1 });
    const folio = memory.allocFolio(order, { node: 1 });
    expect([folio.order, folio.size, folio.nid]).toEqual([order, 4096 << order, 1]);
    expect(formatSize(folio.size)).toBe(['4K', '64K', '2M', '4M'][[0, 4, 9, 10].indexOf(order)]);
    expect(folio.pfn % 2 ** order).toBe(0);
    expect([folio.bytes.byteOffset, folio.bytes.length]).toEqual([folio.pfn * 4096, folio.size]);
    folio.bytes.fill(7);
    expect(memory.bytes[folio.pfn * 4096 - 1]).toBe(0);
    expect(memory.bytes[folio.pfn * 4096]).toBe(7);
    expect(memory.folio(folio.pfn).bytes[folio.size - 1]).toBe(7);
    expect(memory.bytes[folio.pfn * 4096 + folio.size] ?? 0).toBe(0);
  });

  it('lives while references to it do', () => {
    const memory = boot('4M');
    const folio = memory.allocFolio(0);
    expect(folio.refcount).toBe(1);
    folio.get();
    memory.folio(folio.pfn).get();
    expect(folio.refcount).toBe(3);
    folio.put();
    memory.freeFolios(Uint32Array.of(folio.pfn));
    expect([folio.refcount, memory.nodes[0]?.freePages]).toEqual([1, 1023]);
    folio.put();
    expect([folio.refcount, memory.nodes[0]?.freePages]).toEqual([0, 1024]);
  });

  it('is not freed twice', () => {
    const memory = boot('4M');
    const folio = memory.allocFolio(2);
    expect(() => memory.putFolio(folio.pfn + 1)).toThrow(code('EINVAL'));
    folio.put();
    expect(() => folio.put()).toThrow(code('EINVAL'));
    expect(() => folio.get()).toThrow(code('EINVAL'));
    expect(folio.refcount).toBe(0);
    expect(memory.nodes[0]?.freePages).toBe(1024);
  });

  it.each([-1, 0, 1.5, 8192 + 1024, 2 ** 30])('is not at frame %d', (pfn) => {
    expect(() => boot('4M').putFolio(pfn)).toThrow(ErrnoError);
  });

  it('is locked by one at a time', () => {
    const memory = boot('4M');
    const folio = memory.allocFolio(0);
    const other = memory.folio(folio.pfn);
    expect(folio.locked).toBe(false);
    expect(folio.tryLock()).toBe(true);
    expect([other.tryLock(), other.locked]).toEqual([false, true]);
    other.unlock();
    expect([other.tryLock(), folio.locked]).toEqual([true, true]);
    folio.unlock();
    expect(() => folio.unlock()).toThrow(code('EINVAL'));
    expect(memory.page.flags[folio.pfn]).toBe(PG.head);
  });

  it('is unlocked once allocated anew', () => {
    const memory = boot('4K');
    const folio = memory.allocFolio(0);
    folio.tryLock();
    folio.put();
    expect(memory.allocFolio(0).pfn).toBe(folio.pfn);
    expect(folio.locked).toBe(false);
  });
});
