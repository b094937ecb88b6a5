import { MAX_PAGE_ORDER, type Pfn } from '../units.js';

/** Bits of {@link PageMetadata.flags}, after the kernel's page flags. */
export const PG = {
  /** The folio is locked. */
  locked: 1 << 0,
  /** First page of an allocated folio. */
  head: 1 << 1,
  /** First page of a free block on a free list. */
  buddy: 1 << 2,
  /** First page of an allocated contiguous range, whose number of pages stands in `next`. */
  contig: 1 << 3,
  /** The folio is on its node's LRU: whoever clears the bit has isolated it. */
  lru: 1 << 4,
  /** Off the LRU, with a reference that its isolator holds. */
  isolated: 1 << 5,
  /** Accessed since the bit was last cleared. */
  referenced: 1 << 6,
  /** The bytes differ from what is behind them. */
  dirty: 1 << 7,
  /** The bytes are being written out: nobody moves them meanwhile. */
  writeback: 1 << 8,
  /** The bytes are valid: read from their file, or zeroed. */
  uptodate: 1 << 9,
  /** Anonymous or shared memory, with no file behind it. */
  swapbacked: 1 << 10,
  /** Somebody sleeps until `locked` or `writeback` is cleared. */
  waiters: 1 << 11,
  /**
   * The bytes are private to a device, which alone can move them; to all others they are scrambled. Not the kernel's flag of
   * that name.
   */
  private: 1 << 12,
  /** On no LRU, but movable by callbacks of its owner. */
  movable: 1 << 13,
} as const;

/**
 * `struct page` for every frame, as a struct of arrays over PFNs in one SharedArrayBuffer: 30 bytes a page.
 *
 * `flags` and `refcount` of an allocated folio are changed with `Atomics` alone, from any thread: a bit or a count that two
 * change at once loses neither. Where such a change orders something beyond that, a comment beside it says what. All else
 * belongs to the thread that allocates and frees. What is said of a folio stands at its head, the entry of its first page.
 */
export interface PageMetadata {
  /** A bit for each of the folio's flags, which `Folio.flags` names. */
  readonly flags: Int32Array;
  /** References held on the folio whose head this page is; 0 when free. */
  readonly refcount: Int32Array;
  /** Free-list link to the next block's head; 0 at the end, for PFN 0 is never on a list. */
  readonly next: Int32Array;
  /** Free-list link to the previous block's head; 0 at the begin. */
  readonly prev: Int32Array;
  /** Order of the free block or folio whose head this page is. */
  readonly order: Uint8Array;
  /** Page-table entries that map the folio or a part of it: a PMD counts 1, and so does each PTE. */
  readonly mapcount: Int32Array;
  /**
   * Number of what the folio's bytes belong to, which leads to every mapping of it (the kernel's `folio->mapping`); 0 if
   * nothing.
   */
  readonly mapping: Int32Array;
  /** Position of the folio's first page in what `mapping` names, in pages. */
  readonly index: Int32Array;
  /** Index of the node that the frame is on; 255 for frames that are on none. */
  readonly nid: Uint8Array;
}

/** The end of a free list. PFN 0 is never on one, for its frame is reserved. */
export const NO_PAGE = 0;
/** `nid` of a reserved frame. */
export const RESERVED_NID = 255;

/** Metadata for `pages` frames, all zero: nothing free, nothing allocated. */
export function createPageMetadata(pages: number): PageMetadata {
  const buffer = new SharedArrayBuffer(pages * 30);
  return {
    flags: new Int32Array(buffer, 0, pages),
    refcount: new Int32Array(buffer, pages * 4, pages),
    next: new Int32Array(buffer, pages * 8, pages),
    prev: new Int32Array(buffer, pages * 12, pages),
    mapcount: new Int32Array(buffer, pages * 16, pages),
    mapping: new Int32Array(buffer, pages * 20, pages),
    index: new Int32Array(buffer, pages * 24, pages),
    order: new Uint8Array(buffer, pages * 28, pages),
    nid: new Uint8Array(buffer, pages * 29, pages),
  };
}

/** The first page of the folio that `pfn`, a page of an allocated folio, is in (compound_head). */
export function compoundHead({ flags, order }: PageMetadata, pfn: number): Pfn {
  for (let size = 0; size <= MAX_PAGE_ORDER; size++) {
    const head = pfn & (-1 << size);
    // Pages behind a head have no flags, so the first head found is theirs.
    if (flags[head] & PG.head && order[head] >= size) return head as Pfn;
  }
  return pfn as Pfn;
}
