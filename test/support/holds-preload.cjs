// What holds.ts loads into every thread before anything else: a wrapper around Atomics that can hold the thread. See there.
const { getEnvironmentData, threadId } = require('node:worker_threads');

const shared = getEnvironmentData('mtcopy:holds');
if (shared) install(shared);

/**
 * @param operations names, whose positions the holds name
 * @param used how many holds there are
 * @param states four words a hold: its state, operations left until it holds, the thread that is held, and whether it holds
 *   before or after
 * @param points six numbers a hold: operation, bytes of the buffer, first byte and end in it, thread, and value; NaN for any
 */
function install({ operations, used, states, points }) {
  const real = globalThis.Atomics;
  const [ARMED, HELD, AFTER] = [0, 1, 1];

  /** Whether the operation is one of those that hold `hold` counts. */
  function isMeant(hold, operation, array, index, value) {
    const [name, bytes, first, end, thread, stored] = points.subarray(hold * 6, hold * 6 + 6);
    const isAny = Number.isNaN;
    if (name !== operation || !(isAny(thread) || thread === threadId)) return false;
    if (!(isAny(stored) || stored === Number(value))) return false;
    if (isAny(bytes)) return true;
    const at = array.byteOffset + index * array.BYTES_PER_ELEMENT;
    return array.buffer.byteLength === bytes && at >= first && at < end;
  }

  /** The holds that this operation is the last for: nearly always none. */
  function holdsAt(operation, [array, index, ...values]) {
    const found = [];
    // Acquire: a hold's point was written before it was counted.
    for (let hold = real.load(used, 0) - 1; hold >= 0; hold--) {
      const left = hold * 4 + 1;
      if (real.load(states, left) <= 0 || !isMeant(hold, operation, array, index, values.at(-1))) continue;
      // Several threads may come at once: one of them takes it to 0.
      if (real.sub(states, left, 1) === 1) found.push(hold);
    }
    return found;
  }

  function holdAt(hold) {
    states[hold * 4 + 2] = threadId;
    // Against the test, which may let go before anybody came. Orders the thread's number before it.
    if (real.compareExchange(states, hold * 4, ARMED, HELD) === ARMED) real.wait(states, hold * 4, HELD);
  }

  function wrap(name) {
    const operation = operations.indexOf(name);
    return (...args) => {
      const holds = real.load(used, 0) === 0 ? [] : holdsAt(operation, args);
      for (const hold of holds) if (states[hold * 4 + 3] !== AFTER) holdAt(hold);
      const result = real[name](...args);
      for (const hold of holds) if (states[hold * 4 + 3] === AFTER) holdAt(hold);
      return result;
    };
  }

  globalThis.Atomics = Object.fromEntries(Object.getOwnPropertyNames(real).map((name) => [name, wrap(name)]));
}
