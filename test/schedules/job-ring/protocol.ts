import { ATTACHED, DETACHED, RING_PAGES } from '../../../src/copy/worker/job-ring.js';
import { MAIN } from '../control.js';
import type { Protocol } from '../protocol.js';
import { brokenBy, FAILURES, WRONG_WORD } from './invariants.js';
import { isUsed, nameOf, ringWord } from './words.js';

/** Where the ring of the first engine on a memory is, in bytes. */
export const RING = 4 * 2 ** 20;
const RING_BYTES = RING_PAGES * 4096;
/** The least memory that has a ring at that place. */
const LEAST_BYTES = RING + RING_BYTES;

/** The job ring of the copy engine: src/copy/worker/job-ring.ts. Threads are workers, by their index + 1. */
export const JOB_RING: Protocol = {
  name: 'job-ring',
  failures: FAILURES,
  watches: ({ buffer, byteOffset }) =>
    buffer.byteLength >= LEAST_BYTES && byteOffset >= RING && byteOffset < RING + RING_BYTES,
  nameOf,
  threadName: (thread) => `worker ${thread - 1}`,
  isUsed,
  // A thread that has just begun draws tickets from all slots; but the caller publishes in none that isn't used.
  onUnused: (_, me) => (me === MAIN ? WRONG_WORD : 0),
  brokenBy,
  beginsAs(control, word, value) {
    if (value !== ATTACHED) return undefined;
    const what = ringWord(control, word);
    return what.kind === 'state' ? what.worker + 1 : undefined;
  },
  endsWith: (control, word, now) => now === DETACHED && ringWord(control, word).kind === 'state',
  threadOf: (task) => (task as number) + 1,
};
