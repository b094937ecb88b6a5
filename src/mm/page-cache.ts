import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { Clear } from '../copy/clear.js';
import { VPN_LIMIT } from '../cpu/page-table.js';
import { ErrnoError, invalid } from '../errno.js';
import { compoundHead, PG } from '../memory/page-metadata.js';
import type { PhysicalMemory } from '../memory/physical-memory.js';
import { MAX_PAGE_ORDER, type NodeId, type Order, PAGE_SIZE, type Pfn, pagesOf } from '../units.js';
import type { MemoryManager } from './manager.js';
import type { CachedMapping, PageCache } from './mapping.js';

/** What is looked at of a file. */
interface FileStats {
  /** Device and inode, which use all of 64 bits on some file systems: as numbers two files could be one. */
  readonly key: string;
  readonly size: number;
}

const BLOCK_PAGES = 1 << MAX_PAGE_ORDER;

/**
 * Opens a file's page cache, or finds it. The last area that leaves it closes it; see {@link releaseCache}.
 *
 * @throws ErrnoError as {@link mappableSize}
 */
export function openFileCache(manager: MemoryManager, path: string): CachedMapping {
  const { key, size } = statOf(path);
  const known = manager.files.get(key);
  if (known) return known;
  const file = { fd: opened(path, () => openSync(path, 'r')), bytes: size, key };
  // Room for a last folio of any size, as far as an address space reaches.
  const pages = Math.ceil(pagesOf(size) / BLOCK_PAGES) * BLOCK_PAGES;
  const frames = new Uint32Array(Math.min(pages, VPN_LIMIT));
  const mapping = manager.mappings.createCached({ frames, file });
  manager.files.set(key, mapping);
  return mapping;
}

export function createSharedCache(manager: MemoryManager, pages: number): CachedMapping {
  return manager.mappings.createCached({ frames: new Uint32Array(pages), file: undefined });
}

/** Drops a cache that no area maps any more: its folios, less what others still hold, its file and its number. */
export function releaseCache(manager: MemoryManager, mapping: CachedMapping): void {
  const { frames, file } = mapping.cache;
  const { page } = manager.memory;
  for (let index = 0; index < frames.length; ) {
    const pfn = frames[index] as Pfn;
    const pages = pfn === 0 ? 1 : 1 << page.order[pfn];
    if (pfn !== 0) {
      frames.fill(0, index, index + pages);
      page.mapping[pfn] = 0;
      manager.memory.putFolio(pfn, pages);
    }
    index += pages;
  }
  if (file) {
    manager.files.delete(file.key);
    closeSync(file.fd);
  }
  manager.mappings.release(mapping);
}

/** Whether `pfn` is the head of a folio that the cache holds. */
export function isCached({ page }: PhysicalMemory, { frames }: PageCache, pfn: Pfn): boolean {
  return frames[page.index[pfn]] === pfn;
}

/** Puts `to` in the place of `from`, a folio of the same size, with the cache's references on it. */
export function replaceCached({ page }: PhysicalMemory, { frames }: PageCache, from: Pfn, to: Pfn): void {
  const index = page.index[from];
  for (let i = 0; i < 1 << page.order[from]; i++) frames[index + i] = to + i;
}

/**
 * The head of the folio that has page `index`, after reading it in if need be: a folio of `areaOrder`, or of one page where
 * that doesn't fit between what is cached.
 *
 * @returns 0 if the node has no free folio of that order
 */
export function getCachedFolio(
  manager: MemoryManager,
  mapping: CachedMapping,
  index: number,
  areaOrder: Order,
  nid: NodeId,
): Pfn {
  const { memory, clear } = manager;
  const { cache } = mapping;
  const known = cache.frames[index];
  if (known !== 0) return compoundHead(memory.page, known);
  const order = orderToCache(cache, index, areaOrder);
  const first = index & (-1 << order);
  const pfn = memory.takeFolio(order, nid);
  if (pfn === 0) return pfn;
  try {
    fill(memory, clear, cache, pfn, first, 1 << order);
  } catch (error) {
    memory.putFolio(pfn);
    throw error;
  }
  addToCache(manager, mapping, pfn, first, order);
  return pfn;
}

/** The order of the folio that page `index`, which isn't cached, gets: `order`, where that fits between what is cached, or 0. */
export function orderToCache({ frames }: PageCache, index: number, order: Order): Order {
  const first = index & (-1 << order);
  const end = first + (1 << order);
  return end <= frames.length && frames.subarray(first, end).every(isZero) ? order : (0 as Order);
}

/** Puts a new folio, with its one reference, into the cache, from page `first` on, where nothing is: its bytes are there. */
export function addToCache(
  { memory }: MemoryManager,
  mapping: CachedMapping,
  pfn: Pfn,
  first: number,
  order: Order,
): void {
  const { frames } = mapping.cache;
  const pages = 1 << order;
  const { flags, refcount, mapping: owner, index: position } = memory.page;
  owner[pfn] = mapping.id;
  position[pfn] = first;
  Atomics.add(refcount, pfn, pages - 1);
  Atomics.or(flags, pfn, PG.lru | PG.uptodate | (mapping.cache.file ? 0 : PG.swapbacked));
  for (let i = 0; i < pages; i++) frames[first + i] = pfn + i;
}

function isZero(frame: number): boolean {
  return frame === 0;
}

/** Reads `pages` pages of the file from page `first` into a folio; zeros where there is no file, or none any more. */
function fill(
  { bytes }: PhysicalMemory,
  clear: Clear,
  { file }: PageCache,
  pfn: Pfn,
  first: number,
  pages: number,
): void {
  let at = pfn * PAGE_SIZE;
  const end = at + pages * PAGE_SIZE;
  let position = first * PAGE_SIZE;
  while (file && at < end) {
    const count = readSync(file.fd, bytes, at, end - at, position);
    if (count === 0) break;
    at += count;
    position += count;
  }
  clear(at, end - at);
}

/**
 * Bytes that can be mapped of a file: all, or as many as it had when it was cached. @throws ErrnoError ENOENT if there is
 * none; EINVAL for what isn't a file with something in it; EACCES or EIO if it can't be opened
 */
export function mappableSize(manager: MemoryManager, path: string): number {
  const { key, size } = statOf(path);
  return manager.files.get(key)?.cache.file?.bytes ?? size;
}

function statOf(path: string): FileStats {
  const isPath = typeof path === 'string' && path !== '' && !path.includes('\0');
  if (!isPath) throw invalid('file', 'must be the path of a file', path);
  const stats = opened(path, () => statSync(path, { throwIfNoEntry: false, bigint: true }));
  if (!stats) throw new ErrnoError('ENOENT', `file: there is no ${path}`);
  if (!stats.isFile() || stats.size === 0n) throw invalid('file', 'must be a file with something in it', path);
  return { key: `${stats.dev}:${stats.ino}`, size: Number(stats.size) };
}

/** What the operating system says of a file. @throws ErrnoError EACCES or EIO if it doesn't */
function opened<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ErrnoError(code === 'EACCES' ? 'EACCES' : 'EIO', `file: ${path} can't be opened (${code})`, { cause });
  }
}
