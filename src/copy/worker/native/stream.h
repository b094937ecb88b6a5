/*
 * Copies one range: with streaming stores, which go past the caches, so that the destination's lines are neither read first
 * nor kept, or with others.
 *
 * x86-64 with AVX2. A streaming store is ordered by no later store, not even an atomic one: whoever lets others know that
 * the bytes are there calls stream_fence() first.
 */
#ifndef MTCOPY_STREAM_H
#define MTCOPY_STREAM_H

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  LINE_BYTES = 64,
  /*
   * How far ahead of the loads is fetched, in bytes: also into the next range, while the end of this one is copied. Of shuffled
   * pages all of the next: half as much takes 1.3 times as long.
   */
  AHEAD_BYTES = 4096,
  /* Within a larger range the hardware fetches ahead by itself. */
  SMALL_BYTES = 64 << 10
};

static inline void stream_fence(void) { __asm__ volatile("sfence" ::: "memory"); }

static inline void fetch(const uint8_t *from) { _mm_prefetch((const char *)from, _MM_HINT_T0); }

/* Copies fewer bytes than a line with plain stores, none of which reaches beyond the range. */
__attribute__((target("avx2"))) static inline void copy_part(uint8_t *to, const uint8_t *from, size_t bytes) {
  if (bytes & 32) {
    _mm256_storeu_si256((__m256i *)to, _mm256_loadu_si256((const __m256i *)from));
    to += 32, from += 32;
  }
  if (bytes & 16) {
    _mm_storeu_si128((__m128i *)to, _mm_loadu_si128((const __m128i *)from));
    to += 16, from += 16;
  }
  if (bytes & 8) {
    _mm_storel_epi64((__m128i *)to, _mm_loadl_epi64((const __m128i *)from));
    to += 8, from += 8;
  }
  for (bytes &= 7; bytes > 0; bytes--) *to++ = *from++;
}

/* Copies a line to where one begins; past the caches, or into them. */
__attribute__((target("avx2"), always_inline)) static inline void copy_line(uint8_t *to, const uint8_t *from, bool past) {
  __m256i a = _mm256_loadu_si256((const __m256i *)from);
  __m256i b = _mm256_loadu_si256((const __m256i *)(from + 32));
  if (past) {
    _mm256_stream_si256((__m256i *)to, a);
    _mm256_stream_si256((__m256i *)(to + 32), b);
  } else {
    _mm256_store_si256((__m256i *)to, a);
    _mm256_store_si256((__m256i *)(to + 32), b);
  }
}

/*
 * Copies a range. `next` and `next_to` are where the next one begins, which is fetched meanwhile: hints, that are never read
 * or written. Of its destination a line is, for the translation of its page. The two sides don't overlap; if they do, the
 * destination's bytes are undefined, and nothing else is touched.
 */
__attribute__((target("avx2"), always_inline)) static inline void copy_range(uint8_t *to, const uint8_t *from, size_t bytes,
                                                                            const uint8_t *next_to,
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
