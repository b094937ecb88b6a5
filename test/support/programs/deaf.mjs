/** Gets a translation for stores, says so, and is deaf until `flag` is set and for `ms` more; then it sets `flag` to 2 and answers. */
export default function deaf(cpu, { address, flag, ready, ms }) {
  cpu.store8(address, 1);
  Atomics.add(ready, 0, 1);
  Atomics.wait(flag, 0, 0);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  Atomics.store(flag, 0, 2);
  cpu.poll();
}
