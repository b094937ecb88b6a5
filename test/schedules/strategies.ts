import { type Random, seededRandom } from '../../src/random.js';
import {
  BY_PRIORITY,
  CHANGES,
  type Control,
  DECISIONS,
  FREELY,
  GIVEN,
  leastOf,
  MAIN,
  MAX_CHANGES,
  MAX_THREADS,
  NOBODY,
  of,
  PRIORITY,
  STEPS,
  TIME,
} from './control.js';

/** Sets up the next schedule from what the last one has left in the shared memory; false if there is none left. */
export type Strategy = (control: Control) => boolean;

/**
 * All schedules of at most `bound` preemptions, depth first: another thread is chosen where one could go on. Who goes on
 * where the running thread can't costs nothing.
 */
export function depthFirst(bound: number): Strategy {
  let hasBegun = false;
  return (control) => {
    const { words } = control;
    words[BY_PRIORITY] = 0;
    words[GIVEN] = hasBegun ? nextBranch(control, bound) : 0;
    if (hasBegun) return words[GIVEN] > 0;
    hasBegun = true;
    return true;
  };
}

/** Writes the decisions that lead to the next branch; returns how many, 0 if there is none. */
function nextBranch({ words, enabled, running, chosen, given }: Control, bound: number): number {
  const made = words[DECISIONS];
  const preemptions = new Uint16Array(made + 1);
  for (let i = 0; i < made; i++) {
    preemptions[i + 1] = preemptions[i] + costOf(running[i], chosen[i]);
  }
  for (let i = made - 1; i >= 0; i--) {
    const next = nextChoice(enabled[i], running[i], chosen[i]);
    if (next < 0 || preemptions[i] + costOf(running[i], next) > bound) continue;
    given.set(chosen.subarray(0, i));
    given[i] = next;
    return i + 1;
  }
  return 0;
}

function costOf(running: number, choice: number): number {
  if (running !== NOBODY && running & FREELY) return choice === MAIN || choice === (running & ~FREELY) ? 0 : 1;
  return choice === TIME || (running !== NOBODY && choice !== running) ? 1 : 0;
}

/** What comes after a choice: first the thread that runs, or else the least, then the others in their order; -1 for none. */
function nextChoice(enabled: number, running: number, chosen: number): number {
  const first = running === NOBODY ? leastOf(enabled) : running & ~FREELY;
  for (let thread = chosen === first ? 0 : chosen + 1; thread < MAX_THREADS; thread++) {
    if (thread !== first && enabled & (1 << thread)) return thread;
  }
  return -1;
}

/** The very schedule that these decisions are. */
export function replay(decisions: Uint8Array): Strategy {
  let hasBegun = false;
  return ({ words, given }) => {
    words[BY_PRIORITY] = 0;
    given.set(decisions);
    words[GIVEN] = decisions.length;
    if (hasBegun) return false;
    hasBegun = true;
    return true;
  };
}

/**
 * Probabilistic concurrency testing: threads go on by priorities drawn anew for each schedule, and at `depth` - 1 steps drawn
 * anew the running thread becomes the least. Finds a bug of that depth with a known probability a schedule.
 */
export function byPriority(depth: number, seed: number): Strategy {
  const random = below(seededRandom(seed));
  let longest = 1;
  return ({ words }) => {
    longest = Math.max(longest, words[STEPS]);
    words[BY_PRIORITY] = 1;
    words[GIVEN] = 0;
    for (let thread = 0; thread < MAX_THREADS; thread++) words[of(thread, PRIORITY)] = random(1 << 20);
    for (let change = 0; change < MAX_CHANGES; change++) {
      words[CHANGES + change] = change < depth - 1 ? 1 + random(longest) : 0;
    }
    return true;
  };
}

/** Whole numbers from 0 up to, not including, `end`. */
function below(random: Random): (end: number) => number {
  return (end) => Math.floor(random() * end);
}
