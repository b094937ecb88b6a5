import {
  type Control,
  FAILED_THREAD,
  FAILED_WORD,
  FAILURE,
  FAILURES,
  LOG_ENTRIES,
  LOG_WORDS,
  LOGGED,
  MAIN,
  STEPS,
  VERBOSE,
} from './control.js';

/** Operations on a word, by their number in the log. */
export const OPERATIONS_ON_WORDS = [
  'load',
  'store',
  'add',
  'sub',
  'and',
  'or',
  'xor',
  'exchange',
  'compareExchange',
] as const;
const OPERATION_NAMES = [...OPERATIONS_ON_WORDS, 'wait', 'notify', 'waitAsync'] as const;
export type OperationName = (typeof OPERATION_NAMES)[number];

/** An operation: of which thread, its last argument (of a load what it found), and what the word is after it. */
export interface Operation {
  readonly me: number;
  readonly name: OperationName;
  readonly word: number;
  readonly value: number;
  readonly now: number;
}

/** Operations shown of a schedule that failed. */
const SHOWN = 80;

/** Notes an operation; prints it with its place in the source if each is to be printed. */
export function note(control: Control, operation: Operation, print: (line: string) => void): void {
  const { words, log } = control;
  const { me, name, word, value, now } = operation;
  log.set([me, OPERATION_NAMES.indexOf(name), word, value, now], (words[LOGGED]++ % LOG_ENTRIES) * LOG_WORDS);
  if (words[VERBOSE] === 1) print(`${words[STEPS]}\t${textOf(control, operation)}\t${callerOf(new Error())}`);
}

/** The last operations of a schedule, as lines. */
export function lastOperations(control: Control): string[] {
  const { words, log } = control;
  const lines: string[] = [];
  for (let entry = Math.max(0, words[LOGGED] - SHOWN); entry < words[LOGGED]; entry++) {
    const [me, name, word, value, now] = log.subarray((entry % LOG_ENTRIES) * LOG_WORDS);
    lines.push(textOf(control, { me, name: OPERATION_NAMES[name], word, value, now }));
  }
  return lines;
}

/** What went wrong, as a scheduler saw it. */
export function failureOf(control: Control): string {
  const { words } = control;
  const where = words[FAILED_WORD] >= 0 ? `: ${nameOf(control, words[FAILED_WORD])}` : '';
  const what = [...FAILURES, ...control.protocol.failures][words[FAILURE]];
  return `${what}${where} (seen by ${threadName(control, words[FAILED_THREAD])})`;
}

function textOf(control: Control, { me, name, word, value, now }: Operation): string {
  return `${threadName(control, me)}\t${name}\t${nameOf(control, word)}\t${name === 'load' ? value : `${value} -> ${now}`}`;
}

export function nameOf(control: Control, word: number): string {
  return control.protocol.nameOf(control, word);
}

export function threadName({ protocol }: Control, thread: number): string {
  return thread === MAIN ? 'caller' : protocol.threadName(thread);
}

/** Where an operation stands in the source: the first line of a stack that isn't of this tool. */
function callerOf({ stack = '' }: Error): string {
  const line = stack.split('\n').find((one) => /^ +at /.test(one) && !/[\\/]schedules[\\/][^\\/]+\.c?[jt]s:/.test(one));
  return /([^\\/ (]+:\d+):\d+\)?$/.exec(line ?? '')?.[1] ?? '';
}
