const PAGE = 4096;
/** Stores in a page before the program goes on to the next: many a page visited, and yet often in one that is on its way. */
const STORES_A_VISIT = 64;
/** Bytes of each page that are a CPU's own: a cache line, so that no CPU takes it from another. */
const LINE = 64;
const WORDS = LINE / 8;

/**
 * Adds 1 to this CPU's own 64-bit counters, a cache line of them in each page of all areas, until it is asked to stop: a store that
 * is lost is missing from the sum.
 *
 * @returns how many stores it made
 */
export default function count(cpu, { areas, running }) {
  Atomics.add(running, 0, 1);
  let stores = 0;
  while (!cpu.stopRequested) {
    for (const { address, length } of areas) {
      for (let line = address + cpu.number * LINE; line < address + length; line += PAGE) {
        addToEach(cpu, line);
        stores += STORES_A_VISIT;
      }
      if (cpu.stopRequested) break;
    }
    // Some are lazy: nobody interrupts them meanwhile, and they come back with an empty TLB.
    if (cpu.number % 4 > 0) cpu.idle(cpu.number % 4);
  }
  return stores;
}

/** Each of the line's counters in turn. A store is on its own: a flush, or a wait, may come between any two. */
function addToEach(cpu, line) {
  for (let i = 0; i < STORES_A_VISIT; i++) {
    const at = line + (i % WORDS) * 8;
    cpu.store64(at, cpu.load64(at) + 1);
  }
}
