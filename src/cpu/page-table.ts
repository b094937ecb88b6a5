import { HPAGE_PMD_ORDER } from '../units.js';
import { TABLE } from './pte.js';

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
  const maxByteLength = (PTE_WORD + VPN_LIMIT) * 4;
  // A buffer that may grow, though it never does, is mapped by itself. Others come from malloc, and glibc's, once one of this
  // size was freed, takes the next from its heap and clears it: all of it is real memory then.
  const buffer = Reflect.construct(SharedArrayBuffer, [maxByteLength, { maxByteLength }]) as SharedArrayBuffer;
  return openPageTable(buffer);
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

/** The entry that says what is mapped at `vpn`, for a CPU. */
export function walkTo({ pmds, ptes }: PageTable, vpn: number): number {
  // Acquire, twice: a PMD comes after the PTEs that it leads to, and an entry after the bytes that it maps.
  const pmd = Atomics.load(pmds, vpn >> HPAGE_PMD_ORDER);
  return pmd === TABLE ? Atomics.load(ptes, vpn) : pmd;
}

/**
 * Sets the accessed bit, and on a store the dirty bit, as a CPU's page walker does. Returns false if the entry has changed.
 */
export function markAccessed(entries: Int32Array, index: number, entry: number, bits: number): boolean {
  if ((entry & bits) === bits) return true;
  // Against the thread that exchanges the entry for a migration entry: either it sees the bits in what it takes out, or this
  // fails and the CPU walks again. A bit is never set in an entry that was not looked at.
  return Atomics.compareExchange(entries, index, entry, entry | bits) === entry;
}
