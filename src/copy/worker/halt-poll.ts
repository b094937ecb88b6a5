/** The longest that a thread looks for the next job before it sleeps, in milliseconds. */
const MAX_MS = 1;
/** The shortest. */
const MIN_MS = 0.05;

/**
 * Sleeping on a word, with a look around first that adapts as KVM's halt polling does: it grows while jobs come soon after
 * one another, and is given up once they don't. Waking a halted core takes as long as copying a megabyte, and the woken
 * thread may land on the core of the thread that woke it.
 *
 * @returns a function that returns once `words[index]` isn't `value` any more
 */
export function createHaltPoll(words: Int32Array): (index: number, value: number) => void {
  let pollMs = 0;
  return (index, value) => {
    const started = performance.now();
    if (!poll(words, index, value, started + pollMs)) Atomics.wait(words, index, value);
    const blockedMs = performance.now() - started;
    if (blockedMs > MAX_MS) pollMs = 0;
    else if (blockedMs > pollMs) pollMs = Math.min(MAX_MS, Math.max(MIN_MS, pollMs * 2));
  };
}

/** Looks until the word has changed, which it says, or until that time of performance.now(). */
function poll(words: Int32Array, index: number, value: number, until: number): boolean {
  while (performance.now() < until) if (Atomics.load(words, index) !== value) return true;
  return false;
}
