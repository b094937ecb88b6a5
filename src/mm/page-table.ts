import { HPAGE_PMD_ORDER, type Vpn } from '../units.js';
import { ACCESSED, DIRTY, flagsOf, frameOf, makeEntry, TABLE } from './pte.js';

/** Pages that a PMD entry covers. */
export const PTRS_PER_PTE = 1 << HPAGE_PMD_ORDER;
/** Virtual pages of an address space: 16 GiB, four times what physical memory can have. */
export const VPN_LIMIT = 1 << 22;

const PMDS = VPN_LIMIT >> HPAGE_PMD_ORDER;
/** Words before the entries: the mask of CPUs, in a cache line of its own. */
const HEADER_WORDS = 32;
const PMD_WORD = HEADER_WORDS;
const PTE_WORD = HEADER_WORDS + PMDS;

/**
 * The page table of one address space, in shared memory: every CPU walks it, and sets accessed and dirty bits. All else
 * is written by the thread that owns the physical memory.
 *
 * Both levels are laid out for the whole address space and take real memory only where they are touched: PTE tables need
 * no allocation, and the entry of a page is at its page number.
 */
export interface PageTable {
  readonly buffer: SharedArrayBuffer;
  /** Two words: a bit for each CPU that runs this address space (mm_cpumask), set and cleared by the CPU itself. */
  readonly cpuMask: Int32Array;
  /** PMD entries, by virtual page number / 512. Each maps 2 MiB whole, or says TABLE, or 0. */
  readonly pmds: Int32Array;
  /** PTEs, by virtual page number; to be looked at where the PMD says TABLE. */
  readonly ptes: Int32Array;
}

export function createPageTable(): PageTable {
  return openPageTable(new SharedArrayBuffer((PTE_WORD + VPN_LIMIT) * 4));
}

/** The page table in `buffer`, seen from any thread. */
export function openPageTable(buffer: SharedArrayBuffer): PageTable {
  return {
    buffer,
    cpuMask: new Int32Array(buffer, 0, 2),
    pmds: new Int32Array(buffer, PMD_WORD * 4, PMDS),
    ptes: new Int32Array(buffer, PTE_WORD * 4, VPN_LIMIT),
  };
}

/** The entry that says what is mapped at `vpn`, for a CPU; see {@link entryAt}. */
export function walkTo({ pmds, ptes }: PageTable, vpn: number): number {
  // Acquire, twice: a PMD comes after the PTEs that it leads to, and an entry after the bytes that it maps.
  const pmd = Atomics.load(pmds, vpn >> HPAGE_PMD_ORDER);
  return pmd === TABLE ? Atomics.load(ptes, vpn) : pmd;
}

/** Sets the accessed bit, and on a store the dirty bit, as a CPU's page walker does. Returns false if the entry has changed. */
export function markAccessed(entries: Int32Array, index: number, entry: number, bits: number): boolean {
  if ((entry & bits) === bits) return true;
  // Against the thread that exchanges the entry for a migration entry: either it sees the bits in what it takes out, or this
  // fails and the CPU walks again. A bit is never set in an entry that was not looked at.
  return Atomics.compareExchange(entries, index, entry, entry | bits) === entry;
}

/*
 * What follows is for the thread that writes the entries. It reads them without Atomics: nothing but accessed and dirty bits
 * changes behind its back, and those it takes out with an exchange.
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

/**
 * Maps what a PMD maps with 512 PTEs instead (__split_huge_pmd). The folio stays whole, and CPUs that hold the old
 * translation reach the same frames by it. Works for a migration entry too.
 *
 * @returns whether there was a PMD to split
 */
export function splitHugePmd({ pmds, ptes }: PageTable, vpn: Vpn): boolean {
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

/** Sets the accessed bit of a present page, and on a store the dirty bit, for the thread that alone replaces entries. */
export function touch({ pmds, ptes }: PageTable, vpn: number, isStore: boolean): void {
  const bits = isStore ? ACCESSED | DIRTY : ACCESSED;
  const index = vpn >> HPAGE_PMD_ORDER;
  if (pmds[index] === TABLE) Atomics.or(ptes, vpn, bits);
  else Atomics.or(pmds, index, bits);
}
