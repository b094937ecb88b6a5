/*
 * What C reaches on this machine: memcpy or streaming stores in POSIX threads, over the same folios as the engine.
 *
 * usage: memcpy-limit TOTAL_BYTES [huge]
 * Reads lines "THREADS FOLIO_BYTES seq|rand" and answers each with the nanoseconds of one copy. A fourth word says what
 * copies: "nt", streaming stores with a fence a list, or "ahead", those and the start of the next folio fetched while the end
 * of this one is copied; both on x86-64 alone. With "over" instead, and one thread, memcpy copies over and over until the next
 * line, "stop", and it answers with the mean of them. "huge" asks for huge pages. One process serves a whole benchmark, so
 * that it and the engine can take turns with both of them warm. It ends with its input.
 */
#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "in-threads.h"

static char *source, *destination;
static uint32_t *from_frame, *to_frame;
static size_t folio_bytes, folios, threads;

/* Copies a folio, or a thread's part of one; `next` is where the next one's source begins. */
typedef void copy_method(char *to, const char *from, size_t bytes, const char *next);

static copy_method *method;

static void copy_memcpy(char *to, const char *from, size_t bytes, const char *next) {
  (void)next;
  memcpy(to, from, bytes);
}

#ifdef __x86_64__
enum { AHEAD = 4096, PAIR = 128 };

__attribute__((target("avx2"), always_inline)) static inline void stream_pair(char *to, const char *from) {
  __m256i a = _mm256_loadu_si256((const __m256i *)from), b = _mm256_loadu_si256((const __m256i *)(from + 32));
  __m256i c = _mm256_loadu_si256((const __m256i *)(from + 64)), d = _mm256_loadu_si256((const __m256i *)(from + 96));
  _mm256_stream_si256((__m256i *)to, a);
  _mm256_stream_si256((__m256i *)(to + 32), b);
  _mm256_stream_si256((__m256i *)(to + 64), c);
  _mm256_stream_si256((__m256i *)(to + 96), d);
}

__attribute__((target("avx2"))) static void copy_nt(char *to, const char *from, size_t bytes, const char *next) {
  (void)next;
  for (size_t i = 0; i < bytes; i += PAIR) stream_pair(to + i, from + i);
}

__attribute__((target("avx2"))) static void copy_ahead(char *to, const char *from, size_t bytes, const char *next) {
  size_t last = bytes > AHEAD ? bytes - AHEAD : 0;
  /* Within a large folio the hardware fetches ahead by itself. */
  int is_small = bytes <= 65536;
  for (size_t i = 0; i < bytes; i += PAIR) {
    const char *ahead = i < last ? from + i + AHEAD : next + (i - last);
    if (is_small || i >= last) {
      _mm_prefetch(ahead, _MM_HINT_T0);
      _mm_prefetch(ahead + 64, _MM_HINT_T0);
    }
    stream_pair(to + i, from + i);
  }
}
#endif

/* NULL for a method that there isn't. */
static copy_method *find_method(const char *name) {
#ifdef __x86_64__
  if (!strcmp(name, "nt")) return copy_nt;
  if (!strcmp(name, "ahead")) return copy_ahead;
#endif
  return strcmp(name, "memcpy") && strcmp(name, "over") ? NULL : copy_memcpy;
}

static void fence(void) {
#ifdef __x86_64__
  _mm_sfence();
#endif
}

static void copy_share(size_t id) {
  int is_whole = folios >= threads;
  size_t first = is_whole ? folios * id / threads : 0, end = is_whole ? folios * (id + 1) / threads : folios;
  size_t part = is_whole ? folio_bytes : folio_bytes / threads;
  size_t skipped = is_whole ? 0 : part * id;
  if (!is_whole && id + 1 == threads) part = folio_bytes - skipped;
  for (size_t i = first; i < end; i++) {
    size_t next = i + 1 < end ? i + 1 : i;
    method(destination + to_frame[i] * folio_bytes + skipped, source + from_frame[i] * folio_bytes + skipped, part,
           source + from_frame[next] * folio_bytes + skipped);
  }
  /* Once a list. */
  fence();
}

static void order_frames(uint32_t *frame, int shuffled, unsigned seed) {
  for (size_t i = 0; i < folios; i++) frame[i] = (uint32_t)i;
  if (!shuffled) return;
  srand(seed);
  for (size_t i = folios - 1; i > 0; i--) {
    size_t j = ((size_t)rand() << 16 ^ (size_t)rand()) % (i + 1);
    uint32_t kept = frame[i];
    frame[i] = frame[j];
    frame[j] = kept;
  }
}

/* Copies on this thread until there is input to read, or none will come: a program's loop, which never sleeps. */
static uint64_t copy_over_and_over(void) {
  struct pollfd input = { .fd = 0, .events = POLLIN };
  uint64_t start = now_ns(), copies = 0;
  do {
    copy_share(0);
    copies++;
  } while (poll(&input, 1, 0) == 0);
  uint64_t ns = (now_ns() - start) / copies;
  char line[8];
  fgets(line, sizeof line, stdin);
  return ns;
}

int main(int argc, char **argv) {
  if (argc != 2 && (argc != 3 || strcmp(argv[2], "huge"))) return 2;
  size_t total = strtoull(argv[1], NULL, 0);
  source = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  destination = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (source == MAP_FAILED || destination == MAP_FAILED) return 1;
  if (argc == 3) {
    madvise(source, total, MADV_HUGEPAGE);
    madvise(destination, total, MADV_HUGEPAGE);
  }
  memset(source, 1, total);
  memset(destination, 2, total);
  from_frame = malloc(total / 4096 * sizeof *from_frame);
  to_frame = malloc(total / 4096 * sizeof *to_frame);
  /* poll() sees nothing of what stdio would keep. */
  setvbuf(stdin, NULL, _IONBF, 0);
  char line[64], order[8];
  while (fgets(line, sizeof line, stdin)) {
    char how[8] = "memcpy";
    if (sscanf(line, "%zu %zu %7s %7s", &threads, &folio_bytes, order, how) < 3) return 2;
    int is_over = !strcmp(how, "over");
    method = find_method(how);
    if (!method || (is_over && threads != 1)) return 2;
    if (threads < 1 || threads > MAX_THREADS || folio_bytes < 4096 || folio_bytes > total) return 2;
    folios = total / folio_bytes;
    order_frames(from_frame, !strcmp(order, "rand"), 1);
    order_frames(to_frame, !strcmp(order, "rand"), 2);
    printf("%llu\n", (unsigned long long)(is_over ? copy_over_and_over() : timed_in_threads(threads, copy_share)));
    fflush(stdout);
  }
  return 0;
}
