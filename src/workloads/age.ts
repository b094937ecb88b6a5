import type { PhysicalMemory } from '../memory/physical-memory.js';
import { seededRandom, shuffle } from '../random.js';
import type { NodeId, Order, Pfn } from '../units.js';

/**
 * Makes the free folios of `order` on a node come out in shuffled order, as on a machine that has run for a while. Takes
 * and frees them all; no byte of them is touched, so they take no real memory.
 *
 * Lasts only in a memory whose `pcpHigh` is `Infinity`: there freed folios are kept in the order in which they were freed, and
 * never merged.
 *
 * @param seed of the shuffling
 */
export function ageNode(memory: PhysicalMemory, node: NodeId, order: Order, seed: number): void {
  const free: Pfn[] = [];
  for (let pfn = memory.takeFolio(order, node); pfn !== 0; pfn = memory.takeFolio(order, node)) free.push(pfn);
  memory.freeFolios(shuffle(Uint32Array.from(free).sort(), seededRandom(seed)));
}
