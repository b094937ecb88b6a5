/*
 * The copy loop with streaming stores: what assembly/walker.ts is, by the same contract. It holds no state.
 *
 * Invariants:
 * - Nothing outside the memory is read or written, whatever the list says: each word of a descriptor is read once, checked, and
 *   used as it was read. Another thread may change the list meanwhile; a range that is copied is one that was checked.
 * - A descriptor says that bytes are there only once they are, for every thread: after a fence.
 */
#include "walker.h"

#include <stdbool.h>

#include "stream.h"

enum {
  DESCRIPTOR_BYTES = 12,
  PAGE_SHIFT = 12,
  /* Bytes between two looks at the stop word, in one descriptor. */
  PIECE_BYTES = 256 << 10,
  /* Bytes of descriptors that are noted as done together: a fence each costs 4 KiB folios a third. */
  GROUP_BYTES = 256 << 10,
  /* PoisonMap.BITS_OFFSET */
  POISON_BITS = 64
};

static uint32_t *word(struct memory memory, uint32_t address) { return (uint32_t *)(memory.bytes + address); }

/* Orders nothing: the words of a list come with the claim of its unit, and the others are hints that are looked at again. */
static uint32_t load(struct memory memory, uint32_t address) {
  return __atomic_load_n(word(memory, address), __ATOMIC_RELAXED);
}

static void store(struct memory memory, uint32_t address, uint32_t value) {
  __atomic_store_n(word(memory, address), value, __ATOMIC_RELAXED);
}

static bool holds(struct memory memory, uint32_t address, uint64_t bytes) { return address + bytes <= memory.size; }

static bool is_word(struct memory memory, uint32_t address) { return address % 4 == 0 && holds(memory, address, 4); }

/* Bytes of the poison map of a whole memory. */
static uint64_t poison_bytes(struct memory memory) { return POISON_BITS + ((memory.size >> PAGE_SHIFT) / 32 + 1) * 4; }

static bool is_call(struct memory memory, struct walk asked) {
  return (uintptr_t)memory.bytes % 4 == 0 && asked.list % 4 == 0 && asked.list <= asked.end &&
         (asked.end - asked.list) % DESCRIPTOR_BYTES == 0 && asked.end <= memory.size && is_word(memory, asked.stop) &&
         is_word(memory, asked.left) && asked.poison % 4 == 0 && holds(memory, asked.poison, poison_bytes(memory));
}

/* Whether a frame of a range, of 1 byte at least, is poisoned. */
static bool is_poisoned(struct memory memory, uint32_t poison, uint32_t from, uint32_t bytes) {
  uint32_t last = (from + bytes - 1) >> PAGE_SHIFT;
  for (uint32_t pfn = from >> PAGE_SHIFT; pfn <= last; pfn++)
    if (load(memory, poison + POISON_BITS + pfn / 32 * 4) >> pfn % 32 & 1) return true;
  return false;
}

/* Notes descriptors as done, once their bytes are seen by whoever sees that. */
static void publish(struct memory memory, uint32_t first, uint32_t end) {
  stream_fence();
  for (; first < end; first += DESCRIPTOR_BYTES) store(memory, first + 8, 0);
}

static void leave(struct memory memory, uint32_t left) { __atomic_fetch_add(word(memory, left), 1, __ATOMIC_SEQ_CST); }

/*
 * Copies the descriptors from `list` up to `end`, until the word at `stop` is not 0 or more than `limit` bytes are copied.
 * One whose source has a poisoned frame is left as it is. Adds to the word at `left` for what it leaves for good.
 *
 * Returns the descriptor to go on with, `end` if that was all; WALK_BAD_CALL, and nothing is touched, for arguments that
 * are not in the memory; WALK_BAD_DESCRIPTOR for a range that isn't, before which all is copied and noted.
 */
int64_t walk(struct memory memory, struct walk asked) {
  if (!is_call(memory, asked)) return WALK_BAD_CALL;
  bool may_be_poisoned = load(memory, asked.poison) != 0;
  uint64_t copied = 0, unpublished = 0;
  /* The first descriptor that isn't noted yet. */
  uint32_t noted = asked.list;
  uint32_t at = asked.list;
  for (; at < asked.end; at += DESCRIPTOR_BYTES) {
    if (copied > asked.limit) {
      publish(memory, noted, at);
      return at;
    }
    /* Pairs with the caller's store: seen at the next descriptor at the latest, which is all an abort needs. */
    if (load(memory, asked.stop)) break;
    uint32_t to = load(memory, at), from = load(memory, at + 4), bytes = load(memory, at + 8);
    if (bytes == 0) continue;
    if (!holds(memory, to, bytes) || !holds(memory, from, bytes)) {
      publish(memory, noted, at);
      return WALK_BAD_DESCRIPTOR;
    }
    if (may_be_poisoned && is_poisoned(memory, asked.poison, from, bytes)) {
      publish(memory, noted, at);
      noted = at + DESCRIPTOR_BYTES;
      leave(memory, asked.left);
      continue;
    }
    while (bytes > PIECE_BYTES && !load(memory, asked.stop)) {
      stream(memory.bytes + to, memory.bytes + from, PIECE_BYTES, memory.bytes + from + PIECE_BYTES);
      to += PIECE_BYTES;
      from += PIECE_BYTES;
      bytes -= PIECE_BYTES;
      copied += PIECE_BYTES;
      publish(memory, noted, at);
      noted = at;
      store(memory, at, to);
      store(memory, at + 4, from);
      store(memory, at + 8, bytes);
      if (copied > asked.limit) return at;
    }
    if (bytes > PIECE_BYTES) break;
    /* Where the next source begins, if the list says so by then: only fetched, so it need not be right. */
    uint32_t next = at + DESCRIPTOR_BYTES < asked.end ? load(memory, at + DESCRIPTOR_BYTES + 4) : from;
    stream(memory.bytes + to, memory.bytes + from, bytes, memory.bytes + (next < memory.size ? next : from));
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
