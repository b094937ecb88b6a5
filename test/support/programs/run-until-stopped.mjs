/** Loads from an address, if there is one, until it is asked to stop; says in `ready` when it has begun. Returns what it loaded last. */
export default function runUntilStopped(cpu, { address, ready }) {
  for (let isFirst = true; ; isFirst = false) {
    if (cpu.stopRequested) return address === undefined ? undefined : cpu.load8(address);
    if (address === undefined) cpu.poll();
    else cpu.load8(address);
    if (isFirst) Atomics.add(ready, 0, 1);
  }
}
