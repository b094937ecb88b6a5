/** Never returns, whatever it is asked, and answers no interrupt. */
export default function holdsOn(_cpu, { ready }) {
  Atomics.add(ready, 0, 1);
  for (;;);
}
