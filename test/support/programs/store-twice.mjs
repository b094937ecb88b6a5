/** Stores 1, says so in `ready`, is deaf until `flag` is set, and stores 2. */
export default function storeTwice(cpu, { address, ready, flag }) {
  cpu.store8(address, 1);
  Atomics.add(ready, 0, 1);
  Atomics.wait(flag, 0, 0);
  cpu.store8(address, 2);
}
