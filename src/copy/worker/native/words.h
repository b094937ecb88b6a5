/* What both walkers do with the words of an engine's memory. */
#ifndef MTCOPY_WORDS_H
#define MTCOPY_WORDS_H

#include "walker.h"

enum {
  PAGE_SHIFT = 12,
  /* Bytes between two looks at the stop word, in one descriptor. */
  PIECE_BYTES = 256 << 10,
  /* Bytes of descriptors that are noted as done together: a fence each costs 4 KiB folios a third. */
  GROUP_BYTES = 256 << 10,
  /* PoisonMap.BITS_OFFSET */
  POISON_BITS = 64
};

static inline uint32_t *word(struct memory memory, uint32_t address) { return (uint32_t *)(memory.bytes + address); }

/* Orders nothing: the words of a list come with the claim of its unit, and the others are hints that are looked at again. */
static inline uint32_t load(struct memory memory, uint32_t address) {
  return __atomic_load_n(word(memory, address), __ATOMIC_RELAXED);
}

static inline void store(struct memory memory, uint32_t address, uint32_t value) {
  __atomic_store_n(word(memory, address), value, __ATOMIC_RELAXED);
}

static inline bool holds(struct memory memory, uint32_t address, uint64_t bytes) { return address + bytes <= memory.size; }

static inline bool is_word(struct memory memory, uint32_t address) { return address % 4 == 0 && holds(memory, address, 4); }

/* Bytes of the poison map of a whole memory. */
static inline uint64_t poison_bytes(struct memory memory) { return POISON_BITS + ((memory.size >> PAGE_SHIFT) / 32 + 1) * 4; }

/* Whether a call's words and its poison map are in the memory. */
static inline bool are_words(struct memory memory, struct walk asked) {
  return (uintptr_t)memory.bytes % 8 == 0 && is_word(memory, asked.stop) && is_word(memory, asked.left) &&
         asked.poison % 4 == 0 && holds(memory, asked.poison, poison_bytes(memory));
}

/* Whether a list of descriptors is. */
static inline bool is_list(struct memory memory, struct walk asked, uint32_t word_bytes) {
  return asked.list % word_bytes == 0 && asked.list <= asked.end &&
         (asked.end - asked.list) % (3 * word_bytes) == 0 && asked.end <= memory.size;
}

/* Whether a frame of a range in the memory, of 1 byte at least, is poisoned. */
static inline bool is_poisoned(struct memory memory, uint32_t poison, uint64_t from, uint64_t bytes) {
  uint64_t last = (from + bytes - 1) >> PAGE_SHIFT;
  for (uint64_t pfn = from >> PAGE_SHIFT; pfn <= last; pfn++)
    if (load(memory, (uint32_t)(poison + POISON_BITS + pfn / 32 * 4)) >> pfn % 32 & 1) return true;
  return false;
}

static inline void leave(struct memory memory, uint32_t left) { __atomic_fetch_add(word(memory, left), 1, __ATOMIC_SEQ_CST); }

#endif
