import type { Cpu } from 'mtcopy';

/** What a CPU is to touch. */
export interface ToucherArgs {
  /** First byte. */
  readonly address: number;
  readonly pages: number;
  /** Bytes of a page. */
  readonly pageBytes: number;
  /** What the first CPU draws pages by; each other adds its number. */
  readonly seed: number;
  /** Bytes that a CPU has in each page, where it stores to the first word: those of CPU 0 come first. */
  readonly ownBytes: number;
  /** How many CPUs have begun. */
  readonly begun: Int32Array;
}

/** Stores between two looks at whether to end. */
const ROUND = 64;

/** The program that {@link startTouching} runs: adds 1 to a word of one random page after the other. Returns how often. */
export default function touch(cpu: Cpu, { address, pages, pageBytes, ownBytes, seed, begun }: ToucherArgs): number {
  let stores = 0;
  let random = seed + cpu.number;
  Atomics.add(begun, 0, 1);
  while (!cpu.stopRequested) {
    for (let i = 0; i < ROUND; i++, stores++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      const word = address + ((random >>> 8) % pages) * pageBytes + cpu.number * ownBytes;
      cpu.store32(word, cpu.load32(word) + 1);
    }
  }
  return stores;
}
