import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { type CopyItems, MiB, PAGE_SIZE, type PhysicalMemory, takeAll } from 'mtcopy';

/** Position of the first item of a batch whose copy differs from its source in any byte; -1 if none does. */
export function findDifference(memory: PhysicalMemory, { to, from, bytes }: CopyItems): number {
  const view = (address: number, i: number) => memory.bytes.subarray(address, address + bytes[i]);
  return from.findIndex((address, i) => Buffer.compare(view(address, i), view(to[i], i)) !== 0);
}

/** SHA-256 of the folios' bytes in the order of the list, in hexadecimal. */
export function hashFolios(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): string {
  return takeAll(hashSteps(memory, pfns, folioBytes));
}

/** Bytes that are hashed between two turns of the event loop. */
const STEP_BYTES = 16 * MiB;

/** {@link hashFolios} in steps. */
export function* hashSteps(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): Generator<void, string> {
  const hash = createHash('sha256');
  for (const [i, pfn] of pfns.entries()) {
    hash.update(memory.bytes.subarray(pfn * PAGE_SIZE, pfn * PAGE_SIZE + folioBytes));
    if (((i + 1) * folioBytes) % STEP_BYTES < folioBytes) yield;
  }
  return hash.digest('hex');
}
