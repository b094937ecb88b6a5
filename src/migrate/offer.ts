import { type CopyItems, createCopyItems } from '../copy/batch/items.js';
import { createOffloadUsage, type Migrator, type OffloadBatch, type OffloadUsage } from './migrator.js';

/** Room for what a migrator is offered at once, and for its answer. */
export interface Offer {
  readonly items: CopyItems;
  copied: Uint8Array;
  /** Whether a migrator that has answered may still mark folios, against its contract. */
  mayBeMarked: boolean;
  /** The place of each item among the folios that are unmapped. */
  readonly place: Uint32Array;
  readonly usage: OffloadUsage;
  /** The first item, as a batch of its own. */
  one: OffloadBatch;
}

/** Room for `room` folios, made once a lane and used for each of its batches: a migrator has it until it has answered. */
export function createOffer(room: number): Offer {
  const items = createCopyItems(room);
  const copied = new Uint8Array(room);
  const usage = createOffloadUsage();
  const one = firstOf(items, copied, usage, 1);
  return { items, copied, mayBeMarked: false, place: new Uint32Array(room), usage, one };
}

/** Has marks that come late, for an earlier batch, be of no consequence: a folio that they named would count as copied. */
export function renewMarks(offer: Offer): void {
  if (!offer.mayBeMarked) return;
  offer.mayBeMarked = false;
  offer.copied = new Uint8Array(offer.copied.length);
  offer.one = firstOf(offer.items, offer.copied, offer.usage, 1);
}

/** Puts a folio at a place of the offer, to be asked for. */
export function putOffer({ items, copied }: Offer, at: number, to: number, from: number, bytes: number): void {
  items.to[at] = to;
  items.from[at] = from;
  items.bytes[at] = bytes;
  copied[at] = 0;
}

/** The first `count` items as a batch. */
export function batchOf({ items, copied, usage, one }: Offer, count: number, isPrivate: boolean): OffloadBatch {
  if (count === 1 && !isPrivate) return one;
  return { ...firstOf(items, copied, usage, count), isPrivate };
}

/** Whether a migrator is to be asked for a batch of so many folios and bytes. */
export function isWorthwhile({ minFolios = 1, minBytes = 0 }: Migrator, folios: number, bytes: number): boolean {
  return folios >= minFolios && bytes >= minBytes;
}

function firstOf({ to, from, bytes }: CopyItems, copied: Uint8Array, usage: OffloadUsage, count: number): OffloadBatch {
  const items = { to: to.subarray(0, count), from: from.subarray(0, count), bytes: bytes.subarray(0, count) };
  return { items, copied: copied.subarray(0, count), usage, isPrivate: false };
}
