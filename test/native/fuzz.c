/*
 * Fuzzes the walkers in C: lists of any numbers in a memory, and over buffers, each of which ends where the next byte can't be
 * touched; compared with loops of memmove, memset and single bytes that follow the same contract. Then with lists that another thread changes
 * meanwhile, and that the items themselves overwrite: nothing outside may be touched, and nothing may hang.
 *
 * usage: fuzz [ROUNDS [SEED]]
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/copy/worker/native/walker.h"
#include "block.h"

enum { LEAST = 1 << 20, LIST = 4096, MOST = 64, STOP = 64, LEFT = 128, FOUND = 192, POISON = 8192, ARENA = 64 << 10, PIECE = 256 << 10 };
enum { PLACES = 4, TABLE = 64, WIDE = 24, NARROW = 12, ROUNDS_A_MEMORY = 50 };
/* The descriptor that is changed; those before it, of no bytes, have its line read before it is. */
enum { CHANGED = 3 };

/* Which walker: walk(), walk_line(), fill_line() or compare_line(). All but the first go by doubles. */
enum kind { WALK, WALK_LINE, FILL, COMPARE, KINDS };

/* Each thread draws numbers of its own. */
static _Thread_local uint64_t state;

static uint32_t draw(uint32_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) % below;
}

/* The memory, the other buffers, and the table of all: as line-walker.c has them, base, bytes and address. */
static struct block blocks[PLACES], area;
static double places[PLACES][3];
static uint8_t *bytes;
static uint32_t size;
static uint8_t fill_byte;
/* Where the list and the poison map are: what is from the second on is nobody's destination. */
static uint32_t list_at, poison_at, arena_end;

static uint32_t get(const uint8_t *from, uint32_t at) {
  uint32_t word;
  memcpy(&word, from + at, 4);
  return word;
}

static void put(uint8_t *to, uint32_t at, uint32_t word) { memcpy(to + at, &word, 4); }

static uint32_t poison_bytes(void) { return 64 + (size / 4096 / 32 + 1) * 4; }

static struct memory memory_of(struct block block) { return (struct memory){ block.bytes, block.size }; }

/* A memory of any size that is a multiple of 8, for it begins at one; the others begin and end anywhere. */
static void open_memories(void) {
  size = LEAST + draw(70000) * 8;
  double base = 0;
  for (int i = 0; i < PLACES; i++) {
    blocks[i] = open_block(i == 0 ? size : i == 1 ? 1 + draw(3) : 1 + draw(400000));
    for (size_t at = 0; at < blocks[i].size; at++) blocks[i].bytes[at] = (uint8_t)draw(256);
    memcpy(places[i], (double[]){ base, (double)blocks[i].size, (double)(uintptr_t)blocks[i].bytes }, sizeof places[i]);
    base += (double)blocks[i].size + (draw(2) ? 1 : 8 << 20);
  }
  bytes = blocks[0].bytes;
  area = open_block(TABLE + sizeof places);
  memset(area.bytes, 0, TABLE);
  memcpy(area.bytes + TABLE, places, sizeof places);
  put(area.bytes, 0, PLACES);
}

static int close_memories(void) {
  int unharmed = is_unharmed(&area);
  for (int i = 0; i < PLACES; i++) {
    unharmed &= is_unharmed(&blocks[i]);
    close_block(&blocks[i]);
  }
  close_block(&area);
  return unharmed;
}

/* Words all 0, nothing found; the list or the poison map now and then up to the memory's last byte. */
static void place_words(uint32_t count, uint32_t descriptor) {
  memset(bytes, 0, ARENA);
  put(bytes, FOUND, UINT32_MAX);
  list_at = LIST, poison_at = POISON, arena_end = size;
  switch (draw(6)) {
    case 0: list_at = arena_end = (size - count * descriptor) & ~7u; break;
    case 1: poison_at = arena_end = (size - poison_bytes()) & ~3u; break;
  }
  memset(bytes + arena_end, 0, size - arena_end);
  if (draw(3)) return;
  put(bytes, poison_at, 1);
  for (int i = draw(5); i > 0; i--) {
    uint32_t pfn = draw(4) ? draw((size + 4095) >> 12) : (size - 1) >> 12, word = poison_at + 64 + pfn / 32 * 4;
    put(bytes, word, get(bytes, word) | 1u << pfn % 32);
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

/* Where a range of so many bytes is between two ends; anywhere, if it has no room. */
static double draw_within(double first, double end, double length) {
  double room = end - first - (length >= 0 && length < end - first ? floor(length) : 0);
  return first + draw((uint32_t)room + 1);
}

/*
 * Mostly in the arena, often up to its end; now and then a byte beyond, or any number. A list ends at the first that is wrong,
 * so few are.
 */
static uint32_t draw_address(uint32_t length) {
  switch (draw(256)) {
    case 0: return draw(1u << 31) * 2 + draw(2);
    case 1: return arena_end - length + 1;
    case 2 ... 20: return arena_end - length;
    default: return (uint32_t)draw_within(ARENA, arena_end, length);
  }
}

static double draw_strange(void) {
  static const double strange[] = { NAN, INFINITY, -INFINITY, -1, -0.25, -0.0, 0x1p-1074, 0x1p-40, 0.5, 0x1p53 - 1,
                                    0x1p53, 0x1p53 + 2, 0x1p60, 0x1p63, 0x1p64, 1e300, 0 };
  return strange[draw(sizeof strange / sizeof *strange)];
}

static double draw_on_line(double length) {
  const double *place = places[draw(PLACES)];
  if (length > place[1] && draw(200)) place = places[0];
  double first = place == places[0] ? ARENA : 0, end = place == places[0] ? arena_end : place[1];
  switch (draw(400)) {
    case 0: return draw_strange();
    case 1: return place[0] + end / 3 + 0.5;
    case 2: return place[0] + end - length + 1;
    case 3: return place[0] + end;
    case 4 ... 40: return place[0] + end - length;
    default: return place[0] + draw_within(first, end, length);
  }
}

static double draw_length(void) {
  switch (draw(400)) {
    case 0: return draw(5000) + 0.5;
    case 1: return draw_strange();
    case 2 ... 40: return draw(5);
    default: return draw_bytes();
  }
}

static int overlaps(double a, double b, double length) { return a < b + length && b < a + length; }

/* Whether a range reaches into the list, or the words beside it, which change meanwhile. */
static int meets_words(double address, double length) {
  return (address >= 0 && address < ARENA) || (arena_end < size && address < size && address + length > arena_end);
}

static int is_bad(const uint8_t *memory, uint32_t from, uint32_t length) {
  for (uint64_t pfn = from >> 12; pfn <= ((uint64_t)from + length - 1) >> 12; pfn++)
    if (get(memory, poison_at + 64 + (uint32_t)(pfn / 32 * 4)) >> pfn % 32 & 1) return 1;
  return 0;
}

/* The place that a range is in; NULL if there is none, or it is no range. */
static const double *place_of(double address, double length) {
  if (!(length > 0) || length > 0x1p53 || floor(length) != length || floor(address) != address) return NULL;
  for (int i = 0; i < PLACES; i++)
    if (address >= places[i][0] && address + length <= places[i][0] + places[i][1]) return places[i];
  return NULL;
}

/* The first byte of a range of a place, in `copies` of all places. */
static uint8_t *byte_at(uint8_t *const *copies, const double *place, double address) {
  return copies[(place - places[0]) / 3] + (size_t)(address - place[0]);
}

static void read_descriptor(const uint8_t *memory, int is_wide, uint32_t i, double word[3]) {
  if (is_wide) memcpy(word, memory + list_at + i * WIDE, WIDE);
  else
    for (uint32_t j = 0; j < 3; j++) word[j] = get(memory, list_at + i * NARROW + j * 4);
}

static void write_descriptor(uint8_t *memory, int is_wide, uint32_t i, const double word[3]) {
  if (is_wide) memcpy(memory + list_at + i * WIDE, word, WIDE);
  else
    for (uint32_t j = 0; j < 3; j++) put(memory, list_at + i * NARROW + j * 4, (uint32_t)word[j]);
}

/* Whether a frame of a range is poisoned: in the engine's memory, or none. */
static int is_bad_at(const double *place, double address, double length) {
  return get(bytes, poison_at) && place == places[0] && is_bad(bytes, (uint32_t)address, (uint32_t)length);
}

static void count_left(uint8_t *memory) { put(memory, LEFT, get(memory, LEFT) + 1); }

/* What a copy of a descriptor should do. Returns whether it is wrong. */
static int copy_plainly(uint8_t *const *copies, int is_wide, uint32_t i, double word[3], int marks) {
  if (word[2] == 0) word[2] = 0; /* Of -0 the walker makes 0. */
  else {
    const double *to = place_of(word[0], word[2]), *from = place_of(word[1], word[2]);
    if (!to || !from || (!is_wide && (to != places[0] || from != places[0]))) return 1;
    if (is_bad_at(from, word[1], word[2])) {
      count_left(copies[0]);
      return 0;
    }
    if (marks) memset(byte_at(copies, to, word[0]), 1, (size_t)word[2]);
    else memmove(byte_at(copies, to, word[0]), byte_at(copies, from, word[1]), (size_t)word[2]);
    double whole = ((uint64_t)word[2] - 1) / PIECE * PIECE;
    word[0] += whole, word[1] += whole, word[2] = 0;
  }
  if (!marks) write_descriptor(copies[0], is_wide, i, word);
  return 0;
}

static int fill_plainly(uint8_t *const *copies, uint32_t i, double word[3]) {
  if (word[2] == 0) return 0;
  const double *to = place_of(word[0], word[2]);
  if (!to) return 1;
  memset(byte_at(copies, to, word[0]), fill_byte, (size_t)word[2]);
  word[0] += word[2], word[2] = 0;
  write_descriptor(copies[0], 1, i, word);
  return 0;
}

/* Sets `is_over` where nothing after it is looked at. */
static int compare_plainly(uint8_t *const *copies, uint32_t i, double word[3], int *is_over) {
  if (word[2] == 0) return 0;
  const double *a = place_of(word[0], word[2]), *b = place_of(word[1], word[2]);
  uint32_t at = list_at + i * WIDE;
  if (!a || !b) return 1;
  if (is_bad_at(a, word[0], word[2]) || is_bad_at(b, word[1], word[2])) {
    count_left(copies[0]);
    return 0;
  }
  if ((*is_over = at >= get(copies[0], FOUND))) return 0;
  const uint8_t *one = byte_at(copies, a, word[0]), *other = byte_at(copies, b, word[1]);
  double equal = memcmp(one, other, (size_t)word[2]) ? 0 : word[2];
  while (equal < word[2] && one[(size_t)equal] == other[(size_t)equal]) equal++;
  word[0] += equal, word[1] += equal, word[2] -= equal;
  write_descriptor(copies[0], 1, i, word);
  if ((*is_over = word[2] > 0)) put(copies[0], FOUND, at);
  return 0;
}

/*
 * What a walker should do without a limit, as plainly as can be, or only mark: with `marks`, what it may write to. Returns whether
 * it meets a wrong descriptor.
 */
static int walk_plainly(uint8_t *const *copies, enum kind kind, uint32_t count, int marks) {
  int is_wrong = 0, is_over = 0;
  for (uint32_t i = 0; i < count && !is_wrong && !is_over; i++) {
    double word[3];
    read_descriptor(bytes, kind != WALK, i, word);
    if (kind == FILL) is_wrong = fill_plainly(copies, i, word);
    else if (kind == COMPARE) is_wrong = compare_plainly(copies, i, word, &is_over);
    else is_wrong = copy_plainly(copies, kind == WALK_LINE, i, word, marks);
  }
  return is_wrong;
}

/* Makes most sides of a list equal, some but for a byte: by chance hardly any would be. Now and then something is found already. */
static void make_equal(uint32_t count) {
  uint8_t *own[PLACES];
  for (int i = 0; i < PLACES; i++) own[i] = blocks[i].bytes;
  for (uint32_t i = 0; i < count; i++) {
    double word[3];
    read_descriptor(bytes, 1, i, word);
    const double *a = place_of(word[0], word[2]), *b = place_of(word[1], word[2]);
    if (!a || !b) continue;
    memmove(byte_at(own, b, word[1]), byte_at(own, a, word[0]), (size_t)word[2]);
    if (draw(count) == 0) byte_at(own, b, word[1])[draw((uint32_t)word[2])] ^= 1 + draw(255);
  }
  if (draw(8) == 0) put(bytes, FOUND, list_at + draw(count + 1) * WIDE);
}

static void draw_list(int is_wide, uint32_t count, int may_overlap) {
  for (uint32_t i = 0; i < count; i++) {
    double length = is_wide ? draw_length() : draw_bytes();
    double to = is_wide ? draw_on_line(length) : draw_address((uint32_t)length);
    double from = is_wide ? draw_on_line(length) : draw_address((uint32_t)length);
    if (may_overlap && draw(2)) from = to + (draw(300) - 150.0);
    if (!may_overlap && overlaps(to, from, length)) length = 0;
    if (meets_words(to, length) || meets_words(from, length)) length = 0;
    write_descriptor(bytes, is_wide, i, (double[]){ to, from, length });
  }
}

static int64_t walk_once(enum kind kind, struct walk asked, bool past) {
  struct memory memory = memory_of(blocks[0]);
  switch (kind) {
    case WALK: return walk(memory, asked);
    case FILL: return fill_line(memory_of(area), 0, memory, asked, fill_byte, past);
    case COMPARE: return compare_line(memory_of(area), 0, memory, asked, FOUND);
    default: return walk_line(memory_of(area), 0, memory, asked, past);
  }
}

static const char *find_other(uint8_t *const *expected, uint8_t *const *marked) {
  for (int i = 0; i < PLACES; i++)
    for (size_t at = marked ? ARENA : 0; at < (marked && i == 0 ? arena_end : blocks[i].size); at++)
      if (blocks[i].bytes[at] != expected[i][at] && !(marked && marked[i][at]))
        return marked ? "bytes beside what overlapped" : "other bytes than expected";
  return NULL;
}

/* One list by a walker and by the plain loop. Returns why they differ; adds to `wrong` if there was a wrong descriptor. */
static const char *check_list(int may_overlap, long *wrong) {
  enum kind kind = draw(KINDS);
  int is_wide = kind != WALK;
  uint32_t count = draw(MOST), descriptor = is_wide ? WIDE : NARROW;
  fill_byte = (uint8_t)draw(256);
  place_words(count, descriptor);
  draw_list(is_wide, count, may_overlap);
  if (kind == COMPARE) make_equal(count);
  /* Of these the bytes are known even so. */
  if (kind == FILL || kind == COMPARE) may_overlap = 0;
  uint8_t *expected[PLACES], *marked[PLACES];
  for (int i = 0; i < PLACES; i++) {
    expected[i] = malloc(blocks[i].size);
    marked[i] = calloc(1, blocks[i].size);
    memcpy(expected[i], blocks[i].bytes, blocks[i].size);
  }
  int is_wrong = walk_plainly(may_overlap ? marked : expected, kind, count, may_overlap);
  struct walk asked = { list_at, list_at + count * descriptor, STOP, poison_at, LEFT, draw(4) ? UINT32_MAX : draw(100000) };
  bool past = draw(2);
  int64_t next = walk_once(kind, asked, past);
  for (; next >= 0 && next < asked.end; next = walk_once(kind, asked, past)) asked.list = (uint32_t)next;
  const char *why = find_other(expected, may_overlap ? marked : NULL);
  if (is_wrong != (next == WALK_BAD_DESCRIPTOR)) why = "another answer than expected";
  if (get(area.bytes, 4) != 0) why = "a user of the table that isn't";
  *wrong += is_wrong;
  for (int i = 0; i < PLACES; i++) {
    free(expected[i]);
    free(marked[i]);
  }
  return why;
}

/* Arguments that are wrong by a little or by much, in a memory of any size: nothing may be touched outside. */
static const char *walk_anyhow(void) {
  struct block memory = open_block(draw(2) ? draw(40) * 8 : draw(40000) * 8);
  uint32_t end = (uint32_t)memory.size, map = 64 + (end / 4096 / 32 + 1) * 4;
  uint32_t count = draw(20), descriptor = draw(2) ? NARROW : WIDE;
  int is_filled = draw(4) > 0;
  for (uint32_t at = 0; at < end; at += 4) put(memory.bytes, at, is_filled ? draw(end) / (1 + draw(4)) : 0);
  struct walk asked = { end - count * descriptor + draw(3) * 4, 0, 0, 8, 4, UINT32_MAX };
  asked.end = asked.list + count * descriptor;
  if (draw(8) == 0) asked.end += draw(2 * end + 9);
  if (draw(4) == 0) asked.stop = draw(2) ? end - draw(9) : draw(2 * end + 9);
  if (draw(4) == 0) asked.left = draw(2) ? end - draw(9) : draw(2 * end + 9);
  if (draw(2) == 0) asked.poison = draw(4) ? end - map + draw(3) * 4 : draw(2 * end + 9);
  if (end >= 4 && asked.stop == 0) put(memory.bytes, 0, 0);
  for (int i = 0; i < 4; i++) {
    walk(memory_of(memory), asked);
    uint32_t table = draw(3) ? 0 : draw(2 * TABLE + 200);
    walk_line(memory_of(area), table, memory_of(memory), asked, draw(2));
    fill_line(memory_of(area), table, memory_of(memory), asked, (uint8_t)draw(256), draw(2));
    compare_line(memory_of(area), table, memory_of(memory), asked, draw(2) ? draw(end + 9) : end - draw(9));
  }
  const char *why = is_unharmed(&memory) ? NULL : "bytes before the memory";
  close_block(&memory);
  return why;
}

/* What the thread beside does to a list: to which word of one descriptor, or to all words. */
struct scribble {
  int is_wide;
  uint32_t word, words, done, count;
};

static void write_word(int is_wide, uint32_t i, uint32_t word, double number) {
  uint64_t bits;
  memcpy(&bits, &number, 8);
  if (is_wide) __atomic_store_n((uint64_t *)(bytes + list_at + i * WIDE + word * 8), bits, __ATOMIC_RELAXED);
  else __atomic_store_n((uint32_t *)(bytes + list_at + i * NARROW + word * 4), (uint32_t)number, __ATOMIC_RELAXED);
}

/*
 * Has the range of a list's last descriptor end in the memory, and beyond it: who reads that word twice finds another one the
 * second time, now and then. A processor that guesses right what follows reads both times at once. So what follows is drawn: the
 * range may have no bytes too.
 */
static void *alternate(void *given) {
  struct scribble *asked = given;
  const double sound[] = { size - 100, size - 100, 100 }, beyond[] = { size - 50, size - 50, 5000 };
  state = asked->word + 7919u * asked->is_wide;
  for (uint32_t word = 0; word < 2; word++) write_word(asked->is_wide, CHANGED, word, sound[word]);
  while (!__atomic_load_n(&asked->done, __ATOMIC_RELAXED)) {
    uint32_t drawn = draw(3);
    if (asked->word < 2) write_word(asked->is_wide, CHANGED, asked->word, (drawn == 0 ? beyond : sound)[asked->word]);
    write_word(asked->is_wide, CHANGED, 2, drawn == 1 ? 0 : (asked->word == 2 && drawn == 0 ? beyond : sound)[2]);
    __atomic_fetch_add(&asked->count, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

static void *scribble(void *given) {
  struct scribble *asked = given;
  state = asked->words + 7919u * asked->is_wide;
  while (!__atomic_load_n(&asked->done, __ATOMIC_RELAXED)) {
    uint32_t at = list_at + draw(asked->words / 2) * 8;
    double length = asked->is_wide ? draw_length() : draw_bytes(), number = draw(3) ? draw_on_line(length) : length;
    uint64_t word;
    memcpy(&word, &number, 8);
    if (!asked->is_wide) word = (uint64_t)draw_address(draw_bytes()) << 32 | (draw(2) ? draw_bytes() : draw_address(1));
    __atomic_store_n((uint64_t *)(bytes + at), word, __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)(bytes + poison_at), draw(2), __ATOMIC_RELAXED);
    __atomic_store_n((uint32_t *)(bytes + STOP), draw(50) == 0, __ATOMIC_RELAXED);
    __atomic_fetch_add(&asked->count, 1, __ATOMIC_RELAXED);
  }
  return NULL;
}

/* Lists that another thread changes meanwhile, and whose items reach over list, poison map and words. Counts the changes. */
static const char *walk_while_changed(int alternates, long *changes) {
  enum kind kind = draw(KINDS);
  int is_wide = kind != WALK, walks = alternates ? 200000 : 500;
  uint32_t descriptor = is_wide ? WIDE : NARROW, count = alternates ? CHANGED + 1 : MOST;
  const char *why = NULL;
  place_words(count, descriptor);
  if (alternates) list_at = LIST, poison_at = POISON;
  arena_end = size;
  struct scribble beside = { is_wide, draw(3), count * descriptor / 4, 0, 0 };
  pthread_t thread;
  if (pthread_create(&thread, NULL, alternates ? alternate : scribble, &beside)) return "no thread";
  for (int i = 0; !why && (i < walks || __atomic_load_n(&beside.count, __ATOMIC_RELAXED) < 20000); i++) {
    struct walk asked = { list_at, list_at + count * descriptor, STOP, poison_at, LEFT, draw(4) ? UINT32_MAX : draw(100000) };
    __atomic_store_n((uint32_t *)(bytes + FOUND), UINT32_MAX, __ATOMIC_RELAXED);
    int64_t next = walk_once(kind, asked, draw(2));
    if (next != WALK_BAD_DESCRIPTOR && (next < asked.list || next > asked.end)) why = "an answer that is none";
  }
  __atomic_store_n(&beside.done, 1, __ATOMIC_RELAXED);
  pthread_join(thread, NULL);
  *changes += beside.count;
  return get(area.bytes, 4) == 0 ? why : "a user of the table that isn't";
}

/* Tables that are closed, that say more than there is, or that are for a larger memory. */
static const char *check_tables(enum kind kind) {
  place_words(1, WIDE);
  list_at = LIST, poison_at = POISON;
  write_descriptor(bytes, 1, 0, (double[]){ ARENA, ARENA + 4096, 100 });
  struct walk asked = { list_at, list_at + WIDE, STOP, poison_at, LEFT, UINT32_MAX };
  put(bytes, LEFT, 0);
  put(area.bytes, 0, 0);
  int64_t closed = walk_once(kind, asked, true);
  put(area.bytes, 0, PLACES + 1);
  int64_t beyond = walk_once(kind, asked, true);
  put(area.bytes, 0, UINT32_MAX);
  int64_t far_beyond = walk_once(kind, asked, true);
  put(area.bytes, 0, PLACES);
  struct block whole = blocks[0];
  blocks[0].size = POISON + 4096;
  write_descriptor(bytes, 1, 0, (double[]){ ARENA, size - 100, 100 });
  put(bytes, poison_at, 1);
  int64_t larger = walk_once(kind, asked, true);
  blocks[0] = whole;
  if (larger != WALK_BAD_CALL) return "a table for a larger memory";
  if (closed != asked.end || get(bytes, LEFT) != 1) return "a closed table that isn't left";
  return beyond == WALK_BAD_CALL && far_beyond == WALK_BAD_CALL ? NULL : "a table that is too long";
}

int main(int argc, char **argv) {
  long rounds = argc > 1 ? atol(argv[1]) : 20000, wrong = 0, changes = 0;
  state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
  for (long round = 0; round < rounds; round++) {
    if (round % ROUNDS_A_MEMORY == 0) open_memories();
    const char *why = check_list(round % 8 == 0, &wrong);
    if (!why && round % 4 == 1) why = walk_anyhow();
    if (!why && (round + 1) % ROUNDS_A_MEMORY == 0) why = check_tables(WALK_LINE + round / ROUNDS_A_MEMORY % (KINDS - WALK_LINE));
    if (!why && (round + 1) % ROUNDS_A_MEMORY == 0) why = walk_while_changed(round / ROUNDS_A_MEMORY % 2, &changes);
    if ((round + 1) % ROUNDS_A_MEMORY == 0 && !close_memories()) why = "bytes before a memory";
    if (!why) continue;
    fprintf(stderr, "round %ld: %s\n", round, why);
    return 1;
  }
  printf("%ld rounds, %ld of them with a wrong descriptor; %ld changes by another thread\n", rounds, wrong, changes);
  return 0;
}
