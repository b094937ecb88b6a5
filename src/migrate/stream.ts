import type { StreamList } from '../copy/stream-list.js';
import { ERRNO } from '../errno.js';
import { PAGE_SIZE } from '../units.js';
import { PIECE_BYTES } from './folio-copy.js';
import { bytesOf, isPrivate, type Migration } from './migration.js';
import { needResched, PAGES_A_SLICE, resched, type Slice } from './resched.js';

/** The list that the calling thread is to copy a whole batch with; `undefined` if it is to copy folio by folio. */
export function streamListOf({ stores, error, folioStream }: Migration): StreamList | undefined {
  return stores === 'streaming' && error === undefined ? folioStream.open() : undefined;
}

/** How far a batch is copied. */
interface Cursor {
  /** The position of the folio that is next. */
  next: number;
  /** Bytes of it that are copied already. */
  done: number;
}

/**
 * Copies each unmapped folio of that `errno` on the calling thread, past the caches, with turns of the event loop between. One
 * with a poisoned frame is EHWPOISON, and copied in part at most.
 */
export async function streamEach(migration: Migration, which: number, list: StreamList): Promise<void> {
  const { unmapped, slice } = migration;
  const cursor = { next: 0, done: 0 };
  while (cursor.next < unmapped.count) {
    const isTurnDue = streamListed(migration, list, listFrom(migration, which, list, cursor), cursor);
    // In a turn others may use the list: what is left of it is listed anew.
    if (isTurnDue) await resched(slice);
  }
}

/** Lists as many folios as there is room for. Returns how many. */
function listFrom(migration: Migration, which: number, list: StreamList, { next, done }: Cursor): number {
  const { unmapped, offer } = migration;
  const { src, dst, errno, offloaded } = unmapped;
  let count = 0;
  for (let i = next; i < unmapped.count && count < list.room; i++) {
    if (errno[i] !== which) continue;
    if (isPrivate(migration, i)) {
      errno[i] = ERRNO.EOPNOTSUPP;
      continue;
    }
    offloaded[i] = 0;
    const copied = i === next ? done : 0;
    list.put(count, dst[i] * PAGE_SIZE + copied, src[i] * PAGE_SIZE + copied, bytesOf(migration, i) - copied);
    offer.place[count++] = i;
  }
  return count;
}

/** Copies what is listed, and moves the cursor on. Returns whether a turn of the event loop is due. */
function streamListed(migration: Migration, list: StreamList, count: number, cursor: Cursor): boolean {
  const { unmapped, offer, slice } = migration;
  const { place } = offer;
  for (let first = 0; first < count; ) {
    const end = list.walk(first, count, bytesAtOnce(slice) - 1);
    let bytes = -cursor.done;
    cursor.done = 0;
    for (; first < end; first++) {
      const left = list.left(first);
      unmapped.errno[place[first]] = left === 0 ? 0 : ERRNO.EHWPOISON;
      bytes += bytesOf(migration, place[first]) - left;
    }
    if (first < count) {
      cursor.done = bytesOf(migration, place[first]) - list.left(first);
      bytes += cursor.done;
    }
    cursor.next = first < count ? place[first] : place[count - 1] + 1;
    if (needResched(slice, bytes / PAGE_SIZE)) return true;
  }
  // Behind the last that is listed others may be none that are to be copied.
  if (count < list.room) cursor.next = unmapped.count;
  return false;
}

/** Bytes until the next look at the clock, or the next turn. */
function bytesAtOnce({ pages }: Slice): number {
  return Math.max(1, Math.min(PIECE_BYTES, (PAGES_A_SLICE - pages) * PAGE_SIZE));
}
