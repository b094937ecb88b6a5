/*
 * What stream.h needs of ARM64, where each CPU has NEON.
 *
 * It runs in tests, on an emulator. Nobody has timed it: which stores, which hint and how far ahead are chosen as for other
 * copies of memory that isn't wanted soon (Linux's copy_page() has `prfm pldl1strm` and `stnp` too), not measured. A CPU may take
 * `stnp` for `stp`; then the bytes are right, and in the caches.
 */
#ifndef MTCOPY_STREAM_ARM64_H
#define MTCOPY_STREAM_ARM64_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stdint.h>

/* Of functions that copy_range() or equal_line() is inlined into. */
#define STREAMING

static inline bool can_stream(void) { return true; }

/*
 * All stores before any later store, for whoever reads the later one first, with an acquire: here plain stores need it as well.
 * The loads that they copy come before them as they are, for a store waits for what it stores; so by then the source may change.
 */
static inline void stream_fence(void) { __asm__ volatile("dmb ishst" ::: "memory"); }

/* No fault, wherever it leads. */
static inline void fetch(const uint8_t *from) { __asm__ volatile("prfm pldl1strm, [%0]" ::"r"(from)); }

static inline void copy_32(uint8_t *to, const uint8_t *from) {
  uint8x16_t low = vld1q_u8(from), high = vld1q_u8(from + 16);
  vst1q_u8(to, low);
  vst1q_u8(to + 16, high);
}

static inline void copy_16(uint8_t *to, const uint8_t *from) { vst1q_u8(to, vld1q_u8(from)); }

static inline void copy_8(uint8_t *to, const uint8_t *from) { vst1_u8(to, vld1_u8(from)); }

/* Copies a line to where one begins; past the caches, or into them. */
ALWAYS_INLINE static inline void copy_line(uint8_t *to, const uint8_t *from, bool past) {
  struct line {
    uint8_t bytes[64];
  };
  uint8x16_t a, b, c, d;
  __asm__("ldp %q0, %q1, [%4]\n\tldp %q2, %q3, [%4, #32]"
          : "=w"(a), "=w"(b), "=w"(c), "=w"(d)
          : "r"(from), "m"(*(const struct line *)from));
  if (past)
    __asm__("stnp %q1, %q2, [%5]\n\tstnp %q3, %q4, [%5, #32]"
            : "=m"(*(struct line *)to)
            : "w"(a), "w"(b), "w"(c), "w"(d), "r"(to));
  else
    __asm__("stp %q1, %q2, [%5]\n\tstp %q3, %q4, [%5, #32]"
            : "=m"(*(struct line *)to)
            : "w"(a), "w"(b), "w"(c), "w"(d), "r"(to));
}

static inline bool equal_line(const uint8_t *a, const uint8_t *b) {
  uint8x16_t low = vandq_u8(vceqq_u8(vld1q_u8(a), vld1q_u8(b)), vceqq_u8(vld1q_u8(a + 16), vld1q_u8(b + 16)));
  uint8x16_t high = vandq_u8(vceqq_u8(vld1q_u8(a + 32), vld1q_u8(b + 32)), vceqq_u8(vld1q_u8(a + 48), vld1q_u8(b + 48)));
  return vminvq_u8(vandq_u8(low, high)) == 0xff;
}

/* Of no CPU is it known. */
static inline bool sides_collide(const uint8_t *a, const uint8_t *b) {
  (void)a, (void)b;
  return false;
}

#endif
