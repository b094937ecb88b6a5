import type { CopyItems, Frames, PhysicalMemory } from 'mtcopy';
import { allocFolioBatch, type FolioBatch } from 'mtcopy/experiments';

/** Allocates folios for a batch of `total` bytes. What the sources hold differs from word to word. */
export function allocBatch(memory: PhysicalMemory, total: number, folioBytes: number, frames: Frames): FolioBatch {
  const batch = allocFolioBatch(memory, total, folioBytes, frames);
  fillSources(memory, batch);
  return batch;
}

/** Numbers the words of every source: a page in the wrong place, or left out, is found. */
function fillSources(memory: PhysicalMemory, { from, bytes }: CopyItems): void {
  const words = new Uint32Array(memory.buffer);
  for (let i = 0; i < from.length; i++) {
    const first = from[i] / 4;
    const end = first + bytes[i] / 4;
    for (let word = first; word < end; word++) words[word] = word;
  }
}
