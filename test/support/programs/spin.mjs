/** Stores 1 at `address`, computes without an access until the first word of `flag` is set, and stores 2. */
export default function spin(cpu, { address, flag }) {
  cpu.store64(address, 1);
  while (Atomics.load(flag, 0) === 0);
  cpu.store64(address, 2);
  return cpu.load64(address);
}
