import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { invalid } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { seededRandom } from '../random.js';
import { PAGE_SIZE } from '../units.js';

/**
 * Fills folios with a pattern in which no two pages are alike: each begins with its number in the list.
 *
 * @param pfns first frames of the folios
 * @param folioBytes bytes of each
 */
export function fillWithPattern(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number, seed = 1): void {
  const random = seededRandom(seed);
  const page = Uint32Array.from({ length: PAGE_SIZE / 4 }, () => random() * 2 ** 32);
  let number = 0;
  for (const pfn of pfns) {
    for (let at = pfn * PAGE_SIZE; at < pfn * PAGE_SIZE + folioBytes; at += PAGE_SIZE) {
      page[0] = number++;
      new Uint32Array(memory.buffer, at, page.length).set(page);
    }
  }
}

/**
 * Fills folios with a file, from its start, and again once it ends.
 *
 * @throws ErrnoError EINVAL for an empty file; what Node.js throws for one that can't be read.
 */
export function fillFromFile(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number, path: string): void {
  const file = openSync(path, 'r');
  try {
    if (fstatSync(file).size === 0) throw invalid('input', 'must be a file with something in it', path);
    let position = 0;
    for (const pfn of pfns) {
      for (let done = 0; done < folioBytes; ) {
        const read = readSync(file, memory.bytes, pfn * PAGE_SIZE + done, folioBytes - done, position);
        done += read;
        position = read === 0 ? 0 : position + read;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Overwrites folios, so that a copy which moved nothing cannot pass for one that did. */
export function scrub(memory: PhysicalMemory, pfns: Uint32Array, folioBytes: number): void {
  for (const pfn of pfns) memory.bytes.fill(0xa5, pfn * PAGE_SIZE, pfn * PAGE_SIZE + folioBytes);
}
