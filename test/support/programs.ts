import type { Area } from 'mtcopy';

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

/** What each CPU's counters say in an area in which count.mjs has run on CPUs 0 up to `cpus`: its stores, unless some were lost. */
export async function countedIn({ mm, address, length }: Area, cpus: number, stride = 4096): Promise<number[]> {
  const words = new BigUint64Array((await mm.read(address, length)).buffer);
  return Array.from({ length: cpus }, (_, cpu) => {
    let sum = 0;
    for (let at = cpu; at < words.length; at += stride / 8) sum += Number(words[at]);
    return sum;
  });
}
