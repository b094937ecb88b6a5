import {
  ANNOUNCED,
  COUNT,
  CURSOR,
  DONE,
  DOORBELL,
  HELPS,
  LEFT,
  MESSAGES,
  METHOD,
  PENDING,
  PER_UNIT,
  SEQUENCE,
  STOP,
  UNITS,
  workerState,
} from '../../../src/copy/worker/job-ring.js';
import { type Control, OWN } from '../control.js';

// What the stage says of the ring: first word of slot 0, words of a slot, and from its first word to its owner words.
export const SLOT_0 = OWN;
export const SLOT_WORDS = OWN + 1;
export const OWNERS = OWN + 2;
/** Slots and workers that a scenario has; nobody may write to others. */
export const USED_SLOTS = OWN + 3;
export const USED_WORKERS = OWN + 4;

/** What a word of the ring is. */
export type RingWord =
  | { readonly kind: 'doorbell' | 'messages' | 'other' }
  | { readonly kind: 'rest'; readonly slot: number; readonly place: number }
  | { readonly kind: 'state'; readonly worker: number }
  | { readonly kind: 'owner'; readonly slot: number; readonly unit: number }
  | { readonly kind: 'field'; readonly slot: number; readonly name: string };

const WORKER_WORDS = workerState(1) - workerState(0);
const FIELDS = new Map([
  [CURSOR, 'CURSOR'],
  [ANNOUNCED, 'ANNOUNCED'],
  [PENDING, 'PENDING'],
  [DONE, 'DONE'],
  [LEFT, 'LEFT'],
  [STOP, 'STOP'],
  [UNITS, 'UNITS'],
  [PER_UNIT, 'PER_UNIT'],
  [COUNT, 'COUNT'],
  [METHOD, 'METHOD'],
  [SEQUENCE, 'SEQUENCE'],
  [HELPS, 'HELPS'],
]);

/** What word `word` of the ring is. */
export function ringWord({ words }: Control, word: number): RingWord {
  if (word === DOORBELL) return { kind: 'doorbell' };
  if (word === MESSAGES) return { kind: 'messages' };
  if (word < words[SLOT_0]) {
    const place = word - workerState(0);
    return place % WORKER_WORDS === 0 ? { kind: 'state', worker: place / WORKER_WORDS } : { kind: 'other' };
  }
  const slot = Math.floor((word - words[SLOT_0]) / words[SLOT_WORDS]);
  const place = word - words[SLOT_0] - slot * words[SLOT_WORDS];
  const name = FIELDS.get(place);
  if (name) return { kind: 'field', slot, name };
  return place >= words[OWNERS] ? { kind: 'owner', slot, unit: place - words[OWNERS] } : { kind: 'rest', slot, place };
}

/** Its name in a log. */
export function nameOf(control: Control, word: number): string {
  const what = ringWord(control, word);
  switch (what.kind) {
    case 'state':
      return `state of worker ${what.worker}`;
    case 'owner':
      return `slot ${what.slot} owner of unit ${what.unit}`;
    case 'field':
      return `slot ${what.slot} ${what.name}`;
    case 'rest':
      return `slot ${what.slot} word ${what.place}`;
    case 'other':
      return `word ${word}`;
    default:
      return what.kind.toUpperCase();
  }
}

/** Whether a word is one that threads of the scenario share. Others nobody writes to, so that it doesn't matter when they are read. */
export function isUsed(control: Control, word: number): boolean {
  const { words } = control;
  if (word >= words[SLOT_0]) return word < words[SLOT_0] + words[USED_SLOTS] * words[SLOT_WORDS];
  return word === DOORBELL || word === MESSAGES || word < workerState(words[USED_WORKERS]);
}
