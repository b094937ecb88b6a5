import type { Cpu } from 'mtcopy';

/** Adds 1 to a word of one page after the other, until it is stopped. Returns how often. */
export default function touch(cpu: Cpu, { address, pages }: { address: number; pages: number }): number {
  let stores = 0;
  while (!cpu.stopRequested) {
    for (let page = 0; page < pages && (page & 63 || !cpu.stopRequested); page++, stores++) {
      const word = address + page * 4096 + cpu.number * 64;
      cpu.store32(word, cpu.load32(word) + 1);
    }
  }
  return stores;
}
