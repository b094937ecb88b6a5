/** Loads from one address until that fails, and counts how often it did. */
export default function countTouches(cpu, { address, touched }) {
  while (!cpu.stopRequested) {
    cpu.load8(address);
    Atomics.add(touched, 0, 1);
  }
}
