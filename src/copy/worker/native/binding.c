/*
 * The walker for JavaScript, over Node-API: loaded once a thread, without a libc, so that one file serves glibc and musl.
 *
 * A memory comes with each call, as a view on a SharedArrayBuffer, which doesn't move and lives until the call is over.
 */
#include <node_api.h>

#include "madvise.h"
#include "stream.h"
#include "walker.h"

enum { SYSTEM_PAGE = 4096 };
enum { WALK_NUMBERS = 6, WALK_ARGUMENTS = 1 + WALK_NUMBERS, LINE_ARGUMENTS = 2 + WALK_ARGUMENTS };
/* More than any function takes. */
enum { MOST_ARGUMENTS = LINE_ARGUMENTS + 2 };

static napi_value refuse(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
  return NULL;
}

/* The bytes of a Uint8Array; false for anything else. */
static bool get_memory(napi_env env, napi_value value, struct memory *memory) {
  napi_typedarray_type type;
  size_t length;
  void *bytes;
  if (napi_get_typedarray_info(env, value, &type, &length, &bytes, NULL, NULL) != napi_ok) return false;
  if (type != napi_uint8_array) return false;
  *memory = (struct memory){ bytes, length };
  return true;
}

/* A memory, and what to walk in it; false for anything else. */
static bool get_walk(napi_env env, const napi_value *argument, struct memory *memory, struct walk *asked) {
  uint32_t number[WALK_NUMBERS];
  if (!get_memory(env, argument[0], memory)) return false;
  for (size_t i = 0; i < WALK_NUMBERS; i++)
    if (napi_get_value_uint32(env, argument[1 + i], &number[i]) != napi_ok) return false;
  *asked = (struct walk){ number[0], number[1], number[2], number[3], number[4], number[5] };
  return true;
}

static napi_value answer(napi_env env, int64_t next) {
  napi_value result = NULL;
  if (next == WALK_BAD_CALL) return refuse(env, "EFAULT", "the list is not in the memory");
  if (next == WALK_BAD_DESCRIPTOR) return refuse(env, "EFAULT", "a descriptor names bytes that are not in the memory");
  napi_create_uint32(env, (uint32_t)next, &result);
  return result;
}

/* walk(memory, list, end, stop, poison, left, limit): what walker.h says. */
static napi_value call_walk(napi_env env, napi_callback_info info) {
  napi_value argument[WALK_ARGUMENTS];
  size_t count = WALK_ARGUMENTS;
  struct memory memory;
  struct walk asked;
  napi_get_cb_info(env, info, &count, argument, NULL, NULL);
  if (count < WALK_ARGUMENTS || !get_walk(env, argument, &memory, &asked))
    return refuse(env, "EINVAL", "walk takes a Uint8Array and six numbers");
  return answer(env, walk(memory, asked));
}

/* What each walker over a line is given first: the memory of its table, where that is, and what walk takes. */
struct line_walk {
  struct memory area, memory;
  uint32_t table;
  struct walk asked;
};

/* Those, with so many arguments after them, which follow them in `argument`; false for anything else. */
static bool get_line_walk(napi_env env, napi_callback_info info, napi_value argument[MOST_ARGUMENTS], size_t more,
                          struct line_walk *line) {
  size_t count = MOST_ARGUMENTS;
  napi_get_cb_info(env, info, &count, argument, NULL, NULL);
  return count >= LINE_ARGUMENTS + more && get_memory(env, argument[0], &line->area) &&
         napi_get_value_uint32(env, argument[1], &line->table) == napi_ok &&
         get_walk(env, argument + 2, &line->memory, &line->asked);
}

/* walkLine(area, table, memory, list, end, stop, poison, left, limit, past): what line-walker.c says. */
static napi_value call_walk_line(napi_env env, napi_callback_info info) {
  napi_value argument[MOST_ARGUMENTS];
  struct line_walk line;
  bool past;
  if (!get_line_walk(env, info, argument, 1, &line) ||
      napi_get_value_bool(env, argument[LINE_ARGUMENTS], &past) != napi_ok)
    return refuse(env, "EINVAL", "walkLine takes a Uint8Array, a number, what walk takes, and a boolean");
  return answer(env, walk_line(line.area, line.table, line.memory, line.asked, past));
}

/* fillLine(area, table, memory, list, end, stop, poison, left, limit, past, byte): what line-fill.c says. */
static napi_value call_fill_line(napi_env env, napi_callback_info info) {
  napi_value argument[MOST_ARGUMENTS];
  struct line_walk line;
  bool past;
  uint32_t byte;
  if (!get_line_walk(env, info, argument, 2, &line) ||
      napi_get_value_bool(env, argument[LINE_ARGUMENTS], &past) != napi_ok ||
      napi_get_value_uint32(env, argument[LINE_ARGUMENTS + 1], &byte) != napi_ok)
    return refuse(env, "EINVAL", "fillLine takes what walkLine takes, and a number");
  return answer(env, fill_line(line.area, line.table, line.memory, line.asked, (uint8_t)byte, past));
}

/* compareLine(area, table, memory, list, end, stop, poison, left, limit, found): what line-compare.c says. */
static napi_value call_compare_line(napi_env env, napi_callback_info info) {
  napi_value argument[MOST_ARGUMENTS];
  struct line_walk line;
  uint32_t found;
  if (!get_line_walk(env, info, argument, 1, &line) ||
      napi_get_value_uint32(env, argument[LINE_ARGUMENTS], &found) != napi_ok)
    return refuse(env, "EINVAL", "compareLine takes a Uint8Array, a number, what walk takes, and a number");
  return answer(env, compare_line(line.area, line.table, line.memory, line.asked, found));
}

/* addressOf(view): where a Uint8Array begins in this process. User space ends below 2^53, but for tags in the upper bits. */
static napi_value call_address_of(napi_env env, napi_callback_info info) {
  napi_value argument, result = NULL;
  size_t count = 1;
  struct memory memory;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count < 1 || !get_memory(env, argument, &memory)) return refuse(env, "EINVAL", "addressOf takes a Uint8Array");
  if ((uintptr_t)memory.bytes >> 53) return refuse(env, "EFAULT", "the address has a tag, which no number holds exactly");
  napi_create_double(env, (double)(uintptr_t)memory.bytes, &result);
  return result;
}

/*
 * adviseHuge(view) and populate(view): what madvise(2) answers for the whole pages of a Uint8Array, 0 or an error's number
 * below 0. Neither changes a byte.
 */
static napi_value call_madvise(napi_env env, napi_callback_info info, int64_t advice) {
  napi_value argument, result;
  size_t count = 1;
  struct memory memory;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  if (count < 1 || !get_memory(env, argument, &memory)) return refuse(env, "EINVAL", "madvise takes a Uint8Array");
  uint64_t head = -(uintptr_t)memory.bytes % SYSTEM_PAGE;
  uint64_t bytes = memory.size > head ? (memory.size - head) / SYSTEM_PAGE * SYSTEM_PAGE : 0;
  napi_create_int64(env, bytes == 0 ? 0 : advise(memory.bytes + head, bytes, advice), &result);
  return result;
}

static napi_value call_advise_huge(napi_env env, napi_callback_info info) { return call_madvise(env, info, MADV_HUGEPAGE); }

static napi_value call_populate(napi_env env, napi_callback_info info) {
  return call_madvise(env, info, MADV_POPULATE_WRITE);
}

static void export(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  /* Fails on a thread that is being ended. */
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function) != napi_ok) return;
  napi_set_named_property(env, exports, name, function);
}

/* Exports the functions; nothing at all on a CPU that doesn't have what it needs. */
NAPI_MODULE_INIT() {
  if (!can_stream()) return exports;
  export(env, exports, "walk", call_walk);
  export(env, exports, "walkLine", call_walk_line);
  export(env, exports, "fillLine", call_fill_line);
  export(env, exports, "compareLine", call_compare_line);
  export(env, exports, "addressOf", call_address_of);
  export(env, exports, "adviseHuge", call_advise_huge);
  export(env, exports, "populate", call_populate);
  return exports;
}
