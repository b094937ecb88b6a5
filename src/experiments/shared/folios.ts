import { type CopyItems, type Frames, orderOf, PAGE_SIZE, type PhysicalMemory } from 'mtcopy';

/** Folios on node 0, as many on node 1, and the batch that copies the ones to the others. */
export interface FolioBatch extends CopyItems {
  /** First frame of each folio on node 0. */
  readonly sources: Uint32Array;
  /** First frame of each folio on node 1. */
  readonly targets: Uint32Array;
  /** Bytes of all items. */
  readonly total: number;
  /** Gives the folios back. */
  free(): void;
}

/**
 * Allocates folios for a batch of `total` bytes; their bytes are what they were. The caller frees them.
 *
 * @param seed of the shuffling of frames, a whole number. Default: 1
 * @throws ErrnoError EINVAL for a folio size that is none; ENOMEM if a node has no room
 */
export function allocFolioBatch(
  memory: PhysicalMemory,
  total: number,
  folioBytes: number,
  frames: Frames,
  seed = 1,
): FolioBatch {
  const count = total / folioBytes;
  const order = orderOf(folioBytes);
  const sources = memory.allocFolios(count, order, { node: 0, frames, seed });
  const targets = allocTargets(memory, count, order, { frames, seed: seed + 1 }, sources);
  return {
    sources,
    targets,
    total,
    from: sources.map((pfn) => pfn * PAGE_SIZE),
    to: targets.map((pfn) => pfn * PAGE_SIZE),
    bytes: new Uint32Array(count).fill(folioBytes),
    free() {
      memory.freeFolios(sources);
      memory.freeFolios(targets);
    },
  };
}

/** Allocates the folios of node 1; gives the sources back if there is no room for them. */
function allocTargets(
  memory: PhysicalMemory,
  count: number,
  order: number,
  how: { readonly frames: Frames; readonly seed: number },
  sources: Uint32Array,
): Uint32Array {
  try {
    return memory.allocFolios(count, order, { node: 1, ...how });
  } catch (error) {
    memory.freeFolios(sources);
    throw error;
  }
}
