import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { type CopyItems, PAGE_SIZE, type PhysicalMemory } from 'mtcopy';

/** Position of the first item of a batch whose copy differs from its source in any byte; -1 if none does. */
export function findDifference(memory: PhysicalMemory, { to, from, bytes }: CopyItems): number {
  const view = (address: number, i: number) => memory.bytes.subarray(address, address + bytes[i]);
  return from.findIndex((address, i) => Buffer.compare(view(address, i), view(to[i], i)) !== 0);
}

/** SHA-256 of the folios' bytes in the order of the list, in hexadecimal. */
export function hashFolios(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): string {
  const hash = createHash('sha256');
  for (const pfn of pfns) hash.update(memory.bytes.subarray(pfn * PAGE_SIZE, pfn * PAGE_SIZE + folioBytes));
  return hash.digest('hex');
}
