import type { PageTable } from '../cpu/page-table.js';
import type { Order } from '../units.js';

/**
 * A virtual memory area: pages `start` up to `end` of one address space, mapped alike (vm_area_struct). Split and shrunk
 * by munmap.
 */
export interface Vma {
  readonly table: PageTable;
  /** First virtual page. */
  start: number;
  /** One past the last virtual page. */
  end: number;
  /** Order of the folios that faults allocate here. */
  readonly order: Order;
  /** The node that they are allocated on. */
  readonly nid: number;
  /** Page of {@link cached} that the area starts with. */
  pgoff: number;
  /** What its pages are read from, of a file or of memory that is shared; `undefined` for private anonymous memory. */
  readonly cached: CachedMapping | undefined;
  /** What pages of its own belong to; `undefined` where stores go to {@link cached}. */
  readonly anon: Mapping | undefined;
}

/** A file that is open for reading. */
interface OpenFile {
  readonly fd: number;
  readonly bytes: number;
  /** Device and inode. */
  readonly key: string;
}

/**
 * The pages of a file, or of memory that address spaces share, by their position. The cache holds a reference a page on
 * each of its folios. Nothing is written back: a file on disk stays as it is.
 */
export interface PageCache {
  /** The frame of each page; 0 where it isn't cached. */
  readonly frames: Uint32Array;
  /** `undefined` for shared memory, whose pages start as zeros. */
  readonly file: OpenFile | undefined;
}

/** What folios belong to, and through it every area that may map them: an anon_vma, or a file's address_space. */
export interface Mapping {
  /** The number that `page.mapping` of its folios holds, from 1. */
  readonly id: number;
  readonly vmas: Vma[];
  /** The pages that are cached; `undefined` for anonymous memory. */
  readonly cache: PageCache | undefined;
}

export interface CachedMapping extends Mapping {
  readonly cache: PageCache;
}

/** All mappings of a machine, by their number. */
export class MappingTable {
  readonly #mappings: (Mapping | undefined)[] = [undefined];
  readonly #free: number[] = [];

  createAnon(): Mapping {
    return this.#add((id) => ({ id, vmas: [], cache: undefined }));
  }

  createCached(cache: PageCache): CachedMapping {
    return this.#add((id) => ({ id, vmas: [], cache }));
  }

  /** The mapping with a number; `undefined` for 0 and for one that is gone. */
  get(id: number): Mapping | undefined {
    return this.#mappings[id];
  }

  /**
   * Forgets a mapping without areas. Its number is given to another: whoever comes to that through a folio that is still
   * held finds no entry there that maps the folio.
   */
  release({ id }: Mapping): void {
    this.#mappings[id] = undefined;
    this.#free.push(id);
  }

  #add<M extends Mapping>(make: (id: number) => M): M {
    const id = this.#free.pop() ?? this.#mappings.length;
    const mapping = make(id);
    this.#mappings[id] = mapping;
    return mapping;
  }
}

/** The virtual page at which `vma` has, or would have, page `index` of `mapping`. */
export function vpnOf(vma: Vma, mapping: Mapping, index: number): number {
  // Anonymous memory is numbered by its virtual pages, which a fork keeps.
  return mapping.cache ? vma.start + index - vma.pgoff : index;
}

/** The page of `mapping` that `vma` has at `vpn`. */
export function indexOf(vma: Vma, mapping: Mapping, vpn: number): number {
  return mapping.cache ? vma.pgoff + vpn - vma.start : vpn;
}
