import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { type CopyItems, MiB, PAGE_SIZE, type PhysicalMemory, takeAll } from 'mtcopy';

/**
 * Position of the first item of a batch whose copy differs from its source in any byte; -1 if none does. By memcmp, and not by an
 * engine's compare: what an engine leaves out as it cuts a batch up it would leave out of both.
 */
export function findDifference(memory: PhysicalMemory, { to, from, bytes }: CopyItems): number {
  const all = Buffer.from(memory.buffer);
  for (let i = 0; i < bytes.length; i++) {
    if (all.compare(all, to[i], to[i] + bytes[i], from[i], from[i] + bytes[i]) !== 0) return i;
  }
  return -1;
}

/**
 * A digest of the folios' bytes in the order of the list, in hexadecimal: as hard to meet with other bytes as SHA-256, which it
 * is of what tells them. A page that has the bytes of the first but for its first word, as those of {@link fillWithPattern}, is
 * told by that word, and any other by itself: so most of the bytes are compared, which is many times as fast as hashing them.
 */
export function hashFolios(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): string {
  return takeAll(hashSteps(memory, pfns, folioBytes));
}

/** Bytes that are looked at between two turns of the event loop. */
const STEP_BYTES = 16 * MiB;
/** Bytes of the word that tells pages of a pattern apart. */
const WORD = 4;

/** {@link hashFolios} in steps. */
export function* hashSteps(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): Generator<void, string> {
  const hash = createHash('sha256');
  const { bytes } = memory;
  const words = new Uint32Array(memory.buffer);
  const first = Buffer.from(bytes.slice(pfns[0] * PAGE_SIZE, (pfns[0] + 1) * PAGE_SIZE));
  const pages = folioBytes / PAGE_SIZE;
  // The word of each page, and whether the page was hashed: with both at the end, no two contents make the same stream.
  const told = new Uint32Array(2 * pfns.length * pages);
  let at = 0;
  hash.update(first);
  for (const [i, pfn] of pfns.entries()) {
    for (let page = pfn; page < pfn + pages; page++) {
      const start = page * PAGE_SIZE;
      const differs = first.compare(bytes, start + WORD, start + PAGE_SIZE, WORD, PAGE_SIZE) !== 0;
      if (differs) hash.update(bytes.subarray(start, start + PAGE_SIZE));
      told[at++] = words[start / WORD];
      told[at++] = differs ? 1 : 0;
    }
    if (((i + 1) * folioBytes) % STEP_BYTES < folioBytes) yield;
  }
  return hash.update(told).digest('hex');
}
