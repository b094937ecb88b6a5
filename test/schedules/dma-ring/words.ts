import {
  ACTIVE,
  BELL,
  DONE,
  HEAD,
  IRQ,
  NEXT,
  SILENCE,
  STATE,
  TERMINATE,
  TERMINATED,
} from '../../../src/dma/worker/ring.js';
import { type Control, OWN } from '../control.js';

/*
 * The words of a device, numbered one part after the other: the rings of its channels, the two words of its IOMMU, entries of the
 * I/O page table, and blocks of the physical memory, first those that are read, then those that are written.
 */

/** Words of a ring, how many rings there are, and places in each. */
export const RING_WORDS = OWN;
export const CHANNELS = OWN + 1;
export const PLACES = OWN + 2;
/** Entries of the I/O page table, and the number of the first. */
export const IO_ENTRIES = OWN + 3;
export const FIRST_IO_ENTRY = OWN + 4;
/** Blocks of memory, half of them to be read, and the address of the first in blocks. */
export const BLOCKS = OWN + 5;
export const FIRST_BLOCK = OWN + 6;
/** What has been seen of a channel's words: HEAD, DONE, and how many completion records were written, counted like DONE. */
const SEEN = OWN + 8;
export const MAX_CHANNELS = 4;
export const SEEN_HEAD = 0;
export const SEEN_DONE = 1;
export const SEEN_RECORDS = 2;
const SEEN_WORDS = 3;

/** Index of what has been seen of a channel. */
export function seen(channel: number, what: number): number {
  return SEEN + channel * SEEN_WORDS + what;
}

/** Bytes of a block of memory. */
export const BLOCK_BYTES = 64 * 1024;

/** Where in a ring its descriptors begin. */
const HEADER_WORDS = 128;
/** A word of its header that nobody uses, which says whose ring it is. */
export const TAG_WORD = 31;
const HEADER = new Map([
  [BELL, 'BELL'],
  [HEAD, 'HEAD'],
  [TERMINATE, 'TERMINATE'],
  [SILENCE, 'SILENCE'],
  [4, 'ISSUED_MS'],
  [IRQ, 'IRQ'],
  [DONE, 'DONE'],
  [TERMINATED, 'TERMINATED'],
  [NEXT, 'NEXT'],
  [STATE, 'STATE'],
  [ACTIVE, 'ACTIVE'],
  [96, 'CPU_NS'],
]);
const ARRAYS = ['record', 'flags', 'first', 'count'];

/** What a word is. */
export type DmaWord =
  | { readonly kind: 'header'; readonly channel: number; readonly name: string }
  | { readonly kind: 'record'; readonly channel: number; readonly place: number }
  | { readonly kind: 'descriptor'; readonly channel: number; readonly name: string }
  | { readonly kind: 'iommu'; readonly name: 'GENERATION' | 'WAITERS' }
  | { readonly kind: 'entry'; readonly entry: number }
  | { readonly kind: 'block'; readonly block: number };

/** What word `word` is. */
export function dmaWord({ words }: Control, word: number): DmaWord {
  const channel = Math.floor(word / words[RING_WORDS]);
  if (channel < words[CHANNELS]) return ringWord(channel, word % words[RING_WORDS], words[PLACES]);
  const other = word - words[CHANNELS] * words[RING_WORDS];
  if (other < 2) return { kind: 'iommu', name: other === 0 ? 'GENERATION' : 'WAITERS' };
  const entry = other - 2;
  if (entry < words[IO_ENTRIES]) return { kind: 'entry', entry: words[FIRST_IO_ENTRY] + entry };
  return { kind: 'block', block: entry - words[IO_ENTRIES] };
}

function ringWord(channel: number, at: number, places: number): DmaWord {
  if (at < HEADER_WORDS) return { kind: 'header', channel, name: HEADER.get(at) ?? `word ${at}` };
  const place = (at - HEADER_WORDS) % places;
  const array = ARRAYS[Math.floor((at - HEADER_WORDS) / places)];
  if (array === 'record') return { kind: 'record', channel, place };
  return { kind: 'descriptor', channel, name: array ? `${array} of place ${place}` : `segment word ${at}` };
}

/** The number of the word that stands for the block of an address. */
export function blockWord({ words }: Control, address: number): number {
  const block = Math.floor(address / BLOCK_BYTES) - words[FIRST_BLOCK];
  if (block < 0 || block >= words[BLOCKS]) return -1;
  return words[CHANNELS] * words[RING_WORDS] + 2 + words[IO_ENTRIES] + block;
}

/** Its name in a log. */
export function nameOf(control: Control, word: number): string {
  const what = dmaWord(control, word);
  switch (what.kind) {
    case 'header':
    case 'descriptor':
      return `channel ${what.channel} ${what.name}`;
    case 'record':
      return `channel ${what.channel} record of place ${what.place}`;
    case 'iommu':
      return what.name;
    case 'entry':
      return `entry ${what.entry}`;
    default:
      return isTarget(control, what.block) ? `target block ${what.block}` : `source block ${what.block}`;
  }
}

/** Whether a block is one that channels write to. */
export function isTarget({ words }: Control, block: number): boolean {
  return block >= words[BLOCKS] / 2;
}
