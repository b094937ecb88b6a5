import type { CopyItems, PhysicalMemory } from 'mtcopy';

/** Throws unless every item's destination holds what its source does. To be called outside timed sections. */
export function verify(memory: PhysicalMemory, { to, from, bytes }: CopyItems): void {
  for (let i = 0; i < to.length; i++) {
    const view = (start: number) => memory.bytes.subarray(start, start + (bytes[i] as number));
    if (Buffer.compare(view(to[i] as number), view(from[i] as number)) !== 0)
      throw new Error(`item ${i} was not copied`);
  }
}
