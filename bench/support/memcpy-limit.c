/*
 * What C reaches on this machine: memcpy in POSIX threads, over the same folios as the engine.
 *
 * usage: memcpy-limit TOTAL_BYTES
 * Reads lines "THREADS FOLIO_BYTES seq|rand" and answers each with the nanoseconds of one copy. With a fourth word,
 * "over", and one thread, it copies over and over until the next line, "stop", and answers with the mean of them. One
 * process serves a whole benchmark, so that it and the engine can take turns with both of them warm. It ends with its
 * input.
 */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MAX_THREADS 64

static char *source, *destination;
static uint32_t *from_frame, *to_frame;
static size_t folio_bytes, folios, threads;
static pthread_barrier_t barrier;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void copy_share(size_t id) {
  if (folios >= threads) {
    for (size_t i = folios * id / threads; i < folios * (id + 1) / threads; i++)
      memcpy(destination + to_frame[i] * folio_bytes, source + from_frame[i] * folio_bytes, folio_bytes);
    return;
  }
  size_t begin = folio_bytes / threads * id;
  size_t end = id + 1 == threads ? folio_bytes : folio_bytes / threads * (id + 1);
  for (size_t i = 0; i < folios; i++)
    memcpy(destination + to_frame[i] * folio_bytes + begin, source + from_frame[i] * folio_bytes + begin, end - begin);
}

static void *run_thread(void *id) {
  pthread_barrier_wait(&barrier);
  copy_share((size_t)id);
  pthread_barrier_wait(&barrier);
  return NULL;
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

static uint64_t timed_copy(void) {
  pthread_t thread[MAX_THREADS];
  pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
  for (size_t i = 0; i < threads; i++) pthread_create(&thread[i], NULL, run_thread, (void *)i);
  uint64_t start = now_ns();
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  uint64_t ns = now_ns() - start;
  for (size_t i = 0; i < threads; i++) pthread_join(thread[i], NULL);
  pthread_barrier_destroy(&barrier);
  return ns;
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
  if (argc != 2) return 2;
  size_t total = strtoull(argv[1], NULL, 0);
  source = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  destination = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (source == MAP_FAILED || destination == MAP_FAILED) return 1;
  memset(source, 1, total);
  memset(destination, 2, total);
  from_frame = malloc(total / 4096 * sizeof *from_frame);
  to_frame = malloc(total / 4096 * sizeof *to_frame);
  /* poll() sees nothing of what stdio would keep. */
  setvbuf(stdin, NULL, _IONBF, 0);
  char line[64], order[8], over[8];
  while (fgets(line, sizeof line, stdin)) {
    int words = sscanf(line, "%zu %zu %7s %7s", &threads, &folio_bytes, order, over);
    if (words < 3 || (words == 4 && (strcmp(over, "over") || threads != 1))) return 2;
    if (threads < 1 || threads > MAX_THREADS || folio_bytes < 4096 || folio_bytes > total) return 2;
    folios = total / folio_bytes;
    order_frames(from_frame, !strcmp(order, "rand"), 1);
    order_frames(to_frame, !strcmp(order, "rand"), 2);
    printf("%llu\n", (unsigned long long)(words == 4 ? copy_over_and_over() : timed_copy()));
    fflush(stdout);
  }
  return 0;
}
