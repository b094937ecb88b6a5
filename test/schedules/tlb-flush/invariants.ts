import { BEGUN, ENDED, FAULT_RAISED, FAULT_TAKEN, NO_FAULT, PENDING_COUNT, SENT } from '../../../src/cpu/cpu-area.js';
import { ACCESSED, DIRTY, flagsOf, MIGRATION, PRESENT, toMigrationEntry, WRITE } from '../../../src/cpu/pte.js';
import { type Control, DEAD, MAIN, OWN, OWN_FAILURES, of, STATE } from '../control.js';
import { CPUS, type TlbWord, tlbWord } from './words.js';

/*
 * What docs/architecture.md says that may happen to a word, and by whom.
 */

export const FAILURES = [
  'a CPU answered what it was not asked, or not itself',
  'the count of missing answers was changed by who is not counted',
  'more, or fewer, wait for migration entries than there are CPUs',
  'a fault went to where it may not go',
  'a program went to where it may not go',
  "a CPU changed another's bit of the mask",
  'a word was written by who may not write it',
  'a CPU changed an entry, beyond the accessed and dirty bits of a present one',
  'an entry lost what CPUs have done through it',
  'a reference was dropped that nobody held',
  'a CPU went on with its accesses, and did not answer',
] as const;
const [
  WRONG_ANSWER,
  WRONG_COUNT,
  WRONG_WAITERS,
  WRONG_FAULT,
  WRONG_PROGRAM,
  WRONG_MASK,
  WRONG_WRITER,
  WRONG_ENTRY,
  LOST_BITS,
  WRONG_REFERENCE,
  NO_ANSWER,
] = FAILURES.map((_, i) => OWN_FAILURES + i);

/** What each CPU was last asked for, as the main thread has noted it. */
const ASKED = OWN;

/** For each CPU: 1 once it was rung for what it was asked, and 1 more for each access since; 0 once it has answered. */
const RUNG = OWN + CPUS;
/** For each CPU 1 while its TLB is empty for sure. */
const EMPTY = OWN + 2 * CPUS;

/** The failure that a plain access is; 0 for none, -1 if it can't be part of a race. */
export function onPlain({ words }: Control, me: number, word: number): number {
  const what = tlbWord(word);
  if (me === MAIN) return 0;
  const cpu = me - 1;
  if (what.kind === 'bytes') {
    words[EMPTY + cpu] = 0;
    // One access may be under way as the bell is rung.
    return words[RUNG + cpu] > 0 && words[RUNG + cpu]++ > 1 ? NO_ANSWER : 0;
  }
  // What it reads there it doesn't need: of a request from before it came back, or that is as late as its leave.
  const isRange = what.kind === 'header' && what.name.startsWith('FLUSH_');
  return isRange && words[EMPTY + cpu] === 1 ? -1 : 0;
}

/** Who changes a word, and how. */
interface Change {
  readonly control: Control;
  readonly me: number;
  readonly before: number;
  readonly after: number;
}

/** The failure that a thread's change of a word is; 0 for none. */
export function brokenBy(control: Control, me: number, word: number, before: number, after: number): number {
  const what = tlbWord(word);
  note(control, me, what, after);
  if (before === after) return 0;
  const change = { control, me, before, after };
  switch (what.kind) {
    case 'header':
      return inHeader(what.name, change);
    case 'cpu':
      return ofCpu(what.name, what.cpu, change);
    case 'mask':
      return mayChangeMask(change) ? 0 : WRONG_MASK;
    case 'pmd':
    case 'pte':
      return ofEntry(change);
    case 'refcount':
      return after < 0 ? WRONG_REFERENCE : 0;
    default:
      return 0;
  }
}

/** Keeps what is known of a CPU. */
function note({ words }: Control, me: number, what: TlbWord, after: number): void {
  if (what.kind === 'mask' && me !== MAIN) words[EMPTY + me - 1] = 1;
  if (what.kind !== 'cpu') return;
  const { cpu, name } = what;
  if (name === 'RUNNING') {
    words[EMPTY + cpu] = 1;
    words[RUNG + cpu] = 0;
  }
  if (name === 'REQUEST') words[ASKED + cpu] = after;
  if (name === 'REQUEST' || name === 'ACKED') words[RUNG + cpu] = name === 'REQUEST' ? -1 : 0;
  if (name === 'BELL' && words[RUNG + cpu] < 0) words[RUNG + cpu] = 1;
}

function inHeader(name: string, { me, before, after }: Change): number {
  if (name === 'WAITERS') return after < 0 || after >= 1 << CPUS ? WRONG_WAITERS : 0;
  if (name === 'PENDING') return me === MAIN || (before & PENDING_COUNT && after === before - 1) ? 0 : WRONG_COUNT;
  return me === MAIN || name === 'FAULT_BELL' ? 0 : WRONG_WRITER;
}

function ofCpu(name: string, cpu: number, change: Change): number {
  const { control, me, after } = change;
  const isOwn = me === cpu + 1;
  switch (name) {
    case 'REQUEST':
      return me === MAIN ? 0 : WRONG_WRITER;
    case 'ACKED':
      return isOwn && ((control.words[ASKED + cpu] - after) | 0) >= 0 ? 0 : WRONG_ANSWER;
    case 'FAULT_STATE':
      return mayFault(cpu, change) ? 0 : WRONG_FAULT;
    case 'RUNNING':
      return mayRun(cpu, change) ? 0 : WRONG_PROGRAM;
    case 'WAITING_VPN':
      return isOwn || isLost(cpu, change) ? 0 : WRONG_WRITER;
    default:
      return me === MAIN ? 0 : WRONG_WRITER;
  }
}

/** Whether the main thread puts a CPU in order whose thread has died. */
function isLost(cpu: number, { control, me, after }: Change): boolean {
  return me === MAIN && after === 0 && control.words[of(cpu + 1, STATE)] === DEAD;
}

function mayFault(cpu: number, change: Change): boolean {
  const { me, before, after } = change;
  if (me === cpu + 1) return before === NO_FAULT && after === FAULT_RAISED;
  if (me !== MAIN) return false;
  return (
    (before === FAULT_RAISED && after === FAULT_TAKEN) ||
    (before === FAULT_TAKEN && after === NO_FAULT) ||
    isLost(cpu, change)
  );
}

function mayRun(cpu: number, { me, before, after }: Change): boolean {
  if (me === MAIN) return after === SENT;
  return me === cpu + 1 && ((before === SENT && after === BEGUN) || (before === BEGUN && after === ENDED));
}

function mayChangeMask({ control, me, before, after }: Change): boolean {
  const changed = before ^ after;
  if (me !== MAIN) return changed === 1 << (me - 1);
  const cpu = 31 - Math.clz32(changed);
  return changed === 1 << cpu && (after & changed) === 0 && control.words[of(cpu + 1, STATE)] === DEAD;
}

function ofEntry({ me, before, after }: Change): number {
  if (me !== MAIN) {
    const isMarked = (after & ~(ACCESSED | DIRTY)) === (before & ~(ACCESSED | DIRTY)) && (after & before) === before;
    return before & PRESENT && isMarked ? 0 : WRONG_ENTRY;
  }
  if (before & PRESENT && after & MIGRATION) return after === toMigrationEntry(before) ? 0 : LOST_BITS;
  if (before & MIGRATION && after & PRESENT) return keepsBits(before, after) ? 0 : LOST_BITS;
  return 0;
}

/** Whether a page comes back with what was done through its entry; a copy that was made for a store begins clean. */
function keepsBits(before: number, after: number): boolean {
  const isCopy = (before & WRITE) === 0 && (after & WRITE) !== 0;
  const kept = ACCESSED | WRITE | (isCopy ? 0 : DIRTY);
  return (flagsOf(before) & kept & ~flagsOf(after)) === 0;
}

/** Whether a word is one of those that threads share: the rest are what a CPU counts of itself. */
export function isShared(what: TlbWord): boolean {
  return what.kind !== 'statistics';
}
