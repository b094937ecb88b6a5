/*
 * The copy loop, in AssemblyScript: one call walks a whole list and does a memory.copy for each on it; and what fills and compares
 * by the same lists.
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

/** Fills one range with a byte. */
export function fillOne(to: u32, bytes: u32, byte: u32): void {
  memory.fill(to, <u8>byte, bytes);
}

/**
 * As {@link walk}, but fills the destinations with a byte; sources are not looked at, poisoned frames are filled like any others.
 */
export function fill(list: usize, end: usize, stop: usize, left: usize, limit: u32, byte: u32): usize {
  let filled: u64 = 0;
  for (; list < end; list += DESCRIPTOR) {
    let to = load<u32>(list);
    let bytes = load<u32>(list, 8);
    while (bytes != 0) {
      if (filled > <u64>limit) return list;
      // Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs.
      if (atomic.load<u32>(stop)) {
        atomic.add<u32>(left, 1);
        return end;
      }
      const piece = bytes < PIECE ? bytes : PIECE;
      memory.fill(to, <u8>byte, piece);
      to += piece;
      bytes -= piece;
      filled += piece;
      store<u32>(list, to);
      store<u32>(list, bytes, 8);
    }
  }
  return end;
}

/** Bytes before the first that differs; all if none does. */
function equalBytes(a: u32, b: u32, bytes: u32): u32 {
  let at: u32 = 0;
  // Four words a turn, for one alone takes twice as long.
  for (; bytes - at >= 32; at += 32) {
    const x = <usize>(a + at);
    const y = <usize>(b + at);
    const first = (load<u64>(x) ^ load<u64>(y)) | (load<u64>(x, 8) ^ load<u64>(y, 8));
    const second = (load<u64>(x, 16) ^ load<u64>(y, 16)) | (load<u64>(x, 24) ^ load<u64>(y, 24));
    if ((first | second) != 0) break;
  }
  while (at < bytes && load<u8>(<usize>(a + at)) == load<u8>(<usize>(b + at))) at++;
  return at;
}

/**
 * Compares two ranges of less than 2 GiB. Returns where they first differ, -1 if nowhere; -2, and has compared nothing, if either has
 * a poisoned frame.
 */
export function compareOne(a: u32, b: u32, bytes: u32, poison: usize): i32 {
  if (atomic.load<u32>(poison) != 0 && bytes != 0 && (isPoisoned(poison, a, bytes) || isPoisoned(poison, b, bytes)))
    return -2;
  const equal = equalBytes(a, b, bytes);
  return equal == bytes ? -1 : <i32>equal;
}

/**
 * As {@link walk}, but compares the two sides of each descriptor, up to the first byte that differs, where its words then stay.
 * Takes the word at `found` down to the address of that descriptor; what comes after the one that it names is left out. One with
 * a poisoned frame on either side is left as it is.
 */
export function compare(
  list: usize,
  end: usize,
  stop: usize,
  poison: usize,
  left: usize,
  limit: u32,
  found: usize,
): usize {
  const mayBePoisoned = atomic.load<u32>(poison) != 0;
  let compared: u64 = 0;
  for (; list < end; list += DESCRIPTOR) {
    let a = load<u32>(list);
    let b = load<u32>(list, 4);
    let bytes = load<u32>(list, 8);
    if (mayBePoisoned && bytes != 0 && (isPoisoned(poison, a, bytes) || isPoisoned(poison, b, bytes))) {
      atomic.add<u32>(left, 1);
      continue;
    }
    while (bytes != 0) {
      if (compared > <u64>limit) return list;
      // Orders nothing: the word only ever goes down, so by any value of it what comes here is later than a difference.
      if (<u32>list >= atomic.load<u32>(found)) return end;
      // Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs.
      if (atomic.load<u32>(stop)) {
        atomic.add<u32>(left, 1);
        return end;
      }
      const piece = bytes < PIECE ? bytes : PIECE;
      const equal = equalBytes(a, b, piece);
      a += equal;
      b += equal;
      bytes -= equal;
      compared += piece;
      store<u32>(list, a);
      store<u32>(list, b, 4);
      store<u32>(list, bytes, 8);
      if (equal == piece) continue;
      lower(found, <u32>list);
      return end;
    }
  }
  return end;
}

/** Takes a word down to `to`, if that is lower. Whoever reads it finds what the descriptor that it names says. */
function lower(word: usize, to: u32): void {
  for (let known = atomic.load<u32>(word); to < known; ) {
    const seen = atomic.cmpxchg<u32>(word, known, to);
    if (seen == known) return;
    known = seen;
  }
}
