import { setImmediate } from 'node:timers/promises';
import { DIRTY, flagsOf, MIGRATION, makeEntry, PRESENT, toMigrationEntry, WRITE } from '../cpu/pte.js';
import { ERRNO } from '../errno.js';
import { clearAndWake, tryLockFolio } from '../memory/folio-lock.js';
import { compoundHead, PG } from '../memory/page-metadata.js';
import { HPAGE_PMD_ORDER, type NodeId, type Order, PAGE_SIZE, type Pfn, type Vpn } from '../units.js';
import { clearOffloaded } from './clear-folio.js';
import { splitPmdMapping } from './huge-memory.js';
import type { MemoryManager } from './manager.js';
import { adoptAnonymous, FOLIO_LOCKED, mapAnonymous, mapCached } from './map-folio.js';
import type { Vma } from './mapping.js';
import { entryAt, frameAt } from './page-entries.js';
import { entriesOf, exchangeForMigration, folioRemoveRmap, removeMigrationPtes, wakeWaiters } from './rmap.js';
import { addToFlush, createFlushBatch, onceAnswered } from './tlb-flush.js';

/**
 * Makes page `vpn` of an area accessible (handle_mm_fault): maps what isn't, and gives a store its own copy of a page that
 * others read. The CPU then walks again; at a migration entry it will wait by itself.
 *
 * @param flushTimeoutMs if not the machine's
 * @returns 0, or the errno that the access fails with: ENOMEM, EIO for a file that can't be read, or EHWPOISON for a page
 * that can't be copied, EOPNOTSUPP for one that is private to a device
 * @throws UnresponsiveCpuError if a page must be copied and a CPU doesn't answer: all is as it was
 */
export async function handleMmFault(
  manager: MemoryManager,
  vma: Vma,
  vpn: Vpn,
  isStore: boolean,
  flushTimeoutMs?: number,
): Promise<number> {
  const entry = entryAt(vma.table, vpn);
  if (entry & MIGRATION) return 0;
  if (entry & PRESENT) return isStore && !(entry & WRITE) ? doWpPage(manager, vma, vpn, flushTimeoutMs) : 0;
  const cleared = clearOffloaded(manager, vma, vpn);
  if (cleared) {
    await cleared;
    return 0;
  }
  try {
    const mapped = vma.cached ? mapCached(manager, vma, vpn) : mapAnonymous(manager, vma, vpn);
    // A locked folio is about to arrive elsewhere: the CPU tries again after a turn.
    if (mapped === FOLIO_LOCKED) await setImmediate();
    return mapped === 0 ? ERRNO.ENOMEM : 0;
  } catch {
    return ERRNO.EIO;
  }
}

/**
 * Handles a store to a page that is mapped for loads alone: the page itself if nobody else has it, or a copy of it
 * (do_wp_page).
 */
async function doWpPage(manager: MemoryManager, vma: Vma, vpn: Vpn, flushTimeoutMs?: number): Promise<number> {
  const { table, anon } = vma;
  const { page } = manager.memory;
  const entry = entryAt(table, vpn);
  const pfn = compoundHead(page, frameAt(table, vpn, entry));
  const isOwn = page.mapping[pfn] === anon?.id && page.refcount[pfn] === page.mapcount[pfn];
  // By the count, not by who else has an entry: one that was taken away, to be unmapped or to lead to a copy, counts until no
  // CPU can have its translation any more.
  if (isOwn && page.mapcount[pfn] === entriesOf(manager, table, pfn)) {
    makeWritable(vma, vpn);
    return 0;
  }
  return copyPage(manager, vma, vpn, flushTimeoutMs);
}

function makeWritable({ table: { pmds, ptes } }: Vma, vpn: Vpn): void {
  const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
  // CPUs may set bits meanwhile, which an addition to the word keeps.
  if (pmd & PRESENT) Atomics.or(pmds, vpn >> HPAGE_PMD_ORDER, WRITE);
  else Atomics.or(ptes, vpn, WRITE);
}

/**
 * Gives `vma` a copy of one page of its own (wp_page_copy), also of a larger folio, which it maps by PTEs from then on. Until
 * no CPU has the old translation any more the page has a migration entry: one that still loaded the old bytes would miss what
 * another has stored to the new.
 */
async function copyPage(manager: MemoryManager, vma: Vma, vpn: Vpn, flushTimeoutMs?: number): Promise<number> {
  const { memory, tlb } = manager;
  const { page } = memory;
  const { table } = vma;
  const source = frameAt(table, vpn, entryAt(table, vpn));
  if (memory.isPoisoned(source * PAGE_SIZE, PAGE_SIZE)) return ERRNO.EHWPOISON;
  const folio = compoundHead(page, source);
  // Its bytes mean something at their own frame alone. Hardware would copy them all the same, and nobody could read the copy.
  if (page.flags[folio] & PG.private) return ERRNO.EOPNOTSUPP;
  // The lock keeps migration from taking the entry for one of its own.
  if (!tryLockFolio(page, folio)) {
    await setImmediate();
    return 0;
  }
  const copy = memory.takeFolio(0 as Order, vma.nid as NodeId);
  if (copy === 0) {
    clearAndWake(page, folio, PG.locked);
    return ERRNO.ENOMEM;
  }
  splitPmdMapping(manager, table, vpn);
  memory.bytes.copyWithin(copy * PAGE_SIZE, source * PAGE_SIZE, (source + 1) * PAGE_SIZE);
  const entry = exchangeForMigration(table.ptes, vpn, source);
  const flush = createFlushBatch();
  addToFlush(flush, table, vpn, 1);
  try {
    await tlb.flush(flush, flushTimeoutMs);
  } catch (error) {
    putPageBack(manager, vma, vpn, entry, folio, error);
    memory.putFolio(copy);
    throw error;
  }
  mapCopy(manager, vma, vpn, copy, entry);
  restoreAndUnlock(manager, folio);
  folioRemoveRmap(manager, folio, 1);
  return 0;
}

/** Maps the copy of a page instead of its migration entry, or frees it, if the page was unmapped meanwhile. */
function mapCopy(manager: MemoryManager, vma: Vma, vpn: Vpn, copy: Pfn, entry: number): void {
  const { ptes } = vma.table;
  if (ptes[vpn] !== toMigrationEntry(entry)) {
    manager.memory.putFolio(copy);
    return;
  }
  adoptAnonymous(manager, vma, copy, vpn, 1);
  // Release: the copied bytes come before the entry.
  Atomics.store(ptes, vpn, makeEntry(copy, (flagsOf(entry) & ~DIRTY) | WRITE));
  wakeWaiters(manager, vpn, vpn + 1);
}

/**
 * Maps the page where it was, after a flush that failed with `error`: a CPU that goes on loading by the old translation
 * misses nothing, as long as nobody has a copy to store to.
 */
function putPageBack(manager: MemoryManager, vma: Vma, vpn: Vpn, entry: number, folio: Pfn, error: unknown): void {
  const isMapped = vma.table.ptes[vpn] === toMigrationEntry(entry);
  restoreAndUnlock(manager, folio);
  const drop = () => folioRemoveRmap(manager, folio, 1);
  // The entry is counted once more by now, unless the page was unmapped meanwhile: that CPU may load from it still.
  if (isMapped) drop();
  else onceAnswered(error, drop);
}

/** Maps a folio wherever a migration entry of it is left, as in what was forked meanwhile, and unlocks it. */
function restoreAndUnlock(manager: MemoryManager, folio: Pfn): void {
  const { page } = manager.memory;
  Atomics.add(page.refcount, folio, removeMigrationPtes(manager, folio, folio));
  clearAndWake(page, folio, PG.locked);
}
