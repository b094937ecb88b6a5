import { RESERVED_NID } from '../../memory/page-metadata.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../units.js';

/*
 * The I/O memory management unit as a channel has it: the words that say what is mapped for the device, shared with the
 * caller who maps and unmaps, and a small cache of them in each channel, the IOTLB.
 */

/** How device addresses come to be physical ones. */
export type IommuMode = 'none' | 'passthrough' | 'translated';

/** What every channel of a device shares. */
export interface IommuArea {
  readonly mode: IommuMode;
  /** GENERATION and WAITERS. */
  readonly words: Int32Array;
  /**
   * For each page of the device's addresses. Translated: the I/O page table's entries, {@link ioPte}. Passthrough: how
   * often the frame is mapped for reading, and times {@link MAPPED_FOR_WRITING} for writing. None: empty.
   */
  readonly pages: Int32Array;
  /** The node of each frame; `RESERVED_NID` for one that no device may touch. */
  readonly nid: Uint8Array;
}

/** Counts up whenever something was unmapped: an IOTLB that is older is not to be believed. */
export const GENERATION = 0;
/** Callers that wait until channels use no old translation. */
export const WAITERS = 1;

/** What a device may do with a page: bits of an entry, and what an access asks for. */
export const IO_READ = 1;
export const IO_WRITE = 2;
/** What a frame's count goes up by for a mapping for writing; one for reading counts 1. */
export const MAPPED_FOR_WRITING = 1 << 16;

/** Pages that device addresses of 32 bits reach. */
export const IO_PAGES = 2 ** (32 - PAGE_SHIFT);

/** An entry of the I/O page table: the frame, and how it may be used. 0 for none. */
export function ioPte(pfn: number, access: number): number {
  return (pfn << 2) | access;
}

export function createIommuArea(mode: IommuMode, nid: Uint8Array): IommuArea {
  const pages = mode === 'none' ? 0 : IO_PAGES;
  return {
    mode,
    words: new Int32Array(new SharedArrayBuffer(8)),
    pages: new Int32Array(new SharedArrayBuffer(pages * 4)),
    nid,
  };
}

/** The physical address of a device address, below 2^32, that may be used so; -1, a DMA fault, if it may not. */
export type Translate = (address: number, access: number) => number;

/** A channel's way through the IOMMU. */
export interface Translator {
  readonly translate: Translate;
  /** To be called before translations that are to be as new as the last unmap. */
  refresh(): void;
}

export function createTranslator(area: IommuArea): Translator {
  if (area.mode === 'none')
    return { translate: (address) => (isNodes(area.nid, address) ? address : -1), refresh() {} };
  if (area.mode === 'passthrough')
    return { translate: (address, access) => lookUp(area, address, access), refresh() {} };
  return createIotlb(area);
}

function isNodes(nid: Uint8Array, address: number): boolean {
  // Beyond the last frame there is nothing, which is no node either.
  const node = nid[address >>> PAGE_SHIFT];
  return node !== undefined && node !== RESERVED_NID;
}

function lookUp({ pages }: IommuArea, address: number, access: number): number {
  const page = address >>> PAGE_SHIFT;
  // Acquire: the caller maps before it issues what uses it.
  const count = Atomics.load(pages, page);
  const mapped = access === IO_WRITE ? count >>> 16 : count & (MAPPED_FOR_WRITING - 1);
  return mapped > 0 ? address : -1;
}

/** Translations that an IOTLB remembers: a power of two. */
const IOTLB_ENTRIES = 64;
const NO_PAGE = -1;

function createIotlb({ words, pages }: IommuArea): Translator {
  const tags = new Int32Array(IOTLB_ENTRIES).fill(NO_PAGE);
  const entries = new Int32Array(IOTLB_ENTRIES);
  let generation = 0;
  const walk = (page: number) => {
    // Acquire: the caller maps before it issues what uses it.
    const entry = Atomics.load(pages, page);
    if (entry === 0) return 0;
    tags[page & (IOTLB_ENTRIES - 1)] = page;
    entries[page & (IOTLB_ENTRIES - 1)] = entry;
    return entry;
  };
  return {
    translate(address, access) {
      const page = address >>> PAGE_SHIFT;
      const way = page & (IOTLB_ENTRIES - 1);
      const entry = tags[way] === page ? entries[way] : walk(page);
      return entry & access ? (entry >>> 2) * PAGE_SIZE + (address & (PAGE_SIZE - 1)) : -1;
    },
    refresh() {
      // After ACTIVE was set, before the first translation: whoever unmaps counts up first and looks at ACTIVE second, so
      // either the count is seen here, or the unmap waits until these translations are no longer used.
      const now = Atomics.load(words, GENERATION);
      if (now === generation) return;
      generation = now;
      tags.fill(NO_PAGE);
    },
  };
}
