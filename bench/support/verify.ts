import type { CopyItems, PhysicalMemory } from 'mtcopy';
import { findDifference } from 'mtcopy/experiments';

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
    const different = findDifference(memory, items);
    if (different >= 0) throw new Error(`${name} did not copy item ${different}`);
  }
}
