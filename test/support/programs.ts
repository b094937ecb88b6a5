/** URL of a program for CPUs, one of programs/ beside this file. */
export function program(name: string): URL {
  return new URL(`./programs/${name}.mjs`, import.meta.url);
}

/** A word that programs can count in; see {@link untilCounted}. */
export function sharedWord(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** Resolves once programs have counted up to `count`. */
export async function untilCounted(word: Int32Array, count: number): Promise<void> {
  while (Atomics.load(word, 0) < count) await new Promise((resolve) => setTimeout(resolve, 1));
}
