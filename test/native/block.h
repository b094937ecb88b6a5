/* Memory whose bounds can't be crossed unseen, by code that no sanitizer looks into either: assembly, and streaming stores. */
#ifndef MTCOPY_BLOCK_H
#define MTCOPY_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANARY = 0xa5 };

/* Bytes with a page after them that nobody may touch, and canaries before them up to where their page begins. */
struct block {
  uint8_t *bytes;
  size_t size, before, mapped;
};

static inline struct block open_block(size_t size) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t room = (size + page - 1) / page * page;
  uint8_t *mapped = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED || mprotect(mapped + room, page, PROT_NONE)) {
    perror("mmap");
    exit(2);
  }
  memset(mapped, CANARY, room - size);
  return (struct block){ mapped + room - size, size, room - size, room + page };
}

static inline int is_unharmed(const struct block *block) {
  for (size_t i = 1; i <= block->before; i++)
    if (block->bytes[-(ptrdiff_t)i] != CANARY) return 0;
  return 1;
}

static inline void close_block(struct block *block) { munmap(block->bytes - block->before, block->mapped); }

#endif
