import type { Steps } from '../steps.js';

/** How long the copies of a thread may keep its event loop waiting between two turns of it, in milliseconds. */
const SLICE_MS = 0.5;

/** Steps that were not through in the turn in which they began. */
interface Waiting {
  /** Takes a step; returns whether it was the last. */
  readonly step: () => boolean;
  readonly reject: (error: unknown) => void;
}

/*
 * One a thread, as its event loop is: several calls, of several engines too, share what a turn has time for. The oldest goes
 * first, and lets the others have the next turn.
 */
const queue: Waiting[] = [];
/** Until when this turn has time, of performance.now(); 0 while nobody has asked. */
let until = 0;
/** Whether it was a call that asked first in this turn, and not those that wait. */
let isCalls = false;

/**
 * Takes the steps, now as far as this turn of the event loop has time for, and then in turns to come.
 *
 * @returns what they come to, or a promise of it; throws, or rejects with, what they throw
 */
export function inTurns<T>(steps: Steps<T>): T | Promise<T> {
  if (queue.length === 0) {
    while (hasTime()) {
      const { done, value } = steps.next();
      if (done) return value;
    }
  }
  return new Promise((resolve, reject) => {
    const step = () => {
      const { done, value } = steps.next();
      if (done) resolve(value);
      return done === true;
    };
    queue.push({ step, reject });
  });
}

/** Whether something short may be done now. */
export function hasTurn(): boolean {
  return queue.length === 0 && hasTime();
}

/** Begins the share of this turn, unless somebody has: for what must be done at once, but is to count. */
export function beginTurn(now = performance.now()): void {
  if (until !== 0) return;
  until = now + SLICE_MS;
  isCalls = true;
  setImmediate(onTurn);
}

function hasTime(): boolean {
  const now = performance.now();
  // Whoever begins a turn has time, even if this thread loses its core just now.
  beginTurn(now);
  return now < until;
}

/** Goes on with those that wait, while the turn that begins now has time. */
function onTurn(): void {
  until = 0;
  if (isCalls && queue.length > 0) {
    // A call has had the share of the turn that ends here: what has come in for others meanwhile has its turn first.
    isCalls = false;
    setImmediate(onTurn);
    return;
  }
  while (queue.length > 0 && hasTime()) {
    const waiting = queue[0];
    if (takeSteps(waiting)) queue.shift();
    else if (queue.length > 1) queue.push(queue.shift() as Waiting);
  }
  isCalls = false;
}

/** Takes steps while there is time; returns whether they are over. */
function takeSteps({ step, reject }: Waiting): boolean {
  try {
    do {
      if (step()) return true;
    } while (hasTime());
    return false;
  } catch (error) {
    reject(error);
    return true;
  }
}
