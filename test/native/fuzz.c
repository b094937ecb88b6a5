/*
 * Fuzzes the walkers in C under AddressSanitizer and UndefinedBehaviorSanitizer: lists of any numbers in a memory, and over
 * buffers, that end where the heap block does, compared with a loop of memmove that follows the same contract.
 *
 * usage: fuzz [ROUNDS [SEED]]
 */
#include <math.h>
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

enum { PLACES = 3, TABLE = 64 };

/* As line-walker.c has them: where on the line, bytes, where in this process. */
static double places[PLACES][3] = { { 0, SIZE, 0 }, { 8 << 20, 70001, 0 }, { 16 << 20, 300007, 0 } };

/* Mostly in a place or just beyond its end; now and then between two bytes, or what is no place at all. */
static double draw_on_line(void) {
  const double *place = places[draw(PLACES)];
  double address = place[0] + (place == places[0] ? ARENA + draw(SIZE - ARENA) : draw((uint32_t)place[1] + 4));
  switch (draw(100)) {
    case 0: return address + 0.5;
    case 1: return (double[]){ NAN, INFINITY, -INFINITY, -1, -0.25, 0x1p53, 0x1p60, 1e300, 0, 0.5 }[draw(10)];
    default: return address;
  }
}

static double draw_length(void) {
  switch (draw(100)) {
    case 0: return draw(5000) + 0.5;
    case 1: return (double[]){ NAN, INFINITY, -INFINITY, -1, -0.0, 0.5, 0x1p-40, 0x1p53, 1e300, 0 }[draw(10)];
    default: return draw_bytes();
  }
}

/* The place that a range is in; NULL if there is none, or it is no range. */
static const double *place_of(double address, double length) {
  if (!(length > 0) || length > 0x1p53 || floor(length) != length || floor(address) != address) return NULL;
  for (int i = 0; i < PLACES; i++)
    if (address >= places[i][0] && address + length <= places[i][0] + places[i][1]) return places[i];
  return NULL;
}

static uint8_t *byte_at(const double *place, double address) {
  return (uint8_t *)((uintptr_t)place[2] + (uintptr_t)(address - place[0]));
}

/* What walk_line() should do without a limit. Returns whether it meets a wrong descriptor. */
static int walk_line_plainly(uint8_t *bytes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    double word[3];
    memcpy(word, bytes + LIST + i * 24, 24);
    if (word[2] == 0) {
      /* Of -0 the walker makes 0. */
      memset(bytes + LIST + i * 24 + 16, 0, 8);
      continue;
    }
    const double *to = place_of(word[0], word[2]), *from = place_of(word[1], word[2]);
    if (!to || !from) return 1;
    if (get(bytes, POISON) && from == places[0] && is_bad(bytes, (uint32_t)word[1], (uint32_t)word[2])) {
      put(bytes, LEFT, get(bytes, LEFT) + 1);
      continue;
    }
    memmove(byte_at(to, word[0]), byte_at(from, word[1]), (size_t)word[2]);
    double whole = ((uint64_t)word[2] - 1) / PIECE * PIECE;
    memcpy(bytes + LIST + i * 24, (double[]){ word[0] + whole, word[1] + whole, 0 }, 24);
  }
  return 0;
}

/* One list over the buffers, by both; returns why they differ. */
static const char *compare_on_line(uint8_t *bytes, uint8_t *area) {
  uint8_t *was[PLACES], *walked[PLACES];
  uint32_t count = draw(MOST);
  memset(bytes, 0, ARENA);
  for (uint32_t i = 0; i < count; i++) {
    double to = draw_on_line(), from = draw_on_line(), length = draw_length();
    /* Neither the list nor the words beside it, which change meanwhile. */
    if (to >= 0 && to < ARENA) to += ARENA;
    if (from >= 0 && from < ARENA) from += ARENA;
    if (to < from + length && from < to + length) length = 0;
    memcpy(bytes + LIST + i * 24, (double[]){ to, from, length }, 24);
  }
  if (draw(3) == 0) put(bytes, POISON, 1);
  for (int i = draw(5); i > 0 && get(bytes, POISON); i--) {
    uint32_t pfn = draw(SIZE >> 12), word = POISON + 64 + pfn / 32 * 4;
    put(bytes, word, get(bytes, word) | 1u << pfn % 32);
  }
  for (int i = 0; i < PLACES; i++) {
    was[i] = malloc((size_t)places[i][1]);
    memcpy(was[i], byte_at(places[i], places[i][0]), (size_t)places[i][1]);
  }
  struct walk asked = { LIST, LIST + count * 24, STOP, POISON, LEFT, draw(4) ? UINT32_MAX : draw(100000) };
  bool past = draw(2);
  int64_t next = walk_line((struct memory){ area, TABLE + sizeof places }, 0, (struct memory){ bytes, SIZE }, asked, past);
  while (next >= 0 && next < asked.end) {
    asked.list = (uint32_t)next;
    next = walk_line((struct memory){ area, TABLE + sizeof places }, 0, (struct memory){ bytes, SIZE }, asked, past);
  }
  for (int i = 0; i < PLACES; i++) {
    size_t length = (size_t)places[i][1];
    walked[i] = malloc(length);
    memcpy(walked[i], byte_at(places[i], places[i][0]), length);
    memcpy(byte_at(places[i], places[i][0]), was[i], length);
  }
  const char *why = walk_line_plainly(bytes, count) == (next == WALK_BAD_DESCRIPTOR) ? NULL : "another answer on the line";
  for (int i = 0; i < PLACES; i++) {
    if (memcmp(walked[i], byte_at(places[i], places[i][0]), (size_t)places[i][1])) why = "other bytes on the line";
    free(was[i]);
    free(walked[i]);
  }
  return get(area, 4) == 0 ? why : "a user of the table that isn't";
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
  uint8_t *area = calloc(1, TABLE + sizeof places);
  for (int i = 0; i < PLACES; i++) places[i][2] = (double)(uintptr_t)(i ? malloc((size_t)places[i][1]) : bytes);
  for (int i = 1; i < PLACES; i++) memset(byte_at(places[i], places[i][0]), i, (size_t)places[i][1]);
  memcpy(area + TABLE, places, sizeof places);
  put(area, 0, PLACES);
  for (long round = 0; round < rounds; round++) {
    if (round % 2) {
      const char *why = compare_on_line(bytes, area);
      if (why) return fail(round, why);
    }
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
  for (int i = 0; i < PLACES; i++) free(byte_at(places[i], places[i][0]));
  free(area);
  free(expected);
  return 0;
}
