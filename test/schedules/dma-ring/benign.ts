import { type Control, MAIN } from '../control.js';
import { isReadBesideWrite, type Race } from '../races.js';
import { dmaWord } from './words.js';

/*
 * Races that the protocol knows: accesses that nothing orders, and why it doesn't matter.
 */

/** Words that one thread may read while the other writes there, and why. */
const READ_ANYHOW = new Map([
  // Before a completion record: whether there is another descriptor only decides whether the time is added up now or later.
  ['HEAD', 'whether a descriptor is the last is a guess'],
  // Also once there is nothing left to do, which nobody waits for.
  ['CPU_NS', 'it is a figure that lags'],
]);

/** Why a race doesn't matter; `undefined` if the protocol doesn't say so. */
export function excuseFor(control: Control, race: Race): string | undefined {
  const what = dmaWord(control, race.word);
  if (what.kind !== 'header') return undefined;
  const [reader, writer] = what.name === 'HEAD' ? [what.channel + 1, MAIN] : [MAIN, what.channel + 1];
  const isRead = (thread: number, kind: string) => thread === reader && kind === 'plain read';
  const isWrite = (thread: number, kind: string) => thread === writer && kind.endsWith('write');
  return isReadBesideWrite(race, isRead, isWrite) ? READ_ANYHOW.get(what.name) : undefined;
}
