/**
 * Adds 1 to this CPU's own 64-bit counters, one every `stride` bytes, round after round until it is asked to stop.
 *
 * @returns how many stores it made
 */
export default function count(cpu, { address, length, stride }) {
  let stores = 0;
  while (!cpu.stopRequested) {
    for (let at = address + cpu.number * 8; at < address + length; at += stride) {
      cpu.store64(at, cpu.load64(at) + 1);
      stores++;
    }
  }
  return stores;
}
