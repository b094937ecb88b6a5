/*
 * Page-table entries, of one format at both levels: a 32-bit word with the frame number in its upper 20 bits, where x86
 * has it too, and flags below.
 *
 * An entry is one of: 0 (nothing is mapped), a present one, a migration entry (its folio is on its way to other frames;
 * the frame number is still the old one), or, at the PMD level alone, TABLE (look at the 512 entries below).
 */

/** The entry maps a frame. */
export const PRESENT = 1 << 0;
/** Stores are allowed; in a migration entry, they will be again. */
export const WRITE = 1 << 1;
/** A CPU has loaded or stored through the entry. Set by CPUs, with a compare-exchange. */
export const ACCESSED = 1 << 5;
/** A CPU has stored through the entry. Set by CPUs, with a compare-exchange. */
export const DIRTY = 1 << 6;
/** A migration entry. */
export const MIGRATION = 1 << 9;
/** A PMD that leads to the PTE level. */
export const TABLE = 1 << 10;

const FRAME_SHIFT = 12;
const FLAGS = (1 << FRAME_SHIFT) - 1;

/** An entry of frame `pfn` with `flags`. */
export function makeEntry(pfn: number, flags: number): number {
  return (pfn << FRAME_SHIFT) | flags;
}

/** The frame of a present or a migration entry. */
export function frameOf(entry: number): number {
  return entry >>> FRAME_SHIFT;
}

export function flagsOf(entry: number): number {
  return entry & FLAGS;
}

/** The migration entry that takes the place of a present entry, and remembers what may be done and was done through it. */
export function toMigrationEntry(entry: number): number {
  return (entry & ~PRESENT) | MIGRATION;
}

/** The present entry of frame `pfn` that takes the place of a migration entry. */
export function fromMigrationEntry(entry: number, pfn: number): number {
  return makeEntry(pfn, (entry & FLAGS & ~MIGRATION) | PRESENT);
}
