/*
 * What the walkers over any shared memory have in common: descriptors are three doubles, and their addresses are on a line, on
 * which each buffer of the job has its place. A table says where in this process a place is.
 *
 * Invariants, beside those of walker.c:
 * - Only bytes of the table's buffers are read or written. The list is in memory that a program can write to; the table is
 *   not, and a range is in one place of it or is refused.
 * - A table doesn't change, and its buffers live, while somebody uses it: this thread counts itself among the users and then
 *   looks whether the table is open; who closes it does so and then waits until there are none. One of the two sees the other.
 */
#ifndef MTCOPY_LINE_H
#define MTCOPY_LINE_H

#include <stddef.h>

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
  struct table *table;
};

static inline double load_double(struct memory memory, uint32_t address) {
  union {
    uint64_t bits;
    double value;
  } word = { .bits = __atomic_load_n((uint64_t *)(memory.bytes + address), __ATOMIC_RELAXED) };
  return word.value;
}

static inline void store_double(struct memory memory, uint32_t address, double value) {
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
static inline bool is_whole(double number) { return number >= 0 && number <= 0x1p53 && number == (double)(uint64_t)number; }

/* Whether a place has a range; false for what is no number. */
static inline bool has(const struct place *place, double address, double bytes) {
  return address >= place->base && bytes >= 0 && bytes <= place->bytes && address - place->base <= place->bytes - bytes;
}

/* The place that an address is in if any is: the last whose base is not beyond it. `near` is tried first. */
static inline const struct place *find(struct line line, const struct place *near, double address) {
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
static inline uint8_t *at_place(const struct place *place, double address) {
  return (uint8_t *)((uintptr_t)place->address + (uintptr_t)(address - place->base));
}

/* Where in this process a range of whole bytes is; NULL if no place has all of it. */
static inline uint8_t *range_at(struct line line, double address, double length) {
  if (!is_whole(address) || !is_whole(length)) return NULL;
  const struct place *place = find(line, line.places, address);
  return has(place, address, length) ? at_place(place, address) : NULL;
}

/* Whether the first place is the memory, or a part of it: the poison map, which is as long as that, is for its addresses. */
static inline bool begins_with(struct line line, struct memory memory) {
  const struct place *first = line.places;
  return first->base == 0 && first->bytes <= (double)memory.size && first->address == (double)(uintptr_t)memory.bytes;
}

/* What enter() answers of a line that may be walked. */
enum { ENTERED = -3 };

static inline void leave_line(struct line line) { __atomic_fetch_sub(&line.table->users, 1, __ATOMIC_SEQ_CST); }

/*
 * Checks what a walker over a line was asked for, and counts this thread among the users of the table at `table` of `area`, a
 * memory of the engine's own threads. One that is closed has nothing to do any more: the list is left.
 *
 * Returns ENTERED, and then leave_line() is to be called; or what the walker is to answer.
 */
static inline int64_t enter_line(struct memory area, uint32_t table, struct memory memory, struct walk asked,
                                 struct line *line) {
  if (!are_words(memory, asked) || !is_list(memory, asked, WORD_BYTES)) return WALK_BAD_CALL;
  if ((uintptr_t)area.bytes % 8 || table % 8 || !holds(area, table, TABLE_HEADER)) return WALK_BAD_CALL;
  struct table *header = (struct table *)(area.bytes + table);
  __atomic_fetch_add(&header->users, 1, __ATOMIC_SEQ_CST);
  uint32_t count = __atomic_load_n(&header->count, __ATOMIC_SEQ_CST);
  *line = (struct line){ (const struct place *)(area.bytes + table + TABLE_HEADER), count, header };
  int64_t answer = ENTERED;
  if (count == 0) {
    leave(memory, asked.left);
    answer = asked.end;
  } else if (!holds(area, table, TABLE_HEADER + (uint64_t)count * sizeof(struct place)) || !begins_with(*line, memory)) {
    answer = WALK_BAD_CALL;
  }
  if (answer != ENTERED) leave_line(*line);
  return answer;
}

#endif
