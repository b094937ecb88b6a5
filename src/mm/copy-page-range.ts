import { type PageTable, PTRS_PER_PTE } from '../cpu/page-table.js';
import { ACCESSED, DIRTY, frameOf, PRESENT, WRITE } from '../cpu/pte.js';
import { compoundHead } from '../memory/page-metadata.js';
import { HPAGE_PMD_ORDER } from '../units.js';
import type { MemoryManager } from './manager.js';
import type { Vma } from './mapping.js';
import { ensurePteLevel, entryAt, isPmdMapped } from './page-entries.js';
import { folioAddRmap } from './rmap.js';
import { addToFlush, createFlushBatch } from './tlb-flush.js';

/**
 * Gives new areas of a second address space the entries that `parent` has there (copy_page_range). Of private memory
 * neither may store from then on: the first store faults and gets a copy. Migration entries are copied too, for the areas
 * are among those that the folio's arrival maps again.
 *
 * @throws UnresponsiveCpuError if a CPU of the parent doesn't answer; everything is shared by then
 */
export async function copyPageRange(manager: MemoryManager, parent: PageTable, vmas: readonly Vma[]): Promise<void> {
  const flush = createFlushBatch();
  for (const vma of vmas) {
    for (let vpn = vma.start; vpn < vma.end; ) {
      const isHuge = isPmdMapped(parent, vpn);
      if (entryAt(parent, vpn) !== 0) copyEntry(manager, parent, vma, vpn, isHuge);
      vpn = isHuge ? (vpn | (PTRS_PER_PTE - 1)) + 1 : vpn + 1;
    }
    if (vma.anon) addToFlush(flush, parent, vma.start, vma.end - vma.start);
  }
  await manager.tlb.flush(flush);
}

function copyEntry(manager: MemoryManager, parent: PageTable, vma: Vma, vpn: number, isHuge: boolean): void {
  const { table } = vma;
  const from = isHuge ? parent.pmds : parent.ptes;
  const to = isHuge ? table.pmds : table.ptes;
  const index = isHuge ? vpn >> HPAGE_PMD_ORDER : vpn;
  // Against a CPU of the parent that sets bits: none is lost. It may store by its old translation until the flush.
  const entry = vma.anon ? Atomics.and(from, index, ~WRITE) & ~WRITE : Atomics.load(from, index);
  if (!isHuge) ensurePteLevel(table, vpn);
  // Release: the PTE level comes before, and the page's bytes came before the parent's own entry.
  Atomics.store(to, index, entry & ~(ACCESSED | DIRTY));
  if (entry & PRESENT) folioAddRmap(manager, compoundHead(manager.memory.page, frameOf(entry)), 1);
}
