import { type Control, MAIN } from '../control.js';
import type { Race } from '../races.js';
import { tlbWord } from './words.js';

/*
 * Races that the protocol knows: accesses that nothing orders, and why it doesn't matter.
 */

/** Why a race doesn't matter; `undefined` if the protocol doesn't say so. */
export function excuseFor(_: Control, { word, first, firstKind, second, secondKind }: Race): string | undefined {
  const what = tlbWord(word);
  const kinds = [firstKind, secondKind];
  const isOwners = (kind: string) => kinds.some((one, i) => one === kind && [first, second][i] === MAIN);
  switch (what.kind) {
    case 'pte':
    case 'pmd':
      // Nothing but accessed and dirty bits changes behind the owner's back, and those it takes out with an exchange.
      if (isOwners('plain read') && kinds.includes('atomic write'))
        return "a CPU's mark, which the owner doesn't look at";
      return undefined;
    case 'bytes':
      return first !== MAIN && second !== MAIN ? 'programs share what they share' : undefined;
    case 'statistics':
      return 'a count of what was, which nobody waits for';
    default:
      return undefined;
  }
}
