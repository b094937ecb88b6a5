/**
 * The walker in C, with streaming stores: as the one in WebAssembly, but for the memory, which comes with each call.
 *
 * @throws Error EFAULT for a list, or a descriptor, that names bytes outside the memory
 */
export type NativeWalk = (
  memory: Uint8Array,
  list: number,
  end: number,
  stop: number,
  poison: number,
  left: number,
  limit: number,
) => number;

/**
 * Loads it from its file on this thread.
 *
 * @throws whatever keeps this process from loading it: no such file, no permission, or no such CPU
 */
export function loadNativeWalk(path: string): NativeWalk {
  // What `require` does with such a file, but no bundler takes for its own.
  const module: { exports: { walk?: NativeWalk } } = { exports: {} };
  process.dlopen(module, path);
  if (!module.exports.walk) throw new Error('this CPU has no AVX2');
  return module.exports.walk;
}
