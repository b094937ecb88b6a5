// What stretches.ts loads into every thread before anything else: counts what the thread does between two rests. See there.
const { getHeapStatistics, setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { getEnvironmentData } = require('node:worker_threads');

const counts = getEnvironmentData('mtcopy:stretches');
if (counts) install(counts);

/** @param counts rests, looks at the clock, and bytes on the heap, of all stretches so far */
function install(counts) {
  const real = globalThis.Atomics;
  const { now } = performance;
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  const [RESTS, LOOKS, BYTES] = [0, 1, 2];
  let looks = 0;
  let before = 0;
  performance.now = () => {
    looks++;
    return now.call(performance);
  };
  const wait = (...args) => {
    counts[BYTES] += getHeapStatistics().used_heap_size - before;
    counts[LOOKS] += looks;
    counts[RESTS] += 1;
    const result = real.wait(...args);
    collectGarbage();
    looks = 0;
    before = getHeapStatistics().used_heap_size;
    return result;
  };
  globalThis.Atomics = Object.create(real, { wait: { value: wait } });
}
