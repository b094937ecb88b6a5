import { type PageTable, PTRS_PER_PTE } from '../cpu/page-table.js';
import { ACCESSED, DIRTY, frameOf, TABLE } from '../cpu/pte.js';
import { HPAGE_PMD_ORDER } from '../units.js';

/*
 * Page tables as their owner's thread sees them, which alone writes the entries. It reads them without Atomics: nothing but
 * accessed and dirty bits changes behind its back, and those it takes out with an exchange.
 */

/** The entry that says what is mapped at `vpn`: a PMD if that maps it whole, else a PTE. 0 if nothing is. */
export function entryAt({ pmds, ptes }: PageTable, vpn: number): number {
  const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
  return pmd === TABLE ? ptes[vpn] : pmd;
}

/** Whether `vpn` is mapped by a PMD, present or on its way. */
export function isPmdMapped({ pmds }: PageTable, vpn: number): boolean {
  const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
  return pmd !== 0 && pmd !== TABLE;
}

/** The frame behind `vpn`, whose entry is present or a migration entry: within a huge mapping, that of the page itself. */
export function frameAt(table: PageTable, vpn: number, entry: number): number {
  return frameOf(entry) + (isPmdMapped(table, vpn) ? vpn & (PTRS_PER_PTE - 1) : 0);
}

/** Makes the PTE level the one to look at for `vpn` (pte_alloc). */
export function ensurePteLevel({ pmds }: PageTable, vpn: number): void {
  // Release: what was left in the PTEs was taken out before. A CPU that comes by them finds nothing mapped.
  if (pmds[vpn >> HPAGE_PMD_ORDER] === 0) Atomics.store(pmds, vpn >> HPAGE_PMD_ORDER, TABLE);
}

/** Whether no page of the PMD that covers `vpn` is mapped. */
export function isPmdEmpty({ pmds, ptes }: PageTable, vpn: number): boolean {
  const pmd = pmds[vpn >> HPAGE_PMD_ORDER];
  if (pmd !== TABLE) return pmd === 0;
  const first = vpn & -PTRS_PER_PTE;
  for (let page = first; page < first + PTRS_PER_PTE; page++) if (ptes[page] !== 0) return false;
  return true;
}

/** Sets the accessed bit of a present page, and on a store the dirty bit, for the thread that alone replaces entries. */
export function touch({ pmds, ptes }: PageTable, vpn: number, isStore: boolean): void {
  const bits = isStore ? ACCESSED | DIRTY : ACCESSED;
  const index = vpn >> HPAGE_PMD_ORDER;
  // Against CPUs that set bits of the same entry: none is lost.
  if (pmds[index] === TABLE) Atomics.or(ptes, vpn, bits);
  else Atomics.or(pmds, index, bits);
}
