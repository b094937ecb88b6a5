/*
 * The copy loop for any shared memory: as walker.c, but descriptors are three doubles, and their addresses are on a line, on which
 * each buffer of the job has its place. A table says where in this process a place is.
 *
 * Invariants, beside those of walker.c:
 * - Only bytes of the table's buffers are read or written. The list is in memory that a program can write to; the table is
 *   not, and a range is in one place of it or is refused.
 * - A table doesn't change, and its buffers live, while somebody uses it: this thread counts itself among the users and then
 *   looks whether the table is open; who closes it does so and then waits until there are none. One of the two sees the other.
 */
#include "stream.h"
#include "words.h"

enum { WORD_BYTES = 8, DESCRIPTOR_BYTES = 3 * WORD_BYTES, TABLE_HEADER = 64 };

/* A buffer: its first byte on the line, its size, and where in this process it is. */
struct place {
  double base, bytes, address;
};

struct table {
  /* Places; 0 while it is closed. */
  uint32_t count;
  uint32_t users;
};

struct line {
  const struct place *places;
  uint32_t count;
};

static double load_double(struct memory memory, uint32_t address) {
  union {
    uint64_t bits;
    double value;
  } word = { .bits = __atomic_load_n((uint64_t *)(memory.bytes + address), __ATOMIC_RELAXED) };
  return word.value;
}

static void store_double(struct memory memory, uint32_t address, double value) {
  union {
    double value;
    uint64_t bits;
  } word = { .value = value };
  __atomic_store_n((uint64_t *)(memory.bytes + address), word.bits, __ATOMIC_RELAXED);
}

/*
 * Whether a number is a whole one that an address or a length may be; false for what is no number. Others would be cut to one
 * that nobody has checked: a length of 0.5 to none.
 */
static bool is_whole(double number) { return number >= 0 && number <= 0x1p53 && number == (double)(uint64_t)number; }

/* Whether a place has a range; false for what is no number. */
static bool has(const struct place *place, double address, double bytes) {
  return address >= place->base && bytes >= 0 && bytes <= place->bytes && address - place->base <= place->bytes - bytes;
}

/* The place that an address is in if any is: the last whose base is not beyond it. `near` is tried first. */
static const struct place *find(struct line line, const struct place *near, double address) {
  if (has(near, address, 0)) return near;
  uint32_t low = 0, high = line.count - 1;
  while (low < high) {
    uint32_t middle = (low + high + 1) / 2;
    if (line.places[middle].base <= address) low = middle;
    else high = middle - 1;
  }
  return line.places + low;
}

/* Where in this process an address is that the place has. */
static uint8_t *at_place(const struct place *place, double address) {
  return (uint8_t *)((uintptr_t)place->address + (uintptr_t)(address - place->base));
}

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

/* Whether the first place is the memory, or a part of it: the poison map, which is as long as that, is for its addresses. */
static bool begins_with(struct line line, struct memory memory) {
  const struct place *first = line.places;
  return first->base == 0 && first->bytes <= (double)memory.size && first->address == (double)(uintptr_t)memory.bytes;
}

/*
 * As walk(), of a job whose places are in the table at `table` of `area`, a memory of the engine's own threads. One that is
 * closed has nothing to copy any more: the list is left. `past` says whether the bytes go past the caches.
 */
int64_t walk_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, bool past) {
  if (!are_words(memory, asked) || !is_list(memory, asked, WORD_BYTES)) return WALK_BAD_CALL;
  if ((uintptr_t)area.bytes % 8 || table % 8 || !holds(area, table, TABLE_HEADER)) return WALK_BAD_CALL;
  struct table *header = (struct table *)(area.bytes + table);
  __atomic_fetch_add(&header->users, 1, __ATOMIC_SEQ_CST);
  uint32_t count = __atomic_load_n(&header->count, __ATOMIC_SEQ_CST);
  struct line line = { (struct place *)(area.bytes + table + TABLE_HEADER), count };
  int64_t next = asked.end;
  if (count == 0) leave(memory, asked.left);
  else if (!holds(area, table, TABLE_HEADER + (uint64_t)count * sizeof(struct place))) next = WALK_BAD_CALL;
  else if (!begins_with(line, memory)) next = WALK_BAD_CALL;
  else next = walk_places(line, memory, asked, past);
  __atomic_fetch_sub(&header->users, 1, __ATOMIC_SEQ_CST);
  return next;
}
