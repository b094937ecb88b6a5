#ifndef MTCOPY_WALKER_H
#define MTCOPY_WALKER_H

#include <stdbool.h>
#include <stdint.h>

/* An engine's memory as the calling thread sees it. Other threads, a program's own too, may write to it at any time. */
struct memory {
  uint8_t *bytes;
  uint64_t size;
};

/* What walk() is asked for: addresses in the memory, and how many bytes at least to go through before it returns. */
struct walk {
  uint32_t list, end, stop, poison, left, limit;
};

/* What walk() answers instead of an address. */
enum { WALK_BAD_CALL = -1, WALK_BAD_DESCRIPTOR = -2 };

int64_t walk(struct memory memory, struct walk asked);
int64_t walk_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, bool past);
int64_t fill_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, uint8_t byte, bool past);
int64_t compare_line(struct memory area, uint32_t table, struct memory memory, struct walk asked, uint32_t found);

#endif
