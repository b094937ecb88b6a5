import { type CopyItems, createCopyItems } from '../copy/batch/items.js';
import type { Stores } from '../words.js';
import { createOffloadUsage, type Migrator, type OffloadBatch, type OffloadUsage } from './migrator.js';

/** Room for what a migrator is offered at once. */
export interface Offer {
  readonly items: CopyItems;
  /** The place of each item among the folios that are unmapped. */
  readonly place: Uint32Array;
  readonly usage: OffloadUsage;
  readonly stores: Exclude<Stores, 'auto'>;
  /** The first item, as a batch of its own. */
  one: OffloadBatch;
  /** Whether who was asked for `one` may still mark it, against the contract: marks that come late must be of no consequence. */
  isOneSpent: boolean;
}

/** Room for `room` folios, made once a lane and used for each of its batches: a migrator has it until it has answered. */
export function createOffer(room: number, stores: Offer['stores']): Offer {
  const all = { items: createCopyItems(room), usage: createOffloadUsage(), stores };
  return { ...all, place: new Uint32Array(room), one: batchOf(all, 1, false), isOneSpent: false };
}

/** Puts a folio at a place of the offer, to be asked for. */
export function putOffer({ items }: Offer, at: number, to: number, from: number, bytes: number): void {
  items.to[at] = to;
  items.from[at] = from;
  items.bytes[at] = bytes;
}

/** The first `count` items as a batch, of which nothing is marked. Its marks are its own. */
export function batchOf(
  { items: { to, from, bytes }, usage, stores }: Pick<Offer, 'items' | 'usage' | 'stores'>,
  count: number,
  isPrivate: boolean,
): OffloadBatch {
  const items = { to: to.subarray(0, count), from: from.subarray(0, count), bytes: bytes.subarray(0, count) };
  return { items, copied: new Uint8Array(count), usage, isPrivate, stores };
}

/** As {@link batchOf} for the first item alone; the same object each time, as far as that does. */
export function oneOf(offer: Offer, isPrivate: boolean): OffloadBatch {
  if (isPrivate) return batchOf(offer, 1, true);
  if (offer.isOneSpent) offer.one = batchOf(offer, 1, false);
  offer.isOneSpent = false;
  offer.one.copied[0] = 0;
  return offer.one;
}

/** Whether a migrator is to be asked for a batch of so many folios and bytes. */
export function isWorthwhile({ minFolios = 1, minBytes = 0 }: Migrator, folios: number, bytes: number): boolean {
  return folios >= minFolios && bytes >= minBytes;
}
