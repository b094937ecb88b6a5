/** A list in a memory, and what its walker looks at. */
type Walk = [memory: Uint8Array, list: number, end: number, stop: number, poison: number, left: number, limit: number];
/** A 64-bit list over the buffers of a table, at `table` in `area`; one of a table that is closed is left. */
type LineWalk = [area: Uint8Array, table: number, ...Walk];

/**
 * The walkers in C. They do what those in WebAssembly do, but for the memory, which comes with each call.
 *
 * @throws Error EFAULT for a list, or a descriptor, that names bytes outside the memory, or the buffers of its table
 */
export interface NativeWalker {
  /** Over a memory, with streaming stores. */
  walk(...walk: Walk): number;
  /** Over the buffers of a table. `past`: with streaming stores. */
  walkLine(...walk: [...LineWalk, past: boolean]): number;
  /** Fills the destinations of such a list with a byte: its source words are not read. */
  fillLine(...walk: [...LineWalk, past: boolean, byte: number]): number;
  /** Compares the sides of such a list's descriptors; the word at `found` is taken down to that of the first difference. */
  compareLine(...walk: [...LineWalk, found: number]): number;
  /** Where in this process a view on shared memory begins. */
  addressOf(view: Uint8Array): number;
  /** Asks the system for huge pages under a view's whole pages: 0, or an error's number below 0. */
  adviseHuge(view: Uint8Array): number;
  /** Has the system make a view's whole pages now, writable, their bytes as they are: 0, or an error's number below 0. */
  populate(view: Uint8Array): number;
}

/**
 * Loads them from their file on this thread.
 *
 * @throws whatever keeps this process from loading it: no such file, no permission, or no such CPU
 */
export function loadNativeWalker(path: string): NativeWalker {
  // What `require` does with such a file, but no bundler takes for its own.
  const module: { exports: Partial<NativeWalker> } = { exports: {} };
  process.dlopen(module, path);
  if (!module.exports.walk) throw new Error('this CPU has no AVX2');
  return module.exports as NativeWalker;
}
