import { type CopyItems, orderOf, PAGE_SIZE, type PhysicalMemory } from 'mtcopy';

export type Order = 'sequential' | 'shuffled';

/** A batch from node 0 to node 1. */
export interface Batch extends CopyItems {
  /** Bytes of all items. */
  readonly total: number;
  free(): void;
}

/** Allocates folios for a batch of `total` bytes. What the sources hold differs from word to word. */
export function allocBatch(memory: PhysicalMemory, total: number, folioBytes: number, frames: Order): Batch {
  const count = total / folioBytes;
  const order = orderOf(folioBytes);
  const from = memory.allocFolios(count, order, { node: 0, frames, seed: 1 });
  const to = memory.allocFolios(count, order, { node: 1, frames, seed: 2 });
  const batch = {
    total,
    from: from.map((pfn) => pfn * PAGE_SIZE),
    to: to.map((pfn) => pfn * PAGE_SIZE),
    bytes: new Uint32Array(count).fill(folioBytes),
    free() {
      memory.freeFolios(from);
      memory.freeFolios(to);
    },
  };
  fillSources(memory, batch);
  return batch;
}

/** Numbers the words of every source: a page in the wrong place, or left out, is found. */
export function fillSources(memory: PhysicalMemory, { from, bytes }: CopyItems): void {
  const words = new Uint32Array(memory.buffer);
  for (let i = 0; i < from.length; i++) {
    const first = from[i] / 4;
    const end = first + bytes[i] / 4;
    for (let word = first; word < end; word++) words[word] = word;
  }
}
