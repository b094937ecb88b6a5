import { types } from 'node:util';
import { anything, bytesOf, type Checks, checkOptions, wholeNumber, yesOrNo } from '../check.js';
import { createPageTable, type PageTable, PTRS_PER_PTE, VPN_LIMIT } from '../cpu/page-table.js';
import { PRESENT, WRITE } from '../cpu/pte.js';
import { ERRNO, ErrnoError, invalid } from '../errno.js';
import type { Folio } from '../memory/folio.js';
import { compoundHead } from '../memory/page-metadata.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { formatSize, type NodeId, orderOf, PAGE_SIZE, pagesOf, parseSize, type Vpn } from '../units.js';
import { accessProcessVm } from './access-process-vm.js';
import { copyPageRange } from './copy-page-range.js';
import { handleMmFault } from './fault.js';
import type { MemoryManager } from './manager.js';
import { FOLIO_LOCKED, mapAnonymous, mapCached } from './map-folio.js';
import type { Vma } from './mapping.js';
import { createSharedCache, mappableSize, openFileCache, releaseCache } from './page-cache.js';
import { entryAt, frameAt, isPmdMapped } from './page-entries.js';
import { onceAnswered } from './tlb-flush.js';
import { zapRange } from './zap.js';

/** Options of {@link AddressSpace.mmap}. */
export interface MmapOptions {
  /**
   * Bytes to map, or a string such as `'256M'`: a multiple of the folio size above 0. Default: of a file, all of it; else
   * none.
   */
  length?: number | string | undefined;
  /** Bytes of the folios that faults allocate: a power of two from 4 KiB to 4 MiB. Default: 4 KiB. */
  folioSize?: number | string | undefined;
  /** The node that they are allocated on. Default: 0. */
  node?: number | undefined;
  /** Whether to allocate and map everything at once, instead of at the first access. Default: false. */
  populate?: boolean | undefined;
  /** Whether stores are seen through a {@link AddressSpace.fork}, and in the page cache of a file. Default: false. */
  shared?: boolean | undefined;
  /** Path of a file whose page cache to map; zeros after its end. It is never written to. Default: none, zeros. */
  file?: string | undefined;
}

/** Options of `Machine.createAddressSpace`. */
export interface AddressSpaceOptions {
  /** The user that it belongs to: another needs CAP_SYS_NICE to move its pages. Default: 0. */
  uid?: number | undefined;
  /** Nodes that its pages may be moved to (its cpuset's). Default: all. */
  memsAllowed?: readonly number[] | undefined;
}

const OPTIONS: Checks<AddressSpaceOptions> = { uid: wholeNumber(0, Number.POSITIVE_INFINITY), memsAllowed: anything };
const MMAP_OPTIONS: Checks<MmapOptions> = {
  length: anything,
  folioSize: anything,
  node: anything,
  populate: yesOrNo,
  shared: yesOrNo,
  file: anything,
};
/** The first virtual page that is given out: the null page faults. */
const FIRST_VPN = PTRS_PER_PTE;
/** Bytes that can be read at once. */
const checkAccess = wholeNumber(0, 2 ** 31);

/**
 * The virtual memory of one process (mm_struct): areas, and a page table in shared memory that CPUs walk.
 *
 * Everything here is called on the thread that booted the machine.
 */
export class AddressSpace {
  /** The user that it belongs to. */
  readonly uid: number;
  /** Numbers of the nodes that its pages may be moved to. */
  readonly memsAllowed: readonly number[];
  /** @internal */
  readonly table: PageTable = createPageTable();
  readonly #manager: MemoryManager;
  /** By their first page. */
  readonly #vmas: Vma[] = [];
  /** Forks that have taken CPUs' right to store away, until no CPU can store by an old translation any more. */
  readonly #forks = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /** Whether something is one, and no object that only looks like it. @internal */
  static is(value: unknown): value is AddressSpace {
    return typeof value === 'object' && value !== null && #manager in value;
  }

  /** @internal */
  constructor(manager: MemoryManager, options: AddressSpaceOptions = {}) {
    const { uid = 0, memsAllowed } = checkOptions(options, OPTIONS);
    this.#manager = manager;
    this.uid = uid;
    this.memsAllowed = checkNodes(manager, memsAllowed);
  }

  /** Whether it was closed: whatever needs it then fails with ESRCH. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** The memory of its machine. @internal */
  get memory(): PhysicalMemory {
    return this.#manager.memory;
  }

  /** The areas, by their first page; for lookups. @internal */
  get vmas(): readonly Vma[] {
    return this.#vmas;
  }

  /**
   * Maps memory at a free address.
   *
   * @throws ErrnoError EINVAL for a wrong option; ENOENT for a file that doesn't exist, EACCES or EIO for one that can't be
   * opened; ENOMEM if no addresses are free, or with `populate` no folios; EAGAIN with `populate` while pages of the file are
   * being migrated; ESRCH if the address space is closed. Nothing is mapped then.
   */
  mmap(options: MmapOptions): Area {
    const asked = checkOptions(options, MMAP_OPTIONS);
    // After the last look at what was given: a getter may have closed it.
    this.#checkOpen();
    const { folioSize: size = PAGE_SIZE, shared = false, file, populate = false, node: nid = 0 } = asked;
    const order = orderOf(parseSize(size, 'folio size'));
    const folioSize = PAGE_SIZE * 2 ** order;
    wholeNumber(0, this.#manager.memory.nodes.length - 1)('node', nid);
    const given = checkLength(asked.length, folioSize, file !== undefined);
    const length =
      file === undefined ? (given as number) : checkFileLength(mappableSize(this.#manager, file), given, folioSize);
    const pages = pagesOf(length);
    const start = this.#findGap(pages, Math.max(PTRS_PER_PTE, 1 << order));
    // From here on only what is undone: a file that can't be opened leaves nothing behind.
    const cached =
      file === undefined ? shared && createSharedCache(this.#manager, pages) : openFileCache(this.#manager, file);
    const anon = shared ? undefined : this.#manager.mappings.createAnon();
    const vma = {
      table: this.table,
      start,
      end: start + pages,
      order,
      nid,
      pgoff: 0,
      cached: cached || undefined,
      anon,
    };
    this.#insert(vma);
    try {
      if (populate) this.#populate(vma);
    } catch (error) {
      // Happens now, unless a CPU is slow to answer.
      this.#unmap(start, start + pages).catch(() => {});
      throw error;
    }
    return new Area(this, start * PAGE_SIZE, length, folioSize);
  }

  /**
   * Unmaps pages: their folios are freed once nobody holds them, and accesses fail from then on.
   *
   * @param address of the first page, in bytes
   * @param length in bytes
   * @throws ErrnoError EINVAL unless both are multiples of 4 KiB, or for a range that no area has a part of; ESRCH if the
   * address space is closed. UnresponsiveCpuError if a CPU doesn't answer; the pages are unmapped all the same.
   */
  async munmap(address: number, length: number): Promise<void> {
    this.#checkOpen();
    const [first, end] = checkRange(address, length);
    if (this.#overlapping(first, end).length === 0) throw invalid('address', 'must be in a mapped area', address);
    await this.#unmap(first, end);
  }

  /**
   * Maps an area into a second address space too, at the same addresses, as fork() does with all of them. Of a shared area
   * both see each other's stores; of a private one each has its own copy of a page from the first store to it.
   *
   * @returns the area in `child`
   * @throws ErrnoError EINVAL for an area of another address space, or one that isn't mapped any more; EEXIST if `child` has
   * something at these addresses; ESRCH if one of them is closed. UnresponsiveCpuError if a CPU doesn't answer: the child has
   * the area all the same, and what that CPU stores to it until it answers. Stores of others to this side's private pages
   * wait for that, or fail likewise.
   */
  async fork(area: Area, child: AddressSpace): Promise<Area> {
    if (!AddressSpace.is(child) || child === this || child.#manager !== this.#manager)
      throw invalid('child', 'must be another address space of this machine', child);
    if (!(area instanceof Area) || area.mm !== this) throw invalid('area', 'must be one of this address space', area);
    const { address, length, folioSize } = area;
    const [first, end] = checkRange(address, length);
    // After the last look at what was given, as in mmap.
    this.#checkOpen();
    child.#checkOpen();
    const vmas = this.#overlapping(first, end);
    if (vmas.length === 0) throw invalid('area', 'must be mapped', area);
    if (child.#overlapping(first, end).length > 0) {
      throw new ErrnoError(
        'EEXIST',
        `the child has something mapped at 0x${address.toString(16)} or after it: unmap it first`,
      );
    }
    for (const vma of vmas) {
      child.#insert({
        ...vma,
        table: child.table,
        start: Math.max(vma.start, first),
        end: Math.min(vma.end, end),
        pgoff: vma.pgoff + Math.max(0, first - vma.start),
      });
    }
    const fork = copyPageRange(this.#manager, this.table, child.#overlapping(first, end));
    this.#forks.add(fork);
    const forget = () => this.#forks.delete(fork);
    try {
      await fork;
    } catch (error) {
      onceAnswered(error, forget);
      throw error;
    }
    forget();
    return new Area(child, address, length, folioSize);
  }

  /**
   * The bytes at `address`, copied, as they would be loaded (access_process_vm); pages that aren't there are faulted in.
   *
   * @throws ErrnoError EFAULT where nothing is mapped; EINVAL for a wrong address, or more than 2 GiB; ENOMEM or EIO if a
   * page can't be had; EHWPOISON if it has a memory error; ESRCH if closed.
   */
  async read(address: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkAccess('length', length);
    const bytes = new Uint8Array(length);
    this.#checkOpen();
    await accessProcessVm(this.#manager.memory, this, address, length, false, (physical, done) =>
      bytes.set(physical, done),
    );
    return bytes;
  }

  /**
   * Stores `bytes` from `address` on. What comes before a page that fails is stored.
   *
   * @throws as {@link read}; EINVAL for what is no Uint8Array, or has lost its memory meanwhile; EOPNOTSUPP if a page must be copied first that is private to a device; UnresponsiveCpuError if a
   * page must be and a CPU does not answer: it isn't, then
   */
  async write(address: number, bytes: Uint8Array): Promise<void> {
    if (!types.isUint8Array(bytes)) throw invalid('bytes', 'must be a Uint8Array', bytes);
    this.#checkOpen();
    const given = bytesOf(bytes);
    await accessProcessVm(this.#manager.memory, this, address, given.length, true, (physical, done) => {
      const part = given.subarray(done, done + physical.length);
      if (part.length < physical.length) throw invalid('bytes', 'must keep their memory until they are stored', bytes);
      physical.set(part);
    });
  }

  /**
   * The folio that is mapped at `address`, in bytes, now: a view, without a reference of its own. `undefined` if none is, as
   * while it is being migrated, and for what is no address.
   */
  folioAt(address: number): Folio | undefined {
    const vpn = typeof address === 'number' ? Math.floor(address / PAGE_SIZE) : -1;
    const entry = vpn >= 0 && vpn < VPN_LIMIT ? entryAt(this.table, vpn) : 0;
    if (!(entry & PRESENT)) return undefined;
    return this.#manager.memory.folio(compoundHead(this.#manager.memory.page, frameAt(this.table, vpn, entry)));
  }

  /** Unmaps everything (exit_mmap). May be called again, to wait for that. @throws UnresponsiveCpuError as {@link munmap} */
  close(): Promise<void> {
    if (this.#closing) return this.#closing.catch(() => {});
    this.#closing = this.#unmap(0, VPN_LIMIT);
    return this.#closing;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The area that has page `vpn`. @internal */
  findVma(vpn: number): Vma | undefined {
    const vma = this.#vmas[this.firstVmaAfter(vpn)];
    return vma && vma.start <= vpn ? vma : undefined;
  }

  /** Position of the first area that ends after page `vpn`; their number if none does. @internal */
  firstVmaAfter(vpn: number): number {
    let low = 0;
    let high = this.#vmas.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#vmas[middle].end <= vpn) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Handles a page fault of a CPU; see {@link handleMmFault}. @throws UnresponsiveCpuError @internal */
  async fault(vpn: Vpn, isStore: boolean, flushTimeoutMs?: number): Promise<number> {
    // A copy that is made while another CPU may still store by its old translation could miss that store.
    while (isStore && this.#isProtected(vpn)) for (const fork of this.#forks) await fork;
    const vma = this.findVma(vpn);
    return vma ? handleMmFault(this.#manager, vma, vpn, isStore, flushTimeoutMs) : ERRNO.EFAULT;
  }

  /** Whether a fork may be what keeps CPUs from storing to a page. */
  #isProtected(vpn: Vpn): boolean {
    return this.#forks.size > 0 && (entryAt(this.table, vpn) & (PRESENT | WRITE)) === PRESENT;
  }

  #checkOpen(): void {
    if (this.closed) throw new ErrnoError('ESRCH', 'the address space is closed: create another');
  }

  /** First page of the lowest gap of `pages` pages that starts on a multiple of `align` pages. */
  #findGap(pages: number, align: number): number {
    let start = Math.ceil(FIRST_VPN / align) * align;
    for (const vma of this.#vmas) {
      if (start + pages <= vma.start) return start;
      start = Math.max(start, Math.ceil(vma.end / align) * align);
    }
    if (start + pages <= VPN_LIMIT) return start;
    const asked = formatSize(pages * PAGE_SIZE);
    throw new ErrnoError('ENOMEM', `no ${asked} of addresses are free in a row of the 16G there are: unmap something`);
  }

  #insert(vma: Vma): void {
    const at = this.#vmas.findIndex(({ start }) => start > vma.start);
    this.#vmas.splice(at < 0 ? this.#vmas.length : at, 0, vma);
    vma.anon?.vmas.push(vma);
    vma.cached?.vmas.push(vma);
  }

  #overlapping(first: number, end: number): Vma[] {
    return this.#vmas.filter((vma) => vma.start < end && first < vma.end);
  }

  #populate(vma: Vma): void {
    for (let vpn = vma.start; vpn < vma.end; ) {
      const mapped = vma.cached ? mapCached(this.#manager, vma, vpn) : mapAnonymous(this.#manager, vma, vpn);
      if (mapped === FOLIO_LOCKED) {
        throw new ErrnoError('EAGAIN', 'file: some of its pages are being migrated: try again, or leave out populate');
      }
      if (mapped === 0) {
        const asked = formatSize((vma.end - vma.start) * PAGE_SIZE);
        throw new ErrnoError(
          'ENOMEM',
          `node ${vma.nid} has no free folio of ${formatSize(PAGE_SIZE << vma.order)} left to populate ${asked}: free ` +
            'some, map less, or use smaller folios',
        );
      }
      while (vpn < vma.end && entryAt(this.table, vpn) !== 0) vpn += isPmdMapped(this.table, vpn) ? PTRS_PER_PTE : 1;
    }
  }

  /** Unmaps what areas have of a range, also if a CPU doesn't answer; without a turn of the event loop if none is asked. */
  async #unmap(first: number, end: number): Promise<void> {
    const vmas = this.#overlapping(first, end);
    // All without a turn of the event loop: what no area has any more must not be found by a fault or a migration, and what
    // is mapped there next must not be taken for it.
    for (const vma of vmas) this.#detach(vma, Math.max(first, vma.start), Math.min(end, vma.end));
    const answers = zapRange(this.#manager, this.table, first, end);
    try {
      if (answers) await answers;
    } finally {
      for (const vma of vmas) this.#releaseUnused(vma);
    }
  }

  /** Takes pages `first` to `end` off an area: all of it, one end, or the middle, which leaves two. */
  #detach(vma: Vma, first: number, end: number): void {
    const { start, end: vmaEnd } = vma;
    if (first === start && end === vmaEnd) {
      for (const list of [this.#vmas, vma.anon?.vmas, vma.cached?.vmas]) list?.splice(list.indexOf(vma), 1);
    } else if (first === start) {
      vma.start = end;
      vma.pgoff += end - start;
    } else {
      vma.end = first;
      if (end < vmaEnd) this.#insert({ ...vma, start: end, end: vmaEnd, pgoff: vma.pgoff + end - start });
    }
  }

  #releaseUnused({ anon, cached }: Vma): void {
    const { mappings } = this.#manager;
    if (anon?.vmas.length === 0 && mappings.get(anon.id) === anon) mappings.release(anon);
    if (cached?.vmas.length === 0 && mappings.get(cached.id) === cached) releaseCache(this.#manager, cached);
  }
}

/** A range of an address space that `mmap` returned. A plain description: unmapping changes nothing in it. */
export class Area {
  /** The address space that it is in. */
  readonly mm: AddressSpace;
  /** First virtual address, in bytes; a multiple of 2 MiB and of the folio size. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** Bytes of the folios that it was mapped with. */
  readonly folioSize: number;

  /** @internal */
  constructor(mm: AddressSpace, address: number, length: number, folioSize: number) {
    this.mm = mm;
    this.address = address;
    this.length = length;
    this.folioSize = folioSize;
  }

  /** The virtual address of every page, in bytes. */
  pages(): Float64Array {
    return this.#every(PAGE_SIZE);
  }

  /** The virtual address of every folio, in bytes: one moves it whole. */
  folios(): Float64Array {
    return this.#every(this.folioSize);
  }

  #every(step: number): Float64Array {
    return Float64Array.from({ length: this.length / step }, (_, i) => this.address + i * step);
  }
}

function checkNodes({ memory }: MemoryManager, nodes: readonly number[] | undefined): readonly number[] {
  const all = memory.nodes.map(({ id }) => id);
  if (nodes === undefined) return all;
  // Not more of a list than is right: it may be of billions of holes.
  const allowed: number[] = [];
  const length = Array.isArray(nodes) ? nodes.length : 0;
  while (allowed.length < length && all.includes(nodes[allowed.length] as NodeId)) allowed.push(nodes[allowed.length]);
  if (length > 0 && allowed.length === length) return allowed;
  throw invalid('memsAllowed', `must be nodes from 0 to ${all.length - 1}`, nodes);
}

/** Bytes to map; `undefined` for all of a file. */
function checkLength(length: number | string | undefined, folioSize: number, hasFile: boolean): number | undefined {
  if (length === undefined && hasFile) return undefined;
  if (length === undefined) throw invalid('length', 'must be given, for what has no file', length);
  const bytes = parseSize(length, 'length');
  if (bytes > 0 && bytes % folioSize === 0) return bytes;
  throw invalid('length', `must be a multiple of the folio size, ${formatSize(folioSize)}, above 0`, length);
}

/** Bytes to map of a file: all, up to a whole last folio, or what is asked for, which may not go beyond. */
function checkFileLength(file: number, length: number | undefined, folioSize: number): number {
  const all = Math.ceil(file / folioSize) * folioSize;
  if (length === undefined || length <= all) return length ?? all;
  throw invalid('length', `must be at most the file's ${formatSize(all)}, in whole folios`, formatSize(length));
}

/** First page and the page after the last of a range in bytes. */
function checkRange(address: number, length: number): [number, number] {
  const isPage = (bytes: number) => Number.isSafeInteger(bytes) && bytes >= 0 && bytes % PAGE_SIZE === 0;
  if (!isPage(address)) throw invalid('address', 'must be a multiple of 4096', address);
  if (!isPage(length) || length === 0) throw invalid('length', 'must be a multiple of 4096 above 0', length);
  return [address / PAGE_SIZE, (address + length) / PAGE_SIZE];
}
