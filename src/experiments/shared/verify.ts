import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { PAGE_SIZE, type PhysicalMemory } from 'mtcopy';

/** Position of the first folio whose copy differs from it in any byte; -1 if none does. */
export function findDifference(memory: PhysicalMemory, to: Uint32Array, from: Uint32Array, folioBytes: number): number {
  const bytesOf = (pfn: number) => memory.bytes.subarray(pfn * PAGE_SIZE, pfn * PAGE_SIZE + folioBytes);
  return from.findIndex((pfn, i) => Buffer.compare(bytesOf(pfn), bytesOf(to[i])) !== 0);
}

/** SHA-256 of the folios' bytes in the order of the list, in hexadecimal. */
export function hashFolios(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): string {
  const hash = createHash('sha256');
  for (const pfn of pfns) hash.update(memory.bytes.subarray(pfn * PAGE_SIZE, pfn * PAGE_SIZE + folioBytes));
  return hash.digest('hex');
}
