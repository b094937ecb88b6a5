import { type PageTable, PTRS_PER_PTE } from '../cpu/page-table.js';
import { flagsOf, frameOf, makeEntry, PRESENT, TABLE } from '../cpu/pte.js';
import { HPAGE_PMD_ORDER, type Vpn } from '../units.js';
import type { MemoryManager } from './manager.js';

/** Maps by PTEs what a PMD maps at `vpn`: 512 entries hold a reference each instead of one. */
export function splitPmdMapping({ memory }: MemoryManager, table: PageTable, vpn: Vpn): void {
  const { page } = memory;
  const pmd = table.pmds[vpn >> HPAGE_PMD_ORDER];
  if (!splitHugePmd(table, vpn) || !(pmd & PRESENT)) return;
  const pfn = frameOf(pmd);
  page.mapcount[pfn] = page.mapcount[pfn] + (1 << HPAGE_PMD_ORDER) - 1;
  Atomics.add(page.refcount, pfn, (1 << HPAGE_PMD_ORDER) - 1);
}

/**
 * Maps what a PMD maps with 512 PTEs instead (__split_huge_pmd). The folio stays whole, and CPUs that hold the old
 * translation reach the same frames by it. Works for a migration entry too.
 *
 * @returns whether there was a PMD to split
 */
function splitHugePmd({ pmds, ptes }: PageTable, vpn: Vpn): boolean {
  const index = vpn >> HPAGE_PMD_ORDER;
  const first = vpn & -PTRS_PER_PTE;
  for (;;) {
    const pmd = Atomics.load(pmds, index);
    if (pmd === 0 || pmd === TABLE) return false;
    for (let i = 0; i < PTRS_PER_PTE; i++) ptes[first + i] = makeEntry(frameOf(pmd) + i, flagsOf(pmd));
    // Orders the PTEs before the PMD that leads to them. It fails if a CPU set a bit since the load: then once more, so
    // that no dirty bit is lost.
    if (Atomics.compareExchange(pmds, index, pmd, TABLE) === pmd) return true;
  }
}
