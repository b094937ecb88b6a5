/** Says that it runs, answers interrupts until `flag` is set, stores, and returns what `flag` is then. */
export default function storeWhenTold(cpu, { address, flag, ready }) {
  Atomics.add(ready, 0, cpu.load8(address));
  while (Atomics.load(flag, 0) === 0) cpu.poll();
  cpu.store8(address, 2);
  return Atomics.load(flag, 0);
}
