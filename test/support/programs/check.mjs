/**
 * Loads an area again and again until it is asked to stop, and compares what it loads with what it loaded first.
 *
 * @param rounds the first word counts them
 * @returns loads, and how many were not what they had been
 */
export default function check(cpu, { address, length, stride, rounds }) {
  const first = new Map();
  let loads = 0;
  let wrong = 0;
  while (!cpu.stopRequested) {
    for (let at = address; at < address + length; at += stride) {
      const word = cpu.load32(at);
      if (!first.has(at)) first.set(at, word);
      if (first.get(at) !== word) wrong++;
      loads++;
    }
    Atomics.add(rounds, 0, 1);
  }
  return { loads, wrong };
}
