/*
 * What C reaches on this machine: memset and memcmp in POSIX threads, each over a part of its own.
 *
 * usage: memset-limit TOTAL_BYTES [huge]
 * Reads lines "THREADS memset|memcmp" and answers each with the nanoseconds that it took over TOTAL_BYTES, of which memcmp reads
 * twice as many. "huge" asks for huge pages. One process serves a whole benchmark, so that it and the engine can take turns with
 * both of them warm. It ends with its input.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "in-threads.h"

static char *bytes, *same;
static size_t total, threads;
static int compares, byte;
static int differs[MAX_THREADS];

static void run_share(size_t id) {
  size_t first = total * id / threads, end = total * (id + 1) / threads;
  if (compares) differs[id] = memcmp(bytes + first, same + first, end - first) != 0;
  else memset(bytes + first, byte, end - first);
}

static char *open_bytes(int is_huge) {
  char *opened = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (opened == MAP_FAILED) exit(1);
  if (is_huge) madvise(opened, total, MADV_HUGEPAGE);
  memset(opened, 1, total);
  return opened;
}

int main(int argc, char **argv) {
  if (argc != 2 && (argc != 3 || strcmp(argv[2], "huge"))) return 2;
  total = strtoull(argv[1], NULL, 0);
  bytes = open_bytes(argc == 3);
  same = open_bytes(argc == 3);
  char line[64], what[8];
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%zu %7s", &threads, what) != 2 || threads < 1 || threads > MAX_THREADS) return 2;
    compares = !strcmp(what, "memcmp");
    if (!compares && strcmp(what, "memset")) return 2;
    /* What is compared is the same, whatever was filled before. */
    byte = 1;
    printf("%llu\n", (unsigned long long)timed_in_threads(threads, run_share));
    fflush(stdout);
    for (size_t i = 0; compares && i < threads; i++)
      if (differs[i]) return 1;
  }
  return 0;
}
