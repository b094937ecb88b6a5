/*
 * Copies one range: with streaming stores, which go past the caches, so that the destination's lines are neither read first
 * nor kept, or with others.
 *
 * No later store orders them, not even an atomic one that is relaxed: whoever lets others know that the bytes are there calls
 * stream_fence() first.
 *
 * A file for each architecture has
 *   STREAMING           what a function is marked with that copies
 *   can_stream()        whether this CPU can
 *   stream_fence()      all of this thread's copies before its later stores, as other threads see them
 *   fetch()             a hint that a line will be read; wherever it leads, nothing is read or written
 *   copy_32(), copy_16(), copy_8()  so many bytes, at any alignment
 *   copy_line()         LINE_BYTES to where a line begins; past the caches, or into them
 *   equal_line()        whether LINE_BYTES are the same on two sides, at any alignment
 *   sides_collide()     whether two sides that are read in turns, line by line, are slow because of where they lie
 */
#ifndef MTCOPY_STREAM_H
#define MTCOPY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALWAYS_INLINE __attribute__((always_inline))

#if defined(__x86_64__)
#include "stream-x64.h"
#elif defined(__aarch64__)
#include "stream-arm64.h"
#else
#error "there is no code for this architecture"
#endif

enum {
  LINE_BYTES = 64,
  /*
   * How far ahead of the loads is fetched, in bytes: also into the next range, while the end of this one is copied. Of shuffled
   * pages all of the next: half as much takes 1.3 times as long. Measured on x86-64, as is what is below.
   */
  AHEAD_BYTES = 4096,
  /* Within a larger range the hardware fetches ahead by itself. */
  SMALL_BYTES = 64 << 10
};

/* Copies fewer bytes than a line with plain stores, none of which reaches beyond the range. */
STREAMING static inline void copy_part(uint8_t *to, const uint8_t *from, size_t bytes) {
  if (bytes & 32) {
    copy_32(to, from);
    to += 32, from += 32;
  }
  if (bytes & 16) {
    copy_16(to, from);
    to += 16, from += 16;
  }
  if (bytes & 8) {
    copy_8(to, from);
    to += 8, from += 8;
  }
  for (bytes &= 7; bytes > 0; bytes--) *to++ = *from++;
}

/*
 * Copies a range. `next` and `next_to` are where the next one begins, which is fetched meanwhile: hints, that are never read
 * or written. Of its destination a line is, for the translation of its page. The two sides don't overlap; if they do, the
 * destination's bytes are undefined, and nothing else is touched.
 */
STREAMING ALWAYS_INLINE static inline void copy_range(uint8_t *to, const uint8_t *from, size_t bytes, const uint8_t *next_to,
                                                      const uint8_t *next, bool past) {
  size_t head = -(uintptr_t)to % LINE_BYTES;
  if (head > bytes) head = bytes;
  copy_part(to, from, head);
  to += head, from += head, bytes -= head;
  size_t lines = bytes / LINE_BYTES;
  /* The last lines, during which the next range is fetched. */
  size_t last = lines < AHEAD_BYTES / LINE_BYTES ? lines : AHEAD_BYTES / LINE_BYTES;
  size_t i = 0;
  if (bytes <= SMALL_BYTES) {
    for (; i < lines - last; i++) {
      fetch(from + i * LINE_BYTES + AHEAD_BYTES);
      copy_line(to + i * LINE_BYTES, from + i * LINE_BYTES, past);
    }
  } else {
    for (; i < lines - last; i++) copy_line(to + i * LINE_BYTES, from + i * LINE_BYTES, past);
  }
  fetch(next_to);
  for (; i < lines; i++, next += LINE_BYTES) {
    fetch(next);
    copy_line(to + i * LINE_BYTES, from + i * LINE_BYTES, past);
  }
  copy_part(to + lines * LINE_BYTES, from + lines * LINE_BYTES, bytes % LINE_BYTES);
}

#endif
