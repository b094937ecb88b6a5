import { RESERVED_NID } from '../../memory/page-metadata.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../../units.js';

/*
 * The I/O memory management unit as a channel has it: the words that say what is mapped for the device, shared with the
 * caller who maps and unmaps, and a small cache of them in each channel, the IOTLB.
 */

/** How a device's addresses come to be physical ones: see `DmaHardware.iommu`. */
export type IommuMode = 'none' | 'passthrough' | 'translated';

/** What every channel of a device shares. */
export interface IommuArea {
  readonly mode: IommuMode;
  /** GENERATION and WAITERS. */
  readonly words: Int32Array;
  /**
   * For each page of the device's addresses. Translated: the I/O page table's entries, {@link ioPte}. Passthrough: how often
   * the frame is mapped, at {@link countAt}. None: empty.
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

/** Pages that device addresses of 32 bits reach. */
export const IO_PAGES = 2 ** (32 - PAGE_SHIFT);

/** An entry of the I/O page table: the frame, and how it may be used. 0 for none. */
export function ioPte(pfn: number, access: number): number {
  return (pfn << 2) | access;
}

/**
 * Where a passthrough counts how often a frame is mapped for an access: two counts a frame, of 31 bits each.
 * One that overflows is below 0, and reaches nothing.
 */
export function countAt(pfn: number, access: number): number {
  return 2 * pfn + (access === IO_WRITE ? 1 : 0);
}

/** Words for each page of the device's addresses. */
const PAGE_WORDS = { none: 0, passthrough: 2, translated: 1 } as const satisfies Record<IommuMode, number>;

/**
 * What the channels of one device share with who maps for it, nothing mapped. It takes 8 MiB for a passthrough and 4 MiB for a
 * translated one, which are real memory only once they are touched; the nodes' numbers are the memory's own.
 */
export function createIommuArea(mode: IommuMode, nid: Uint8Array): IommuArea {
  const pages = IO_PAGES * PAGE_WORDS[mode];
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

/** A channel's way through an IOMMU; translated, with an IOTLB of its own, so one for each thread. */
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
  // Acquire: the caller maps before it issues what uses it.
  return Atomics.load(pages, countAt(address >>> PAGE_SHIFT, access)) > 0 ? address : -1;
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
