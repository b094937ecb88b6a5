import type { Clear } from '../copy/clear.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import type { Pfn } from '../units.js';
import type { ClearInFlight, ClearOffload } from './clear-offload.js';
import type { CachedMapping, MappingTable } from './mapping.js';
import type { MovableOperations } from './movable-operations.js';
import type { TlbFlusher } from './tlb-flush.js';
import type { Vmstat } from './vmstat.js';

/** What a machine has one of, and what all of memory management works on. Used by one thread, the memory's owner. */
export interface MemoryManager {
  readonly memory: PhysicalMemory;
  /** Zeros what is newly allocated in it. */
  readonly clear: Clear;
  /** Zeros large folios instead, at faults. */
  readonly clearOffload: ClearOffload;
  /** What it has in hand. */
  readonly clears: Set<ClearInFlight>;
  readonly mappings: MappingTable;
  /** The files in the page cache, by device and inode. */
  readonly files: Map<string, CachedMapping>;
  /** The owners of movable memory that is on no LRU. */
  readonly movable: Map<Pfn, MovableOperations>;
  readonly tlb: TlbFlusher;
  readonly vmstat: Vmstat;
  /** The words of all CPUs; see cpu-area.ts. */
  readonly cpuWords: Int32Array;
  /** CPUs of the machine. */
  readonly cpus: number;
  /** TLB-flush interrupts that they have received. */
  readonly interruptsReceived: () => number;
}
