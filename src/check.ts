import { availableParallelism } from 'node:os';
import { invalid } from './errno.js';

/** Checks what a caller gave as `name`. Throws an ErrnoError, EINVAL, that shows the value and says what it must be. */
export type Check = (name: string, value: unknown) => void;

/** A check for each option that there is. */
export type Checks<Options> = { readonly [Name in keyof Options]-?: Check };

/**
 * Checks options, each of which may be left out unless it is among `required`.
 *
 * @param what an error calls them
 * @returns a copy, of inherited ones too: each was read once, and what was checked is what is used
 * @throws ErrnoError EINVAL for what is no object, a property that is no option (a misspelt one would go unnoticed), or
 * what a check says
 */
export function checkOptions<Options extends object>(
  options: Options,
  checks: Checks<Options>,
  required: readonly (keyof Options & string)[] = [],
  what = 'options',
): Options {
  if (options === null || typeof options !== 'object') throw invalid(what, 'must be an object', options);
  const names = Object.keys(checks) as (keyof Options & string)[];
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(checks, name));
  if (unknown !== undefined) throw invalid(what, `must be ${names.join(', ')}`, unknown);
  const checked: Partial<Options> = {};
  for (const name of names) {
    const value = options[name];
    if (value === undefined && !required.includes(name)) continue;
    checks[name](name, value);
    checked[name] = value;
  }
  return checked as Options;
}

type Getters = { readonly [Name in 'buffer' | 'byteOffset' | 'length']: { get(): never } };
const TYPED_ARRAY = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(Uint8Array.prototype)) as unknown as Getters;

/** The length of a typed array, whatever a subclass, or a property of its own, says. */
export function lengthOf(array: Uint32Array | Uint8Array): number {
  return TYPED_ARRAY.length.get.call(array);
}

/** The bytes of an array, likewise, by a view that is nobody else's. */
export function bytesOf(array: Uint8Array): Uint8Array {
  const { buffer, byteOffset } = TYPED_ARRAY;
  return new Uint8Array(buffer.get.call(array), byteOffset.get.call(array), lengthOf(array));
}

/** Whether something is a whole number of 32 bits, from 0 on. */
export function isWord(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value;
}

/** For what somebody else checks, or nobody needs to. */
export function anything(): void {}

/** Yes or no, which nothing else stands for: `'no'` would be yes. */
export function yesOrNo(name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalid(name, 'must be true or false', value);
}

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

/** A list with something in it, each of which passes a check. */
export function listOf(check: Check): Check {
  return (name, value) => {
    if (!Array.isArray(value) || value.length === 0) throw invalid(name, 'must be a list with something in it', value);
    for (const one of value) check(name, one);
  };
}

/** The most worker threads that a copy can have, as in the published driver. */
export const MAX_THREADS = 64;

/** A number of worker threads, or `'auto'`. */
export function threadCount(name: string, value: unknown): void {
  if (value === 'auto') return;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_THREADS) return;
  throw invalid(name, `must be a whole number from 1 to ${MAX_THREADS}, or 'auto'`, value);
}

/** The most worker threads that an engine has by itself: the published throughput hardly gains beyond. */
const MAX_AUTO_THREADS = 8;

/**
 * The number of worker threads that a caller asked for; `'auto'` is one less than the host can run at once, 1 to 8.
 *
 * @throws ErrnoError EINVAL for anything but a whole number from 1 to 64 or `'auto'`.
 */
export function checkThreads(threads: unknown): number {
  threadCount('threads', threads);
  if (threads !== 'auto') return threads as number;
  return Math.min(Math.max(availableParallelism() - 1, 1), MAX_AUTO_THREADS);
}
