import { ErrnoError } from '../errno.js';
import { type NodeId, type Order, PAGE_SIZE, type Pfn } from '../units.js';
import { clearAndWake, tryLockFolio } from './folio-lock.js';
import { type PageMetadata, PG } from './page-metadata.js';

/**
 * The name of a page flag, as in the kernel (enum pageflags), but for `private`, which says that the bytes are a device's.
 *
 * @useDeclaredType
 */
export type FolioFlag = keyof typeof PG;

/** What a folio needs of the memory that it is in. */
interface FolioMemory {
  readonly page: PageMetadata;
  readonly bytes: Uint8Array;
  putFolio(pfn: number): void;
}

/** Whether something is a folio of a physical memory, and not of another. */
export let isFolioOf: (memory: { readonly page: PageMetadata }, value: unknown) => value is Folio;

/**
 * A folio: 2^order contiguous, naturally aligned pages handled as one. A thin view on the metadata of its first page,
 * cheap to make and holding no state of its own: two views of one PFN are the same folio.
 *
 * The folio lives while references to it do. `allocFolio` hands out the first; `put` of the last frees the frames,
 * and from then on the view must not be used.
 */
export class Folio {
  static {
    isFolioOf = (memory, value): value is Folio =>
      typeof value === 'object' && value !== null && #memory in value && value.#memory === memory;
  }

  readonly #memory: FolioMemory;
  /** Frame number of the first page. */
  readonly pfn: Pfn;

  /** @internal */
  constructor(memory: FolioMemory, pfn: Pfn) {
    this.#memory = memory;
    this.pfn = pfn;
  }

  /** Binary logarithm of the number of pages. */
  get order(): Order {
    return this.#memory.page.order[this.pfn] as Order;
  }

  /** Bytes. */
  get size(): number {
    return PAGE_SIZE * 2 ** this.order;
  }

  /** The node that the folio is on. */
  get nid(): NodeId {
    return this.#memory.page.nid[this.pfn] as NodeId;
  }

  /** The folio's bytes: a new view on the shared memory. */
  get bytes(): Uint8Array {
    return this.#memory.bytes.subarray(this.pfn * PAGE_SIZE, this.pfn * PAGE_SIZE + this.size);
  }

  /** References held; 0 once the folio is free. */
  get refcount(): number {
    return Atomics.load(this.#memory.page.refcount, this.pfn);
  }

  /**
   * Takes a reference (folio_try_get), from any thread.
   *
   * @throws ErrnoError EINVAL if the folio is free.
   */
  get(): void {
    const { refcount } = this.#memory.page;
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
   * @throws ErrnoError EINVAL if the folio is free (a double free); EBUSY for the last reference on one that is movable, which
   * it still has then: `machine.clearMovable` comes first
   */
  put(): void {
    this.#memory.putFolio(this.pfn);
  }

  /** Locks the folio if nobody has; says whether it did (folio_trylock). A locked folio stays where it is. */
  tryLock(): boolean {
    return tryLockFolio(this.#memory.page, this.pfn);
  }

  /**
   * Unlocks the folio and wakes whoever waits for that.
   *
   * @throws ErrnoError EINVAL if it isn't locked.
   */
  unlock(): void {
    if (!this.locked) throw new ErrnoError('EINVAL', `folio at PFN ${this.pfn} is not locked`);
    clearAndWake(this.#memory.page, this.pfn, PG.locked);
  }

  /** Whether the folio is locked, by whichever thread. */
  get locked(): boolean {
    return (Atomics.load(this.#memory.page.flags, this.pfn) & PG.locked) !== 0;
  }

  /**
   * Says that the bytes are being written out (folio_start_writeback): until {@link endWriteback} nobody moves them. The
   * caller holds the folio locked, or knows that it isn't being moved already.
   */
  startWriteback(): void {
    // Decides against a migration, which looks after it has the lock: either it sees the flag, or moves the folio first.
    Atomics.or(this.#memory.page.flags, this.pfn, PG.writeback);
  }

  /** Ends what {@link startWriteback} began, and wakes whoever waits for it. */
  endWriteback(): void {
    clearAndWake(this.#memory.page, this.pfn, PG.writeback);
  }

  /**
   * Whether the bytes are private to a device: scrambled by their frame's number and a key that it alone has. Such a folio is
   * moved by a migrator that can, see `Migrator.copiesPrivate`, or stays where it is, with EOPNOTSUPP. To be set by who
   * has the bytes scrambled, and owns the folio meanwhile.
   */
  get private(): boolean {
    return (Atomics.load(this.#memory.page.flags, this.pfn) & PG.private) !== 0;
  }

  /** Says so, or takes it back, with Atomics: of a folio that is locked, or whose migration nobody starts meanwhile. */
  set private(isPrivate: boolean) {
    const { flags } = this.#memory.page;
    if (isPrivate) Atomics.or(flags, this.pfn, PG.private);
    else Atomics.and(flags, this.pfn, ~PG.private);
  }

  /** Page-table entries that map the folio or a part of it: a PMD counts 1, and so does each PTE. */
  get mapcount(): number {
    return this.#memory.page.mapcount[this.pfn];
  }

  /** What is known of the folio: the names of its flags. */
  get flags(): FolioFlag[] {
    const bits = Atomics.load(this.#memory.page.flags, this.pfn);
    return (Object.keys(PG) as FolioFlag[]).filter((name) => bits & PG[name]);
  }
}
