import { ErrnoError } from '../errno.js';
import { type NodeId, type Order, PAGE_SIZE, type Pfn } from '../units.js';
import { PG } from './page-metadata.js';
import type { PhysicalMemory } from './physical-memory.js';

/**
 * A folio: 2^order contiguous, naturally aligned pages handled as one. A thin view on the metadata of its first page,
 * cheap to make and holding no state of its own: two views of one PFN are the same folio.
 *
 * The folio lives while references to it do. `allocFolio` hands out the first; `put` of the last frees the frames,
 * and from then on the view must not be used.
 */
export class Folio {
  readonly memory: PhysicalMemory;
  /** Frame number of the first page. */
  readonly pfn: Pfn;

  constructor(memory: PhysicalMemory, pfn: Pfn) {
    this.memory = memory;
    this.pfn = pfn;
  }

  /** Binary logarithm of the number of pages. */
  get order(): Order {
    return this.memory.page.order[this.pfn] as Order;
  }

  /** Bytes. */
  get size(): number {
    return PAGE_SIZE * 2 ** this.order;
  }

  /** The node that the folio is on. */
  get nid(): NodeId {
    return this.memory.page.nid[this.pfn] as NodeId;
  }

  /** The folio's bytes: a new view on the shared memory. */
  get bytes(): Uint8Array {
    return this.memory.bytes.subarray(this.pfn * PAGE_SIZE, this.pfn * PAGE_SIZE + this.size);
  }

  /** References held; 0 once the folio is free. */
  get refcount(): number {
    return Atomics.load(this.memory.page.refcount, this.pfn);
  }

  /**
   * Takes a reference (folio_try_get), from any thread.
   *
   * @throws ErrnoError EINVAL if the folio is free.
   */
  get(): void {
    const { refcount } = this.memory.page;
    let seen = Atomics.load(refcount, this.pfn);
    while (seen > 0) {
      // Orders the reference after the allocation, and before whatever its holder then does to the bytes. Never from
      // 0: the thread that dropped the last reference is freeing the frames.
      const found = Atomics.compareExchange(refcount, this.pfn, seen, seen + 1);
      if (found === seen) return;
      seen = found;
    }
    throw new ErrnoError('EINVAL', `folio at PFN ${this.pfn} is free: take references only while you hold one`);
  }

  /**
   * Drops a reference (folio_put); the last one frees the frames. The last one must be dropped by the thread that
   * allocates and frees, for the free lists are its own.
   *
   * @throws ErrnoError EINVAL if the folio is free (a double free).
   */
  put(): void {
    this.memory.putFolio(this.pfn);
  }

  /** Locks the folio if nobody has; says whether it did (folio_trylock). */
  tryLock(): boolean {
    // Acquire: what the last holder wrote before its unlock is seen after this.
    return (Atomics.or(this.memory.page.flags, this.pfn, PG.locked) & PG.locked) === 0;
  }

  /**
   * Unlocks the folio and wakes whoever waits for its flags.
   *
   * @throws ErrnoError EINVAL if it isn't locked.
   */
  unlock(): void {
    const { flags } = this.memory.page;
    // Release: what was written under the lock comes before it opens.
    if (!(Atomics.and(flags, this.pfn, ~PG.locked) & PG.locked)) {
      throw new ErrnoError('EINVAL', `folio at PFN ${this.pfn} is not locked`);
    }
    Atomics.notify(flags, this.pfn);
  }

  /** Whether the folio is locked, by whichever thread. */
  get locked(): boolean {
    return (Atomics.load(this.memory.page.flags, this.pfn) & PG.locked) !== 0;
  }
}
