import { ATTACHED, DETACHED, LEAVING, SEQUENCE_MASK } from '../../../src/dma/worker/ring.js';
import { type Control, DEAD, MAIN, OUT, OWN_FAILURES, of, STATE } from '../control.js';
import { type DmaWord, dmaWord, PLACES, SEEN_DONE, SEEN_HEAD, SEEN_RECORDS, seen } from './words.js';

/*
 * What docs/architecture.md says that may happen to a word of a channel's ring or of the IOMMU, and by whom.
 */

export const FAILURES = [
  'a channel went to a state that it may not go to',
  'HEAD went back, or past what the ring holds',
  'DONE went back, or counts what has no completion record',
  'a descriptor was completed twice',
  'a count went wrong',
  'a word was written by a thread that may not',
] as const;
const [WRONG_STATE, WRONG_HEAD, WRONG_DONE, TWICE, WRONG_COUNT, NOT_ITS] = FAILURES.map((_, i) => OWN_FAILURES + i);

/** Words that the caller alone writes. */
const CALLERS = new Set(['BELL', 'HEAD', 'TERMINATE', 'GENERATION', 'WAITERS']);
/** Words that only ever count up, by one. */
const COUNTERS = new Set(['BELL', 'TERMINATE', 'TERMINATED', 'IRQ', 'GENERATION']);

/** The failure that a thread's change of a word is; 0 for none. */
export function brokenBy(control: Control, me: number, word: number, before: number, after: number): number {
  const what = dmaWord(control, word);
  if ('channel' in what && me !== MAIN && me !== what.channel + 1) return NOT_ITS;
  if (what.kind === 'entry') return me === MAIN ? 0 : NOT_ITS;
  if (what.kind === 'record') return brokenRecord(control, me, what.channel, before, after);
  if (what.kind === 'header' || what.kind === 'iommu') return brokenWord(control, me, what, before, after);
  return 0;
}

function brokenWord(
  control: Control,
  me: number,
  what: DmaWord & { readonly kind: 'header' | 'iommu' },
  before: number,
  after: number,
): number {
  const { name } = what;
  if (CALLERS.has(name) && me !== MAIN) return NOT_ITS;
  if (COUNTERS.has(name)) return after === ((before + 1) | 0) ? 0 : WRONG_COUNT;
  if (name === 'WAITERS') return after < 0 ? WRONG_COUNT : 0;
  if (what.kind === 'iommu') return 0;
  const { channel } = what;
  if (name === 'STATE') return mayGo(control, me, channel, before, after) ? 0 : WRONG_STATE;
  if (name === 'HEAD') return brokenHead(control, channel, before, after);
  if (name === 'DONE') return brokenDone(control, channel, before, after);
  // The caller settles that of a thread that is gone.
  if (name === 'ACTIVE') return after === before + 1 && (me !== MAIN || (before & 1) === 1) ? 0 : WRONG_COUNT;
  return 0;
}

function mayGo(control: Control, me: number, channel: number, before: number, after: number): boolean {
  if (me === channel + 1) {
    return (before === DETACHED && after === ATTACHED) || (before === LEAVING && after === DETACHED);
  }
  if (before === ATTACHED && after === LEAVING) return true;
  return before === after || (after === DETACHED && isGone(control, channel));
}

/** Whether a channel has no thread that could do something. */
function isGone({ words }: Control, channel: number): boolean {
  const state = words[of(channel + 1, STATE)];
  return state === OUT || state === DEAD;
}

function brokenHead({ words }: Control, channel: number, before: number, after: number): number {
  words[seen(channel, SEEN_HEAD)] = after;
  const isAhead = distance(before, after) <= words[PLACES];
  const fits = distance(words[seen(channel, SEEN_DONE)], after) <= words[PLACES];
  return isAhead && fits ? 0 : WRONG_HEAD;
}

function brokenDone({ words }: Control, channel: number, before: number, after: number): number {
  words[seen(channel, SEEN_DONE)] = after;
  return after >= before && after <= words[seen(channel, SEEN_RECORDS)] ? 0 : WRONG_DONE;
}

function brokenRecord({ words }: Control, me: number, channel: number, before: number, after: number): number {
  if (after === 0) return me === MAIN ? 0 : NOT_ITS;
  if (before !== 0) return TWICE;
  words[seen(channel, SEEN_RECORDS)]++;
  return 0;
}

function distance(from: number, to: number): number {
  return (to - from) & SEQUENCE_MASK;
}
