import { isWord, oneOf } from '../check.js';
import { ErrnoError, invalid, show } from '../errno.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { PAGE_SHIFT, PAGE_SIZE } from '../units.js';
import { IovaAllocator } from './iova.js';
import { checkSgTable, DMA_DIRECTIONS, type DmaDirection, type SgTable } from './sg-table.js';
import { SingleMappings } from './single-mappings.js';
import { ACTIVE } from './worker/ring.js';
import {
  countAt,
  createIommuArea,
  GENERATION,
  IO_PAGES,
  IO_READ,
  IO_WRITE,
  type IommuArea,
  type IommuMode,
  ioPte,
  WAITERS,
} from './worker/translate.js';

const checkDirection = oneOf(DMA_DIRECTIONS);

/** How a table is mapped. */
interface Mapping {
  readonly access: number;
  /** Translated: the first page of its I/O addresses, and how many there are. */
  readonly first: number;
  readonly pages: number;
}

/** What an {@link Iommu} needs of its device. */
interface IommuOptions {
  readonly mode: IommuMode;
  readonly memory: PhysicalMemory;
  /** Runs what waits, and keeps the process alive meanwhile. */
  readonly during: (run: () => Promise<void>) => Promise<void>;
}

/**
 * The IOMMU in front of a device, on the side of the thread that maps and unmaps. What it maps and unmaps, and how it fails:
 * see the methods of `DmaEngine` that have the same names.
 */
export class Iommu {
  /** What the channels look at. */
  readonly area: IommuArea;
  readonly #memory: PhysicalMemory;
  /** The headers of the rings of all channels. */
  readonly #channels: Int32Array[] = [];
  readonly #during: (run: () => Promise<void>) => Promise<void>;
  readonly #tables = new WeakMap<SgTable, Mapping>();
  readonly #singles = new SingleMappings();
  // Neither the first page nor the last: an address of 0, or one beyond the end, is nobody's.
  readonly #iova = new IovaAllocator(1, IO_PAGES - 1);

  constructor({ mode, memory, during }: IommuOptions) {
    this.area = createIommuArea(mode, memory.page.nid);
    this.#memory = memory;
    this.#during = during;
  }

  /** Has unmaps wait for one more channel, which translates by {@link area}. */
  addChannel(words: Int32Array): void {
    this.#channels.push(words);
  }

  mapSg(table: SgTable, direction: DmaDirection): void {
    checkSgTable('table', table);
    if (this.#tables.has(table)) throw invalid('table', 'must be unmapped first', table);
    const access = accessOf(direction);
    const { address, bytes, dma } = table;
    let pages = 0;
    for (let i = 0; i < address.length; i++) {
      this.#check(address[i], bytes[i]);
      pages += pagesUnder(address[i], bytes[i]);
    }
    const first = this.#alloc(pages);
    for (let i = 0, page = first; i < address.length; i++) {
      dma[i] = this.#enter(address[i], bytes[i], access, page);
      page += pagesUnder(address[i], bytes[i]);
    }
    this.#tables.set(table, { access, first, pages });
  }

  unmapSg(table: SgTable): void | Promise<void> {
    const mapping = this.#tables.get(table);
    if (!mapping) throw invalid('table', 'must be mapped', table);
    this.#tables.delete(table);
    const { address, bytes } = table;
    const { access, first, pages } = mapping;
    for (let i = 0, page = first; i < address.length; i++) {
      this.#leave(address[i], bytes[i], access, page);
      page += pagesUnder(address[i], bytes[i]);
    }
    return this.#finishUnmap(first, pages);
  }

  mapSingle(address: number, bytes: number, direction: DmaDirection): number {
    this.#check(address, bytes);
    const access = accessOf(direction);
    const pages = pagesUnder(address, bytes);
    const dma = this.#enter(address, bytes, access, this.#alloc(pages));
    this.#singles.add(dma, pages, access);
    return dma;
  }

  unmapSingle(dma: number, address: number, bytes: number, direction: DmaDirection): void | Promise<void> {
    const access = accessOf(direction);
    this.#check(address, bytes);
    const pages = pagesUnder(address, bytes);
    if (!isWord(dma) || !this.#leadsTo(dma, address, access) || !this.#singles.delete(dma, pages, access)) {
      const what = `${bytes} from ${address}, at ${show(dma)}`;
      throw invalid('mapping', 'must be one of mapSingle, not unmapped yet', what);
    }
    const first = dma >>> PAGE_SHIFT;
    this.#leave(address, bytes, access, first);
    return this.#finishUnmap(first, pages);
  }

  /** Whether a device address that is mapped is that of a physical one. */
  #leadsTo(dma: number, address: number, access: number): boolean {
    const { mode, pages } = this.area;
    if (mode !== 'translated') return dma === address;
    const isAlike = ((dma ^ address) & (PAGE_SIZE - 1)) === 0;
    return isAlike && pages[dma >>> PAGE_SHIFT] === ioPte(address >>> PAGE_SHIFT, access);
  }

  #check(address: number, bytes: number): void {
    // Of neither is there a part.
    const isWhole = Number.isInteger(address) && Number.isInteger(bytes);
    if (isWhole && bytes > 0 && this.#memory.holds(address, bytes)) return;
    throw invalid('address', "must be bytes of a node's memory", `${show(bytes)} from ${show(address)}`);
  }

  #alloc(pages: number): number {
    if (this.area.mode !== 'translated' || pages === 0) return 0;
    const first = this.#iova.alloc(pages);
    if (first >= 0) return first;
    throw new ErrnoError('ENOMEM', `no range of ${pages} pages of I/O addresses is free: unmap something first`);
  }

  /** Maps one range, whose I/O addresses begin at a page; returns its device address. */
  #enter(address: number, bytes: number, access: number, page: number): number {
    const { mode, pages } = this.area;
    if (mode === 'none') return address;
    const pfn = address >>> PAGE_SHIFT;
    const count = pagesUnder(address, bytes);
    if (mode === 'passthrough') {
      // Before what uses it is issued; see there.
      for (let i = 0; i < count; i++) Atomics.add(pages, countAt(pfn + i, access), 1);
      return address;
    }
    for (let i = 0; i < count; i++) Atomics.store(pages, page + i, ioPte(pfn + i, access));
    return page * PAGE_SIZE + (address & (PAGE_SIZE - 1));
  }

  #leave(address: number, bytes: number, access: number, page: number): void {
    const { mode, pages } = this.area;
    if (mode === 'none') return;
    const count = pagesUnder(address, bytes);
    // Before the generation counts up, below.
    if (mode === 'passthrough') {
      const pfn = address >>> PAGE_SHIFT;
      for (let i = 0; i < count; i++) Atomics.sub(pages, countAt(pfn + i, access), 1);
    } else {
      for (let i = 0; i < count; i++) Atomics.store(pages, page + i, 0);
    }
  }

  #finishUnmap(first: number, pages: number): void | Promise<void> {
    if (this.area.mode === 'none') return;
    // Before the look at who translates. A channel that says after this that it does sees the new number, and with it
    // entries that are gone.
    Atomics.add(this.area.words, GENERATION, 1);
    for (const words of this.#channels) {
      if (isActive(words)) return this.#during(() => this.#drain(first, pages));
    }
    this.#free(first, pages);
  }

  /** Waits until every channel has done with what it has translated so far. */
  async #drain(first: number, pages: number): Promise<void> {
    const { words: shared } = this.area;
    // Before the looks below: a channel that is through sees it, and rings, or is seen to be.
    Atomics.add(shared, WAITERS, 1);
    await Promise.all(this.#channels.map(untilInactive));
    Atomics.sub(shared, WAITERS, 1);
    this.#free(first, pages);
  }

  #free(first: number, pages: number): void {
    if (this.area.mode === 'translated' && pages > 0) this.#iova.free(first, pages);
  }
}

/** Of anything else the bits below would be those of another number. */
function isActive(words: Int32Array): boolean {
  // Acquire: the bytes that were written by old translations are there.
  return (Atomics.load(words, ACTIVE) & 1) === 1;
}

async function untilInactive(words: Int32Array): Promise<void> {
  const seen = Atomics.load(words, ACTIVE);
  if ((seen & 1) === 0) return;
  // Any other value will do: what it translates next is new.
  while (Atomics.load(words, ACTIVE) === seen) {
    const wait = Atomics.waitAsync(words, ACTIVE, seen);
    if (wait.async) await wait.value;
  }
}

function pagesUnder(address: number, bytes: number): number {
  return ((address & (PAGE_SIZE - 1)) + bytes + PAGE_SIZE - 1) >>> PAGE_SHIFT;
}

function accessOf(direction: DmaDirection): number {
  checkDirection('direction', direction);
  return direction === 'to-device' ? IO_READ : IO_WRITE;
}
