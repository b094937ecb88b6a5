import { type PageTable, PTRS_PER_PTE } from '../cpu/page-table.js';
import { ACCESSED, DIRTY, frameOf, MIGRATION, PRESENT, TABLE } from '../cpu/pte.js';
import { compoundHead, type PageMetadata, PG } from '../memory/page-metadata.js';
import { HPAGE_PMD_ORDER, type Pfn, type Vpn } from '../units.js';
import { splitPmdMapping } from './huge-memory.js';
import type { MemoryManager } from './manager.js';
import { isPmdEmpty } from './page-entries.js';
import { folioRemoveRmap, wakeWaiters } from './rmap.js';
import { addToFlush, createFlushBatch, onceAnswered } from './tlb-flush.js';

/**
 * Takes every entry of pages `first` up to `end` away (zap_page_range), flushes, and then drops the references
 * that they held: no CPU reaches a frame that is free. A folio on its way finds nothing to map when it arrives.
 *
 * @returns nothing if it is done; a promise if CPUs are slow to answer, which rejects with an UnresponsiveCpuError if they
 * don't; the pages are unmapped all the same, and freed once it has
 */
export function zapRange(
  manager: MemoryManager,
  table: PageTable,
  first: number,
  end: number,
): Promise<void> | undefined {
  const { page } = manager.memory;
  /** Entries taken away, by the head of their folio. */
  const removed = new Map<Pfn, number>();
  let isOnItsWay = false;
  for (let vpn = first; vpn < end; ) {
    if (reachesBeyond(vpn, first, end)) splitPmdMapping(manager, table, vpn as Vpn);
    const entry = takeEntry(table, vpn);
    if (entry & PRESENT) {
      const pfn = compoundHead(page, frameOf(entry));
      removed.set(pfn, (removed.get(pfn) ?? 0) + 1);
      if (manager.mappings.get(page.mapping[pfn])?.cache) keepBits(page, pfn, entry);
    } else if (entry & MIGRATION) {
      isOnItsWay = true;
      wakeWaiters(manager, vpn, vpn + PTRS_PER_PTE);
    }
    vpn = hasPteLevel(table, vpn) ? vpn + 1 : (vpn | (PTRS_PER_PTE - 1)) + 1;
  }
  clearEmptyPmds(table, first, end);
  // Of what is on its way CPUs may have the translation until the migration has flushed (flush_tlb_batched_pending).
  if (removed.size === 0 && !isOnItsWay) return undefined;
  const flush = createFlushBatch();
  addToFlush(flush, table, first, end - first);
  const drop = () => {
    for (const [pfn, entries] of removed) folioRemoveRmap(manager, pfn, entries);
  };
  const answers = manager.tlb.flush(flush);
  if (!answers) {
    drop();
    return undefined;
  }
  return answers.then(drop, (error) => {
    onceAnswered(error, drop);
    throw error;
  });
}

/** Leaves with a folio that stays cached what CPUs did to it through an entry. */
function keepBits({ flags }: PageMetadata, pfn: Pfn, entry: number): void {
  const bits = (entry & DIRTY ? PG.dirty : 0) | (entry & ACCESSED ? PG.referenced : 0);
  if (bits !== 0) Atomics.or(flags, pfn, bits);
}

/** Whether the 2 MiB around `vpn` are not all in the range. */
function reachesBeyond(vpn: number, first: number, end: number): boolean {
  const start = vpn & -PTRS_PER_PTE;
  return start < first || start + PTRS_PER_PTE > end;
}

/** Takes away the entry that maps `vpn`, a whole PMD if there is one, and returns it. */
function takeEntry({ pmds, ptes }: PageTable, vpn: number): number {
  const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
  // Against a CPU that sets bits: its exchange fails, and its next walk finds nothing.
  if (pmd !== 0 && pmd !== TABLE) return Atomics.exchange(pmds, vpn >> HPAGE_PMD_ORDER, 0);
  return pmd === 0 || ptes[vpn] === 0 ? 0 : Atomics.exchange(ptes, vpn, 0);
}

function hasPteLevel({ pmds }: PageTable, vpn: number): boolean {
  return pmds[vpn >> HPAGE_PMD_ORDER] === TABLE;
}

/** Forgets the PTE level where nothing is left in it, so that a PMD can map there again (free_pgtables). */
function clearEmptyPmds(table: PageTable, first: number, end: number): void {
  for (let vpn = first; vpn < end; vpn = (vpn | (PTRS_PER_PTE - 1)) + 1) {
    // A CPU that still walks the PTE level finds it empty: its entries were taken out before.
    if (isPmdEmpty(table, vpn)) Atomics.store(table.pmds, vpn >> HPAGE_PMD_ORDER, 0);
  }
}
