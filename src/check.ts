import { availableParallelism } from 'node:os';
import { invalid } from './errno.js';

/** Checks what a caller gave as `name`. Throws an ErrnoError, EINVAL, that shows the value and says what it must be. */
export type Check = (name: string, value: unknown) => void;

/** A check for each option that there is. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check };

/**
 * Checks options, each of which may be left out.
 *
 * @returns a copy: each was read once, and what was checked is what is used
 * @throws ErrnoError EINVAL for what is no object, a property that is no option (a misspelt one would go unnoticed), or
 * what a check says
 */
export function checkOptions<Options extends object>(options: Options, checks: Checks<Options>): Options {
  if (options === null || typeof options !== 'object') throw invalid('options', 'must be an object', options);
  const checked = { ...options };
  for (const name of Object.keys(checked) as (keyof Options & string)[]) {
    if (!Object.hasOwn(checks, name)) {
      throw invalid('options', `must be ${Object.keys(checks).join(', ')}`, name);
    }
    if (checked[name] !== undefined) checks[name](name, checked[name]);
  }
  return checked;
}

/** For what somebody else checks, or nobody needs to. */
export function anything(): void {}

/** A whole number from `from` to `to`; a `to` of `Infinity` is no limit. */
export function wholeNumber(from: number, to: number): Check {
  const range = to === Number.POSITIVE_INFINITY ? `, ${from} or more` : ` from ${from} to ${to}`;
  return (name, value) => {
    if (Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to) return;
    throw invalid(name, `must be a whole number${range}`, value);
  };
}

/** A number from `from` to `to`, fractions and `Infinity` among them where they are in that range. */
export function numberFrom(from: number, to: number): Check {
  const range = to === Number.POSITIVE_INFINITY ? `${from} or more` : `from ${from} to ${to}`;
  return (name, value) => {
    if (typeof value === 'number' && value >= from && value <= to) return;
    throw invalid(name, `must be a number, ${range}`, value);
  };
}

/** A number above 0. */
export function above0(name: string, value: unknown): void {
  if (typeof value === 'number' && value > 0) return;
  throw invalid(name, 'must be a number above 0', value);
}

/** One of a few words. */
export function oneOf(words: readonly string[]): Check {
  const choice = words.map((word) => `'${word}'`).join(' or ');
  return (name, value) => {
    if (!words.includes(value as string)) throw invalid(name, `must be ${choice}`, value);
  };
}

/** The most threads that a copy can have, as in the published driver. */
export const MAX_THREADS = 64;

/**
 * The number of threads that a caller asked for; `'auto'` is as many as the machine can run at once, up to 64.
 *
 * @throws ErrnoError EINVAL for anything but a whole number from 1 to 64 or `'auto'`.
 */
export function checkThreads(threads: unknown): number {
  if (threads === 'auto') return Math.min(availableParallelism(), MAX_THREADS);
  if (Number.isInteger(threads) && (threads as number) >= 1 && (threads as number) <= MAX_THREADS)
    return threads as number;
  throw invalid('threads', `must be a whole number from 1 to ${MAX_THREADS}, or 'auto'`, threads);
}
