import { ErrnoError, type PhysicalMemory } from 'mtcopy';

/**
 * Makes the free folios of an order on a node come out in shuffled order, as on a machine that has run for a while. Takes
 * and frees them all; no byte of them is touched, so they take no real memory.
 *
 * Lasts only in a memory whose `pcpHigh` is `Infinity`: there freed folios are kept in the order in which they were freed,
 * and never merged.
 *
 * @param node number of the node
 * @param order of the folios, 0 to 10
 * @param seed of the shuffling, a whole number
 * @throws ErrnoError EINVAL for a node, an order or a seed that is none
 */
export function ageNode(memory: PhysicalMemory, node: number, order: number, seed: number): void {
  const all = takeAll(memory, node, order);
  memory.freeFolios(all);
  memory.freeFolios(memory.allocFolios(all.length, order, { node, frames: 'shuffled', seed }));
}

/**
 * Ages every node of a memory, each with a seed of its own, from `seed` on; see {@link ageNode}. Default: 1.
 *
 * @throws as there
 */
export function ageNodes(memory: PhysicalMemory, order: number, seed = 1): void {
  for (const { id } of memory.nodes) ageNode(memory, id, order, seed + id);
}

/** Allocates every free folio of an order. */
function takeAll(memory: PhysicalMemory, node: number, order: number): Uint32Array {
  const pfns: number[] = [];
  try {
    for (;;) pfns.push(memory.allocFolio(order, { node }).pfn);
  } catch (error) {
    if (!(error instanceof ErrnoError && error.code === 'ENOMEM')) throw error;
  }
  return Uint32Array.from(pfns);
}
