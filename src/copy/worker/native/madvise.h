/* madvise(2), by the system call itself: there is no libc. */
#ifndef MTCOPY_MADVISE_H
#define MTCOPY_MADVISE_H

#include <stddef.h>
#include <stdint.h>

/* Linux's, from asm-generic/mman-common.h. */
enum { MADV_HUGEPAGE = 14, MADV_POPULATE_WRITE = 23 };

/* Advises the system of whole pages. Returns 0, or an error's number below 0. */
static inline int64_t advise(void *first, uint64_t bytes, int64_t advice) {
#if defined(__x86_64__)
  int64_t result;
  /* The system call itself overwrites rcx and r11. */
  __asm__ volatile("syscall" : "=a"(result) : "a"(28), "D"(first), "S"(bytes), "d"(advice) : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register int64_t x0 __asm__("x0") = (intptr_t)first;
  register uint64_t x1 __asm__("x1") = bytes;
  register int64_t x2 __asm__("x2") = advice;
  register int64_t x8 __asm__("x8") = 233;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
  return x0;
#endif
}

#endif
