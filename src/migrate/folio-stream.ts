import { createStreamList, type StreamList, takeListMemory } from '../copy/stream-list.js';
import { openNative } from '../copy/streaming.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { PAGE_SIZE, type Pfn } from '../units.js';

/** Room for 336 folios: of 4 KiB, five looks at the clock. */
const LIST_BYTES = PAGE_SIZE;

/** What a machine's calling thread copies whole batches with, past the caches. */
export interface FolioStream {
  /**
   * The list for them, in reserved memory that is taken the first time. Every migration uses the same one: what is listed is
   * copied before the event loop's next turn. `undefined` where there is no loop in C, or no room for a list.
   */
  open(): StreamList | undefined;
  /** Gives the memory back; the list is used no more. */
  close(): void;
}

/** A {@link FolioStream} in a memory. Its maker closes it. */
export function createFolioStream(memory: PhysicalMemory): FolioStream {
  let pfn: Pfn | undefined;
  let list: StreamList | undefined;
  return {
    open() {
      const { walker } = openNative();
      if (list || !walker) return list;
      pfn = takeListMemory(memory, LIST_BYTES);
      if (pfn === undefined) return undefined;
      list = createStreamList(walker, memory, { address: pfn * PAGE_SIZE, bytes: LIST_BYTES });
      return list;
    },
    close() {
      if (pfn !== undefined) memory.freeContig(pfn);
      pfn = undefined;
      list = undefined;
    },
  };
}
