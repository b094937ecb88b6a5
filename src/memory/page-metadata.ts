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
} as const;

/**
 * `struct page` for every frame, as a struct of arrays over PFNs in one SharedArrayBuffer: 18 bytes a page.
 *
 * `flags` and `refcount` are changed with `Atomics` alone, from any thread. `order`, `nid`, `next` and `prev` belong
 * to the thread that allocates and frees.
 */
export interface PageMetadata {
  /** Bits of {@link PG}. */
  readonly flags: Int32Array;
  /** References held on the folio whose head this page is; 0 when free. */
  readonly refcount: Int32Array;
  /** Free-list link to the next block's head, or {@link NO_PAGE}. */
  readonly next: Int32Array;
  /** Free-list link to the previous block's head, or {@link NO_PAGE}. */
  readonly prev: Int32Array;
  /** Order of the free block or folio whose head this page is. */
  readonly order: Uint8Array;
  /** Index of the node that the frame is on; {@link RESERVED_NID} for frames that are on none. */
  readonly nid: Uint8Array;
}

/** The end of a free list. PFN 0 is never on one, for its frame is reserved. */
export const NO_PAGE = 0;
/** `nid` of a reserved frame. */
export const RESERVED_NID = 255;

/** Metadata for `pages` frames, all zero: nothing free, nothing allocated. */
export function createPageMetadata(pages: number): PageMetadata {
  const buffer = new SharedArrayBuffer(pages * 18);
  return {
    flags: new Int32Array(buffer, 0, pages),
    refcount: new Int32Array(buffer, pages * 4, pages),
    next: new Int32Array(buffer, pages * 8, pages),
    prev: new Int32Array(buffer, pages * 12, pages),
    order: new Uint8Array(buffer, pages * 16, pages),
    nid: new Uint8Array(buffer, pages * 17, pages),
  };
}
