import { ATTACHED, CALLER, CLOSED, DETACHED, FREE, LEAVING } from '../../../src/copy/worker/job-ring.js';
import { type Control, DEAD, DYING, MAIN, OWN_FAILURES, of, STATE } from '../control.js';
import { ringWord } from './words.js';

/*
 * What docs/architecture.md says that may happen to a word of the ring, and by whom.
 */

export const FAILURES = [
  'a worker went to a state that it may not go to',
  'an owner word went to where it may not go',
  'a count went below 0',
  'a word was written to that nobody may write to: a slot was leaked',
] as const;
const WRONG_STATE = OWN_FAILURES;
const WRONG_OWNER = OWN_FAILURES + 1;
const WRONG_COUNT = OWN_FAILURES + 2;
export const WRONG_WORD = OWN_FAILURES + 3;

/** The failure that a thread's change of a word is; 0 for none. */
export function brokenBy(control: Control, me: number, word: number, before: number, after: number): number {
  const what = ringWord(control, word);
  if (what.kind === 'state') return mayGo(control, me, what.worker, before, after) ? 0 : WRONG_STATE;
  if (what.kind === 'owner') return mayOwn(me, before, after) ? 0 : WRONG_OWNER;
  // A job that has lost a worker counts a unit twice.
  if (what.kind === 'field' && what.name === 'PENDING' && control.words[DYING] === 0)
    return after < 0 ? WRONG_COUNT : 0;
  return 0;
}

function mayGo({ words }: Control, me: number, worker: number, before: number, after: number): boolean {
  if (before === after) return me === MAIN || after === DETACHED;
  if (me === worker + 1) {
    return (before === DETACHED && after === ATTACHED) || (before === LEAVING && after === DETACHED);
  }
  if (me !== MAIN) return false;
  return (before === ATTACHED && after === LEAVING) || (after === DETACHED && words[of(worker + 1, STATE)] === DEAD);
}

/** The caller frees what is closed; also what a thread that is late has still to close, for the job is over. */
function mayOwn(me: number, before: number, after: number): boolean {
  if (before === after) return true;
  const own = me === MAIN ? CALLER + 1 : me;
  return (me === MAIN && after === FREE) || (before === FREE && after === own) || (before === own && after === CLOSED);
}
