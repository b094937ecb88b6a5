/**
 * Calls an operation of the CPU with a value that is converted to 7, and says so in `ready`. Meanwhile it answers interrupts
 * until `flag` is set; `idle` then idles for no time, but stores 7 first.
 */
export default function converts(cpu, { operation, address, ready, flag }) {
  const wait = () => {
    Atomics.add(ready, 0, 1);
    while (Atomics.load(flag, 0) === 0) cpu.poll();
  };
  if (operation !== 'idle') {
    cpu[operation](address, { valueOf: () => wait() ?? 7 });
    return;
  }
  cpu.store8(address, 1);
  cpu.idle({ valueOf: () => wait() ?? cpu.store8(address, 7) ?? 0 });
}
