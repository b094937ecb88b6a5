/**
 * Loads and stores every page, idles until it is asked to stop, and loads every page again.
 *
 * @returns what it loaded in the end
 */
export default function nap(cpu, { address, length }) {
  for (let at = address; at < address + length; at += 4096) cpu.store64(at, cpu.load64(at) + 1);
  while (!cpu.stopRequested) cpu.idle(60_000);
  const loaded = [];
  for (let at = address; at < address + length; at += 4096) {
    loaded.push(cpu.load64(at));
    cpu.store64(at + 8, 7);
  }
  return loaded;
}
