/** Idles, and then tells whether it was asked to stop. `flag` is set once it is about to. */
export default function idle(cpu, { ms, flag }) {
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  cpu.idle(ms);
  return cpu.stopRequested;
}
