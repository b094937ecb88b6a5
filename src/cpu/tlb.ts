import { HPAGE_PMD_ORDER } from '../units.js';
import { PTRS_PER_PTE } from './page-table.js';

/** Translations of 4 KiB that a CPU holds; a power of two. */
const ENTRIES = 2048;
/** Translations of 2 MiB that a CPU holds. */
const HUGE_ENTRIES = 1024;
/** Tag of an entry that holds nothing. */
const EMPTY = -1;
/** In an entry's value, beside the frame number: stores need no walk, for the PTE is writable and dirty. */
export const STORABLE = 1 << 30;
export const FRAME = STORABLE - 1;

/**
 * A CPU's translation look-aside buffer, private to its thread: direct-mapped, one array of entries for pages and one for
 * 2 MiB mappings. Like the hardware's it goes on translating what the page table no longer says, until it is flushed.
 */
export interface Tlb {
  readonly tags: Int32Array;
  readonly values: Int32Array;
  readonly hugeTags: Int32Array;
  readonly hugeValues: Int32Array;
}

export function createTlb(): Tlb {
  const tlb = {
    tags: new Int32Array(ENTRIES),
    values: new Int32Array(ENTRIES),
    hugeTags: new Int32Array(HUGE_ENTRIES),
    hugeValues: new Int32Array(HUGE_ENTRIES),
  };
  flushAll(tlb);
  return tlb;
}

/** The frame of page `vpn` with {@link STORABLE}, or -1 if the TLB doesn't hold it. */
export function lookUp({ tags, values, hugeTags, hugeValues }: Tlb, vpn: number): number {
  const slot = vpn & (ENTRIES - 1);
  if (tags[slot] === vpn) return values[slot];
  const hugeVpn = vpn >> HPAGE_PMD_ORDER;
  const hugeSlot = hugeVpn & (HUGE_ENTRIES - 1);
  if (hugeTags[hugeSlot] === hugeVpn) return hugeValues[hugeSlot] + (vpn & (PTRS_PER_PTE - 1));
  return EMPTY;
}

/** Holds the translation of page `vpn`. */
export function insert({ tags, values }: Tlb, vpn: number, value: number): void {
  const slot = vpn & (ENTRIES - 1);
  tags[slot] = vpn;
  values[slot] = value;
}

/** Holds the translation of the 2 MiB that `vpn` is in; `value` has the first frame. */
export function insertHuge({ hugeTags, hugeValues }: Tlb, vpn: number, value: number): void {
  const hugeVpn = vpn >> HPAGE_PMD_ORDER;
  const slot = hugeVpn & (HUGE_ENTRIES - 1);
  hugeTags[slot] = hugeVpn;
  hugeValues[slot] = value;
}

export function flushAll({ tags, hugeTags }: Tlb): void {
  tags.fill(EMPTY);
  hugeTags.fill(EMPTY);
}

/** Forgets pages `start` up to `end`, and every 2 MiB translation that covers one of them. */
export function flushRange({ tags, hugeTags }: Tlb, start: number, end: number): void {
  for (let vpn = start; vpn < end; vpn++) {
    if (tags[vpn & (ENTRIES - 1)] === vpn) tags[vpn & (ENTRIES - 1)] = EMPTY;
    const hugeVpn = vpn >> HPAGE_PMD_ORDER;
    if (hugeTags[hugeVpn & (HUGE_ENTRIES - 1)] === hugeVpn) hugeTags[hugeVpn & (HUGE_ENTRIES - 1)] = EMPTY;
  }
}
