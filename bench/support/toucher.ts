import type { Cpu } from 'mtcopy';

/** Adds 1 to a word of one random page after the other, until it is stopped. Returns how often. */
export default function touch(cpu: Cpu, { address, pages }: { address: number; pages: number }): number {
  let stores = 0;
  let random = cpu.number;
  while (!cpu.stopRequested) {
    for (let i = 0; i < 64; i++, stores++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      const word = address + ((random >>> 8) % pages) * 4096 + cpu.number * 64;
      cpu.store32(word, cpu.load32(word) + 1);
    }
  }
  return stores;
}
