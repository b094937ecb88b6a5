/**
 * Loads, says so in `ready`, and is deaf until `flag` is set. With `ms` it goes on until `flag` is 2, and answers interrupts
 * whenever so many milliseconds are over. Returns what it loads then.
 */
export default function loadWhenTold(cpu, { address, ready, flag, ms }) {
  cpu.load8(address);
  Atomics.add(ready, 0, 1);
  Atomics.wait(flag, 0, 0);
  while (ms && Atomics.wait(flag, 0, 1, ms) === 'timed-out') cpu.poll();
  return cpu.load8(address);
}
