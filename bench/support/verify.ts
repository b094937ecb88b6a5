import type { CopyItems, PhysicalMemory } from 'mtcopy';

/** Throws unless every item's destination holds what its source does. To be called outside timed sections. */
export function verify(memory: PhysicalMemory, { to, from, bytes }: CopyItems): void {
  for (let i = 0; i < to.length; i++) {
    const view = (start: number) => memory.bytes.subarray(start, start + bytes[i]);
    if (Buffer.compare(view(to[i]), view(from[i])) !== 0) throw new Error(`item ${i} was not copied`);
  }
}

/** Has each contestant copy a batch to destinations that were cleared before, and verifies what it did. */
export async function verifyEach(
  memory: PhysicalMemory,
  items: CopyItems,
  contestants: Readonly<Record<string, () => unknown>>,
): Promise<void> {
  for (const [name, copy] of Object.entries(contestants)) {
    for (let i = 0; i < items.to.length; i++) {
      const start = items.to[i];
      memory.bytes.fill(0, start, start + items.bytes[i]);
    }
    await copy();
    try {
      verify(memory, items);
    } catch (cause) {
      throw new Error(`${name} copied wrong bytes`, { cause });
    }
  }
}
