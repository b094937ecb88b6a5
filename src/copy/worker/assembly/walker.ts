/*
 * The copy loop, in AssemblyScript: one call walks a whole list and does a memory.copy for each on it.
 *
 * The list is of descriptors: three 32-bit words each, to, from, bytes left. They are the descriptor's progress: after a
 * worker's death or an abort the caller reads in shared memory what was copied, or has it gone on with. The three change
 * together: V8 ends a thread at the next call or turn of a loop, never between two stores.
 */

/**
 * Bytes of one memory.copy, between two looks at the stop word. Engines call the C library's memmove, whose fastest way
 * (`rep movsb`) ends at a size that depends on the CPU: on the reference machine 24 GB/s up to 512 KiB, 20 beyond.
 */
const PIECE: u32 = 256 << 10;
const DESCRIPTOR: usize = 12;
/** How far ahead of the one at hand the list is fetched, in bytes: 32 descriptors. */
const AHEAD: usize = 384;
const PAGE_SHIFT: u32 = 12;
/** PoisonMap.BITS_OFFSET */
const POISON_BITS: usize = 64;

function isPoisoned(poison: usize, from: u32, bytes: u32): bool {
  const last = (from + bytes - 1) >>> PAGE_SHIFT;
  for (let pfn = from >>> PAGE_SHIFT; pfn <= last; pfn++) {
    if ((atomic.load<u32>(poison + POISON_BITS + ((pfn >>> 5) << 2)) >>> (pfn & 31)) & 1) return true;
  }
  return false;
}

/**
 * Copies the descriptors from `list` up to `end`, until the word at `stop` is not 0 or more than `limit` bytes are copied.
 * One whose source has a poisoned frame is left as it is. Adds to the word at `left` for what it leaves for good.
 *
 * @returns the descriptor to go on with; `end` if that was all
 */
export function walk(list: usize, end: usize, stop: usize, poison: usize, left: usize, limit: u32): usize {
  const mayBePoisoned = atomic.load<u32>(poison) != 0;
  let copied: u64 = 0;
  for (; list < end; list += DESCRIPTOR) {
    if (copied > <u64>limit) return list;
    // Pairs with the caller's store: seen at the next descriptor at the latest, which is all an abort needs.
    if (atomic.load<u32>(stop)) break;
    let to = load<u32>(list);
    let from = load<u32>(list, 4);
    let bytes = load<u32>(list, 8);
    // The caller's core wrote the list: fetches it ahead. Atomic, or the optimizer would leave it out.
    atomic.load<u32>(list, AHEAD);
    if (mayBePoisoned && bytes != 0 && isPoisoned(poison, from, bytes)) {
      atomic.add<u32>(left, 1);
      continue;
    }
    copied += bytes;
    while (bytes > PIECE && !atomic.load<u32>(stop)) {
      memory.copy(to, from, PIECE);
      to += PIECE;
      from += PIECE;
      bytes -= PIECE;
      store<u32>(list, to);
      store<u32>(list, from, 4);
      store<u32>(list, bytes, 8);
      if (copied - bytes > <u64>limit) return list;
    }
    if (bytes > PIECE) break;
    memory.copy(to, from, bytes);
    store<u32>(list, 0, 8);
  }
  if (list < end) atomic.add<u32>(left, 1);
  return end;
}

/** Copies one item. Returns false, and has copied nothing, if its source has a poisoned frame. */
export function copyOne(to: u32, from: u32, bytes: u32, poison: usize): bool {
  if (atomic.load<u32>(poison) != 0 && isPoisoned(poison, from, bytes)) return false;
  while (bytes > PIECE) {
    memory.copy(to, from, PIECE);
    to += PIECE;
    from += PIECE;
    bytes -= PIECE;
  }
  memory.copy(to, from, bytes);
  return true;
}
