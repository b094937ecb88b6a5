import { type CopyItems, PAGE_SIZE, PhysicalMemory } from 'mtcopy';
import { allocBatch } from './batches.js';

/** How the bytes of a batch lie in memory: in one item, or in items of 4 KiB or 64 KiB. */
export type Shape = 'one item' | 'pages' | 'shuffled pages' | '64K folios';

/** Memory to take batches from: as many bytes on node 1 as on node 0. */
export interface Arena {
  readonly memory: PhysicalMemory;
  /** Batches of `bytes` that it holds. */
  slices(bytes: number): number;
  /** Batch number `index` of `bytes` in a shape; no two of the same shape and size overlap. */
  slice(shape: Shape, bytes: number, index: number): CopyItems;
}

/** An arena of `nodeBytes` a node, all of it touched: no copy meets a page fault. */
export function createArena(nodeBytes: number): Arena {
  const memory = PhysicalMemory.create({ nodes: [nodeBytes, nodeBytes] });
  memory.bytes.fill(0, memory.startAddress);
  // Holds every frame, so the other shapes may use them in any order.
  const shuffled = allocBatch(memory, nodeBytes, PAGE_SIZE, 'shuffled');
  const pages = { to: shuffled.to.toSorted(), from: shuffled.from.toSorted(), bytes: shuffled.bytes };
  const every16th = (addresses: Uint32Array) => addresses.filter((_, i) => i % 16 === 0);
  const folios = {
    to: every16th(pages.to),
    from: every16th(pages.from),
    bytes: new Uint32Array(nodeBytes / (16 * PAGE_SIZE)).fill(16 * PAGE_SIZE),
  };
  const lists = { pages, 'shuffled pages': shuffled, '64K folios': folios };
  return {
    memory,
    slices: (bytes) => Math.floor(nodeBytes / bytes),
    slice(shape, bytes, index) {
      if (shape === 'one item') {
        const at = (addresses: Uint32Array) => Uint32Array.of(addresses[0] + index * bytes);
        return { to: at(pages.to), from: at(pages.from), bytes: Uint32Array.of(bytes) };
      }
      const list = lists[shape];
      const count = bytes / list.bytes[0];
      const part = (array: Uint32Array) => array.subarray(index * count, (index + 1) * count);
      return { to: part(list.to), from: part(list.from), bytes: part(list.bytes) };
    },
  };
}
