import { type Control, MAIN } from '../control.js';
import { isReadBesideWrite, type Race } from '../races.js';
import { ringWord } from './words.js';

/*
 * Races that the protocol knows: accesses that nothing orders, and why it doesn't matter.
 */

/** Words that a worker may read while the caller writes there what the next job is, and why. */
const READ_TOO_LATE = new Map([
  // With an old ticket. The owner word decides: a number that is too large leads to a word that is not FREE, one that is too
  // small to no unit, and the doorbell has the thread come again.
  ['UNITS', 'a ticket only says where to try'],
  // By a worker that is through with a list of the job before: it tries to claim one more, or it doesn't.
  ['HELPS', 'whether there is a list to spare is a guess'],
  // Before the claim: a job with buffers on their way is left to others, or claimed and left; the buffers' message has its
  // own sequence.
  ['METHOD', 'it is read again after the claim'],
]);

/** Why a race doesn't matter; `undefined` if the protocol doesn't say so. */
export function excuseFor(control: Control, race: Race): string | undefined {
  const what = ringWord(control, race.word);
  if (what.kind !== 'field') return undefined;
  const isWrite = (thread: number, kind: string) => thread === MAIN && kind === 'plain write';
  const isRead = (thread: number, kind: string) => thread !== MAIN && kind.endsWith('read');
  return isReadBesideWrite(race, isRead, isWrite) ? READ_TOO_LATE.get(what.name) : undefined;
}
