/** Stores to page after page, each of which faults, until it is asked to stop or there are no more. Returns how many. */
export default function touchUntilStopped(cpu, { address, pages, ready }) {
  for (let page = 0; page < pages; page++) {
    if (cpu.stopRequested) return page;
    cpu.store8(address + page * 4096, 1);
    if (page === 0) Atomics.add(ready, 0, 1);
  }
  return pages;
}
