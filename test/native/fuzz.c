/*
 * Fuzzes the walker in C under AddressSanitizer and UndefinedBehaviorSanitizer: lists of any numbers in a memory that ends
 * where the heap block does, compared with a loop of memmove that follows the same contract.
 *
 * usage: fuzz [ROUNDS [SEED]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/copy/worker/native/walker.h"

enum { SIZE = 3 << 20, LIST = 4096, MOST = 64, STOP = 64, LEFT = 128, POISON = 8192, ARENA = 1 << 20, PIECE = 256 << 10 };

static uint64_t state;

static uint32_t draw(uint32_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % below;
}

/* Mostly what is in the memory or just beyond its end; now and then any number. */
static uint32_t draw_address(void) {
  switch (draw(12)) {
    case 0: return draw(16) == 0 ? SIZE - draw(5000) : SIZE - 4999;
    case 1: return draw(64) == 0 ? draw(1u << 31) * 2 + draw(2) : ARENA;
    default: return ARENA + draw(SIZE - ARENA);
  }
}

static uint32_t draw_bytes(void) {
  switch (draw(10)) {
    case 0: return draw(64) == 0 ? draw(1u << 31) * 2 : 0;
    case 1: return draw(2 * PIECE + 100);
    case 2: return 4096;
    default: return draw(5000);
  }
}

static uint32_t get(const uint8_t *bytes, uint32_t at) {
  uint32_t word;
  memcpy(&word, bytes + at, 4);
  return word;
}

static void put(uint8_t *bytes, uint32_t at, uint32_t word) { memcpy(bytes + at, &word, 4); }

static int is_bad(const uint8_t *bytes, uint32_t from, uint32_t length) {
  for (uint64_t pfn = from >> 12; pfn <= ((uint64_t)from + length - 1) >> 12; pfn++)
    if (get(bytes, POISON + 64 + (uint32_t)(pfn / 32 * 4)) >> pfn % 32 & 1) return 1;
  return 0;
}

static int overlaps(uint32_t a, uint32_t b, uint32_t bytes) { return a < (uint64_t)b + bytes && b < (uint64_t)a + bytes; }

/* What walk() should do without a limit, as plainly as can be. Returns whether it meets a wrong descriptor. */
static int walk_plainly(uint8_t *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = LIST + i * 12, to = get(bytes, at), from = get(bytes, at + 4), length = get(bytes, at + 8);
    if (length == 0) continue;
    if ((uint64_t)to + length > SIZE || (uint64_t)from + length > SIZE) return 1;
    if (get(bytes, POISON) && is_bad(bytes, from, length)) {
      put(bytes, LEFT, get(bytes, LEFT) + 1);
      continue;
    }
    memmove(bytes + to, bytes + from, length);
    uint32_t whole = (length - 1) / PIECE * PIECE;
    put(bytes, at, to + whole);
    put(bytes, at + 4, from + whole);
    put(bytes, at + 8, 0);
  }
  return 0;
}

/* Any arguments at all: nothing may be touched outside, and nothing may hang. */
static void walk_anyhow(uint8_t *bytes) {
  uint32_t at = draw(2) ? draw(SIZE) & ~3u : SIZE - draw(64) * 4;
  struct walk asked = { at, at + draw(60) * 4 + (draw(8) == 0), draw(2 * SIZE), draw(2 * SIZE), draw(2 * SIZE), draw(SIZE) };
  for (int i = 0; i < 5; i++)
    if (draw(4)) ((uint32_t *[]){ &asked.stop, &asked.poison, &asked.left, &asked.list, &asked.end })[i][0] &= ~3u;
  walk((struct memory){ bytes, SIZE }, asked);
}

static int fail(long round, const char *how) {
  fprintf(stderr, "round %ld: %s\n", round, how);
  return 1;
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 20000;
  state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
  uint8_t *bytes = aligned_alloc(4096, SIZE), *expected = malloc(SIZE);
  for (uint32_t i = 0; i < SIZE; i++) bytes[i] = (uint8_t)draw(256);
  long compared = 0, wrong = 0;
  for (long round = 0; round < rounds; round++) {
    memset(bytes, 0, ARENA);
    uint32_t count = draw(MOST);
    for (uint32_t i = 0; i < count; i++) {
      uint32_t to = draw_address(), from = draw_address(), length = draw_bytes();
      /* Ranges that overlap are undefined, but only among themselves: some rounds have them, and aren't compared. */
      if (round % 16 && overlaps(to, from, length)) length = 0;
      put(bytes, LIST + i * 12, to);
      put(bytes, LIST + i * 12 + 4, from);
      put(bytes, LIST + i * 12 + 8, length);
    }
    if (draw(3) == 0)
      for (int i = draw(5); i >= 0; i--) {
        uint32_t pfn = draw(SIZE >> 12), word = POISON + 64 + pfn / 32 * 4;
        put(bytes, word, get(bytes, word) | 1u << pfn % 32);
        put(bytes, POISON, 1);
      }
    if (round % 16 == 1) {
      for (int i = 0; i < 20; i++) walk_anyhow(bytes);
      continue;
    }
    memcpy(expected, bytes, SIZE);
    struct memory memory = { bytes, SIZE };
    struct walk asked = { LIST, LIST + count * 12, STOP, POISON, LEFT, draw(4) ? UINT32_MAX : draw(100000) };
    int64_t next = walk(memory, asked);
    while (next >= 0 && next < asked.end) {
      asked.list = (uint32_t)next;
      next = walk(memory, asked);
    }
    if (round % 16 == 0) continue;
    int is_wrong = walk_plainly(expected, count);
    if (is_wrong != (next == WALK_BAD_DESCRIPTOR)) return fail(round, "another answer than expected");
    if (memcmp(expected, bytes, SIZE)) return fail(round, "other bytes than expected");
    compared++;
    wrong += is_wrong;
  }
  printf("%ld rounds, %ld compared, %ld of them with a wrong descriptor\n", rounds, compared, wrong);
  free(bytes);
  free(expected);
  return 0;
}
