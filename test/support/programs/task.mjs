// What the threads of pool.test.ts load. The first starts at once, the second once it is told to, and the third doesn't.
import { workerData } from 'node:worker_threads';

const { words } = workerData.setup;
const number = Atomics.add(words, 0, 1);
if (number === 1) Atomics.wait(words, 1, 0);
if (number === 2) throw new RangeError('not the third');

/** Returns the task's name, at once or once word `until` is set. */
export default function run({ name, until }) {
  if (until) Atomics.wait(words, until, 0);
  return name;
}
