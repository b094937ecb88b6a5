/* Compares the two sides of each descriptor of a list, in any shared memory (line.h). Nothing of them is written. */
#include "line.h"
#include "stream.h"

enum {
  /* Bytes of one side that are read before the other's. */
  BLOCK_BYTES = 1024
};

/* Whether a block is the same on two sides that collide: they are not read in turns, but one after the other. */
STREAMING static bool equal_block(const uint8_t *a, const uint8_t *b) {
  _Alignas(LINE_BYTES) uint8_t block[BLOCK_BYTES];
  for (size_t at = 0; at < BLOCK_BYTES; at += LINE_BYTES) copy_line(block + at, a + at, false);
  for (size_t at = 0; at < BLOCK_BYTES; at += LINE_BYTES)
    if (!equal_line(block + at, b + at)) return false;
  return true;
}

/* Bytes before the first that differs; all if none does. */
STREAMING static size_t equal_bytes(const uint8_t *a, const uint8_t *b, size_t bytes) {
  size_t at = 0;
  if (bytes >= LINE_BYTES && equal_line(a, b)) {
    /* From here on one side is read by whole lines of its own. */
    at = LINE_BYTES - (uintptr_t)a % LINE_BYTES;
    if (sides_collide(a, b))
      while (at + BLOCK_BYTES <= bytes && equal_block(a + at, b + at)) at += BLOCK_BYTES;
    while (at + LINE_BYTES <= bytes && equal_line(a + at, b + at)) at += LINE_BYTES;
  }
  /* A line that differs somewhere, or less than a line. */
  while (at < bytes && a[at] == b[at]) at++;
  return at;
}

/* Takes the word at `found` down to `at`, if that is lower. Release: whoever reads it finds what the descriptor says. */
static void lower(struct memory memory, uint32_t found, uint32_t at) {
  uint32_t known = load(memory, found);
  while (at < known && !__atomic_compare_exchange_n(word(memory, found), &known, at, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

/* Whether a frame of a range is poisoned. The engine's memory is the first place, and no other has such frames. */
static bool is_bad(struct line line, struct memory memory, struct walk asked, double address, double length) {
  return has(line.places, address, length) && is_poisoned(memory, asked.poison, (uint64_t)address, (uint64_t)length);
}

static int64_t compare_places(struct line line, struct memory memory, struct walk asked, uint32_t found) {
  bool may_be_poisoned = load(memory, asked.poison) != 0;
  uint64_t compared = 0;
  for (uint32_t at = asked.list; at < asked.end; at += DESCRIPTOR_BYTES) {
    double a = load_double(memory, at), b = load_double(memory, at + WORD_BYTES);
    double length = load_double(memory, at + 2 * WORD_BYTES);
    if (length == 0) continue;
    const uint8_t *one = range_at(line, a, length), *other = range_at(line, b, length);
    if (!one || !other) return WALK_BAD_DESCRIPTOR;
    if (may_be_poisoned && (is_bad(line, memory, asked, a, length) || is_bad(line, memory, asked, b, length))) {
      leave(memory, asked.left);
      continue;
    }
    for (uint64_t bytes = (uint64_t)length; bytes > 0;) {
      if (compared > asked.limit) return at;
      /* Orders nothing: the word only ever goes down, so by any value of it what comes here is later than a difference. */
      if (at >= load(memory, found)) return asked.end;
      /* Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs. */
      if (load(memory, asked.stop)) {
        leave(memory, asked.left);
        return asked.end;
      }
      uint64_t piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
      uint64_t equal = equal_bytes(one, other, piece);
      one += equal, other += equal;
      a += (double)equal, b += (double)equal;
      bytes -= equal;
      compared += piece;
      store_double(memory, at, a);
      store_double(memory, at + WORD_BYTES, b);
      store_double(memory, at + 2 * WORD_BYTES, (double)bytes);
      if (equal == piece) continue;
      lower(memory, found, at);
      return asked.end;
    }
  }
  return asked.end;
}

/*
 * Compares, as walk_line() copies: each descriptor up to the first byte that differs, where its three words then stay. The word
 * at `found` is taken down to that descriptor's address; what comes after the one that it names is left out. A descriptor one of
 * whose sides has a poisoned frame is left as it is.
 */
int64_t compare_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, uint32_t found) {
  struct line line;
  if (!is_word(memory, found)) return WALK_BAD_CALL;
  int64_t answer = enter_line(area, table, memory, asked, &line);
  if (answer != ENTERED) return answer;
  answer = compare_places(line, memory, asked, found);
  leave_line(line);
  return answer;
}
