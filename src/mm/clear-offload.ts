import type { PageTable } from '../cpu/page-table.js';
import type { Order, Pfn } from '../units.js';
import type { CachedMapping } from './mapping.js';

/** Who zeroes new folios in place of the calling thread. */
export interface ClearOffload {
  /** Whether there is somebody for a folio of so many bytes. */
  wants(bytes: number): boolean;
  /**
   * Has a folio zeroed for which somebody was there just now; what they leave the calling thread zeroes. Resolves once all of its
   * bytes are zero, and nobody writes to it any more. Never rejects.
   */
  clear(address: number, bytes: number): Promise<void>;
}

/** A folio that is being zeroed for a fault, and the pages that it is for. Until that is over it is the fault's alone. */
export interface ClearInFlight {
  /** The page table that is to map it, or the cache that is to have it. */
  readonly of: PageTable | CachedMapping;
  /** First page, of the address space or of the cache. */
  readonly first: number;
  readonly order: Order;
  readonly pfn: Pfn;
  /** Ends once the folio is in its place, or free again. */
  done: Promise<void>;
}
