/**
 * Adds 1 to this CPU's own 64-bit counter in page after page of all areas, until it is asked to stop: a store that is lost is
 * missing from the sum.
 *
 * @returns how many stores it made
 */
export default function count(cpu, { areas, running }) {
  Atomics.add(running, 0, 1);
  let stores = 0;
  while (!cpu.stopRequested) {
    for (const { address, length } of areas) {
      for (let at = address + cpu.number * 8; at < address + length; at += 4096) {
        cpu.store64(at, cpu.load64(at) + 1);
        stores++;
      }
      if (cpu.stopRequested) break;
    }
    // Some are lazy: nobody interrupts them meanwhile, and they come back with an empty TLB.
    if (cpu.number % 4 > 0) cpu.idle(cpu.number % 4);
  }
  return stores;
}
