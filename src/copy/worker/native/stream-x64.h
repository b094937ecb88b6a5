/*
 * What stream.h needs of x86-64 with AVX2.
 *
 * A streaming store goes past the caches. It is ordered by no later store, not even an atomic one.
 */
#ifndef MTCOPY_STREAM_X64_H
#define MTCOPY_STREAM_X64_H

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

/* Of functions that copy_range() or equal_line() is inlined into. */
#define STREAMING __attribute__((target("avx2")))

/* Whether the CPU has AVX2, and the system keeps its registers. */
static inline bool can_stream(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
  uint32_t kept, above;
  __asm__("xgetbv" : "=a"(kept), "=d"(above) : "c"(0));
  if ((kept & 6) != 6) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

/* Streaming stores before any later store. The others are in order without it. */
static inline void stream_fence(void) { __asm__ volatile("sfence" ::: "memory"); }

static inline void fetch(const uint8_t *from) { _mm_prefetch((const char *)from, _MM_HINT_T0); }

STREAMING static inline void copy_32(uint8_t *to, const uint8_t *from) {
  _mm256_storeu_si256((__m256i *)to, _mm256_loadu_si256((const __m256i *)from));
}

static inline void copy_16(uint8_t *to, const uint8_t *from) {
  _mm_storeu_si128((__m128i *)to, _mm_loadu_si128((const __m128i *)from));
}

static inline void copy_8(uint8_t *to, const uint8_t *from) {
  _mm_storel_epi64((__m128i *)to, _mm_loadl_epi64((const __m128i *)from));
}

/* Copies a line to where one begins; past the caches, or into them. */
STREAMING ALWAYS_INLINE static inline void copy_line(uint8_t *to, const uint8_t *from, bool past) {
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

STREAMING ALWAYS_INLINE static inline bool equal_line(const uint8_t *a, const uint8_t *b) {
  __m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)a), _mm256_loadu_si256((const __m256i *)b));
  __m256i high =
      _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(a + 32)), _mm256_loadu_si256((const __m256i *)(b + 32)));
  return _mm256_movemask_epi8(_mm256_and_si256(low, high)) == -1;
}

/*
 * Whether lines of the two sides get in each other's way in AMD's level 1 cache, which guesses by bits 12 to 27 of an address where
 * a line is: so it does where one side lies a multiple of 256 MiB from the other, but for a few lines. Each read of one then misses
 * what was read of the other: memcmp() has two thirds of its speed there.
 */
static inline bool sides_collide(const uint8_t *a, const uint8_t *b) {
  const uintptr_t distance = 256u << 20, few = 256;
  return ((uintptr_t)a - (uintptr_t)b + few) % distance <= 2 * few;
}

#endif
