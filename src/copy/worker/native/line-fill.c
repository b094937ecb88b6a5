/* Fills the destinations of a list, in any shared memory (line.h), with one byte. What a descriptor has as its source is not read. */
#include "line.h"
#include "stream.h"

/* Fills a range with plain stores and whole lines; past the caches, or into them. Only the range is written. */
STREAMING ALWAYS_INLINE static inline void fill_range(uint8_t *to, uint8_t byte, size_t bytes, bool past) {
  _Alignas(LINE_BYTES) uint64_t words[LINE_BYTES / 8];
  for (size_t i = 0; i < LINE_BYTES / 8; i++) words[i] = byte * UINT64_C(0x0101010101010101);
  const uint8_t *line = (const uint8_t *)words;
  size_t head = -(uintptr_t)to % LINE_BYTES;
  if (head > bytes) head = bytes;
  copy_part(to, line, head);
  to += head, bytes -= head;
  for (; bytes >= LINE_BYTES; to += LINE_BYTES, bytes -= LINE_BYTES) copy_line(to, line, past);
  copy_part(to, line, bytes);
}

/* One after the other, and then a fence: the bytes are there before it is said that they are. */
STREAMING static void fill(uint8_t *to, uint8_t byte, size_t bytes, bool past) {
  if (past) fill_range(to, byte, bytes, true);
  else fill_range(to, byte, bytes, false);
  stream_fence();
}

static int64_t fill_places(struct line line, struct memory memory, struct walk asked, uint8_t byte, bool past) {
  uint64_t filled = 0;
  for (uint32_t at = asked.list; at < asked.end; at += DESCRIPTOR_BYTES) {
    double to = load_double(memory, at), length = load_double(memory, at + 2 * WORD_BYTES);
    if (length == 0) continue;
    uint8_t *target = range_at(line, to, length);
    if (!target) return WALK_BAD_DESCRIPTOR;
    for (uint64_t bytes = (uint64_t)length; bytes > 0;) {
      if (filled > asked.limit) return at;
      /* Pairs with the caller's store: seen at the next piece at the latest, which is all an abort needs. */
      if (load(memory, asked.stop)) {
        leave(memory, asked.left);
        return asked.end;
      }
      uint64_t piece = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
      fill(target, byte, piece, past);
      target += piece;
      to += (double)piece;
      bytes -= piece;
      filled += piece;
      store_double(memory, at, to);
      store_double(memory, at + 2 * WORD_BYTES, (double)bytes);
    }
  }
  return asked.end;
}

/*
 * Fills, as walk_line() copies. Poisoned frames are filled like any others: nothing is read there. Returns what walk() does; before
 * a wrong descriptor all is filled and noted.
 */
int64_t fill_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, uint8_t byte, bool past) {
  struct line line;
  int64_t answer = enter_line(area, table, memory, asked, &line);
  if (answer != ENTERED) return answer;
  answer = fill_places(line, memory, asked, byte, past);
  leave_line(line);
  return answer;
}
