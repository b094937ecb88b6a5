/** Goes on polling after its end, from a timer, until `over` is set; counts in `polls` how often it has. */
export default function pollsOn(cpu, { polls, over }) {
  globalThis.isOver = () => Atomics.load(over, 0) !== 0;
  const timer = setInterval(() => {
    cpu.poll();
    Atomics.add(polls, 0, 1);
    if (globalThis.isOver()) clearInterval(timer);
  }, 1);
}
