/*
 * The copy loop with streaming stores: what assembly/walker.ts is, by the same contract. It holds no state.
 *
 * Invariants:
 * - Nothing outside the memory is read or written, whatever the list says: each word of a descriptor is read once, checked, and
 *   used as it was read. Another thread may change the list meanwhile; a range that is copied is one that was checked.
 * - A descriptor says that bytes are there only once they are, for every thread: after a fence.
 */
#include "walker.h"

#include "stream.h"
#include "words.h"

enum { DESCRIPTOR_BYTES = 12 };

/* Notes descriptors as done, once their bytes are seen by whoever sees that. */
static void publish(struct memory memory, uint32_t first, uint32_t end) {
  stream_fence();
  for (; first < end; first += DESCRIPTOR_BYTES) store(memory, first + 8, 0);
}

STREAMING static void stream(uint8_t *to, const uint8_t *from, size_t bytes, const uint8_t *next_to, const uint8_t *next) {
  copy_range(to, from, bytes, next_to, next, true);
}

/* Where an address is, if the memory has it; otherwise something that it has, which is as good for a hint. */
static const uint8_t *hint(struct memory memory, uint32_t address) {
  return memory.bytes + (address < memory.size ? address : 0);
}

/*
 * Copies the descriptors from `list` up to `end`, until the word at `stop` is not 0 or more than `limit` bytes are copied.
 * One whose source has a poisoned frame is left as it is. Adds to the word at `left` for what it leaves for good.
 *
 * Returns the descriptor to go on with, `end` if that was all; WALK_BAD_CALL, and nothing is touched, for arguments that
 * are not in the memory; WALK_BAD_DESCRIPTOR for a range that isn't, before which all is copied and noted.
 */
int64_t walk(struct memory memory, struct walk asked) {
  if (!are_words(memory, asked) || !is_list(memory, asked, 4)) return WALK_BAD_CALL;
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
      stream(memory.bytes + to, memory.bytes + from, PIECE_BYTES, memory.bytes + to + PIECE_BYTES,
             memory.bytes + from + PIECE_BYTES);
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
    /* Looked at again in its turn. */
    uint32_t next = at + DESCRIPTOR_BYTES < asked.end ? at + DESCRIPTOR_BYTES : at;
    stream(memory.bytes + to, memory.bytes + from, bytes, hint(memory, load(memory, next)), hint(memory, load(memory, next + 4)));
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
