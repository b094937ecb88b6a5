// A preload that holds its thread in the middle of a copy by typed arrays, while the words that it gets ask for that: word 0
// is 1 to hold, word 1 counts the threads that were held.
const { getEnvironmentData } = require('node:worker_threads');
const words = getEnvironmentData('hold-copies');
const { copyWithin } = Uint8Array.prototype;
Object.defineProperty(Uint8Array.prototype, 'copyWithin', {
  value(...args) {
    copyWithin.apply(this, args);
    if (Atomics.load(words, 0) === 0) return this;
    Atomics.add(words, 1, 1);
    Atomics.notify(words, 1);
    Atomics.wait(words, 0, 1);
    return this;
  },
});
