import { Buffer } from 'node:buffer';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { PAGE_SIZE } from '../units.js';

/** Position of the first folio whose copy differs from it in any byte; -1 if none does. */
export function findDifference(memory: PhysicalMemory, to: Uint32Array, from: Uint32Array, folioBytes: number): number {
  const bytesOf = (pfn: number) => memory.bytes.subarray(pfn * PAGE_SIZE, pfn * PAGE_SIZE + folioBytes);
  return from.findIndex((pfn, i) => Buffer.compare(bytesOf(pfn), bytesOf(to[i] as number)) !== 0);
}
