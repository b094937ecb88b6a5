/*
 * The walker for JavaScript, over Node-API: loaded once a thread, without a libc, so that one file serves glibc and musl.
 *
 * A memory comes with each call, as a view on a SharedArrayBuffer, which doesn't move and lives until the call is over.
 */
#include <cpuid.h>
#include <node_api.h>

#include "walker.h"

enum { WALK_ARGUMENTS = 7 };

/* Whether the CPU has AVX2, and the system keeps its registers. */
static bool has_avx2(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
  uint32_t kept, above;
  __asm__("xgetbv" : "=a"(kept), "=d"(above) : "c"(0));
  if ((kept & 6) != 6) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

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

/* walk(memory, list, end, stop, poison, left, limit): what walker.h says. */
static napi_value call_walk(napi_env env, napi_callback_info info) {
  napi_value argument[WALK_ARGUMENTS], result;
  size_t count = WALK_ARGUMENTS;
  struct memory memory;
  uint32_t number[WALK_ARGUMENTS];
  napi_get_cb_info(env, info, &count, argument, NULL, NULL);
  bool are_right = count == WALK_ARGUMENTS && get_memory(env, argument[0], &memory);
  for (size_t i = 1; are_right && i < WALK_ARGUMENTS; i++)
    are_right = napi_get_value_uint32(env, argument[i], &number[i]) == napi_ok;
  if (!are_right) return refuse(env, "EINVAL", "walk takes a Uint8Array and six numbers");
  struct walk asked = { number[1], number[2], number[3], number[4], number[5], number[6] };
  int64_t next = walk(memory, asked);
  if (next == WALK_BAD_CALL) return refuse(env, "EFAULT", "the list is not in the memory");
  if (next == WALK_BAD_DESCRIPTOR) return refuse(env, "EFAULT", "a descriptor names bytes that are not in the memory");
  napi_create_uint32(env, (uint32_t)next, &result);
  return result;
}

/* Exports walk(); nothing at all on a CPU that doesn't have what it needs. */
NAPI_MODULE_INIT() {
  napi_value function;
  if (!has_avx2()) return exports;
  napi_create_function(env, "walk", NAPI_AUTO_LENGTH, call_walk, NULL, &function);
  napi_set_named_property(env, exports, "walk", function);
  return exports;
}
