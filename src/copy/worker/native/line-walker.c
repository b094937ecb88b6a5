/*
 * The copy loop for any shared memory: as walker.c, with the places of a line (line.h).
 */
#include "line.h"
#include "stream.h"

static void publish(struct memory memory, uint32_t first, uint32_t end) {
  stream_fence();
  for (; first < end; first += DESCRIPTOR_BYTES) store_double(memory, first + 2 * WORD_BYTES, 0);
}

STREAMING static void copy(uint8_t *to, const uint8_t *from, size_t bytes, const uint8_t *next_to, const uint8_t *next,
                           bool past) {
  if (past) copy_range(to, from, bytes, next_to, next, true);
  else copy_range(to, from, bytes, next_to, next, false);
}

/* Where an address is, if a place has it; otherwise something near, which is as good for a hint. */
static const uint8_t *hint(const struct place *place, double address, const uint8_t *near) {
  return has(place, address, 0) ? at_place(place, address) : near;
}

/* What walk() does, with the places of a line. */
static int64_t walk_places(struct line line, struct memory memory, struct walk asked, bool past) {
  bool may_be_poisoned = load(memory, asked.poison) != 0;
  uint64_t copied = 0, unpublished = 0;
  const struct place *to_place = line.places, *from_place = line.places;
  uint32_t noted = asked.list;
  uint32_t at = asked.list;
  for (; at < asked.end; at += DESCRIPTOR_BYTES) {
    if (copied > asked.limit) {
      publish(memory, noted, at);
      return at;
    }
    /* Pairs with the caller's store: seen at the next descriptor at the latest, which is all an abort needs. */
    if (load(memory, asked.stop)) break;
    double to = load_double(memory, at), from = load_double(memory, at + WORD_BYTES);
    double length = load_double(memory, at + 2 * WORD_BYTES);
    if (length == 0) continue;
    to_place = find(line, to_place, to);
    from_place = find(line, from_place, from);
    if (!is_whole(to) || !is_whole(from) || !is_whole(length) || !has(to_place, to, length) ||
        !has(from_place, from, length)) {
      publish(memory, noted, at);
      return WALK_BAD_DESCRIPTOR;
    }
    uint64_t bytes = (uint64_t)length;
    /* The engine's memory is the first place, and no other has poisoned frames. */
    if (may_be_poisoned && from_place == line.places && is_poisoned(memory, asked.poison, (uint64_t)from, bytes)) {
      publish(memory, noted, at);
      noted = at + DESCRIPTOR_BYTES;
      leave(memory, asked.left);
      continue;
    }
    uint8_t *target = at_place(to_place, to);
    const uint8_t *source = at_place(from_place, from);
    while (bytes > PIECE_BYTES && !load(memory, asked.stop)) {
      copy(target, source, PIECE_BYTES, target + PIECE_BYTES, source + PIECE_BYTES, past);
      target += PIECE_BYTES;
      source += PIECE_BYTES;
      to += PIECE_BYTES;
      from += PIECE_BYTES;
      bytes -= PIECE_BYTES;
      copied += PIECE_BYTES;
      publish(memory, noted, at);
      noted = at;
      store_double(memory, at, to);
      store_double(memory, at + WORD_BYTES, from);
      store_double(memory, at + 2 * WORD_BYTES, (double)bytes);
      if (copied > asked.limit) return at;
    }
    if (bytes > PIECE_BYTES) break;
    /* Looked at again in its turn; in another buffer, it isn't looked for. */
    uint32_t next = at + DESCRIPTOR_BYTES < asked.end ? at + DESCRIPTOR_BYTES : at;
    copy(target, source, bytes, hint(to_place, load_double(memory, next), target),
         hint(from_place, load_double(memory, next + WORD_BYTES), source), past);
    copied += bytes;
    unpublished += bytes;
    if (unpublished < GROUP_BYTES) continue;
    publish(memory, noted, at + DESCRIPTOR_BYTES);
    noted = at + DESCRIPTOR_BYTES;
    unpublished = 0;
  }
  publish(memory, noted, at);
  if (at < asked.end) leave(memory, asked.left);
  return asked.end;
}

/*
 * As walk(), of a job whose places are in the table at `table` of `area`: see enter_line(). `past` says whether the bytes go past
 * the caches.
 */
int64_t walk_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, bool past) {
  struct line line;
  int64_t answer = enter_line(area, table, memory, asked, &line);
  if (answer != ENTERED) return answer;
  answer = walk_places(line, memory, asked, past);
  leave_line(line);
  return answer;
}
