import { InvalidArgumentError } from 'commander';
import { checkThreads, orderOf, parseSize, wholeNumber } from 'mtcopy';

/** A parser for an option's argument that reports what is wrong with it in the library's own words. */
function parser<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message.replace(/^EINVAL: /, ''));
    }
  };
}

/** A parser for a comma-separated list. */
function list<T>(parse: (text: string) => T): (text: string) => T[] {
  return parser((text) => [...new Set(text.split(',').map((one) => parse(one.trim())))]);
}

/** A parser of words, with what they may be: completions have them. */
export interface WordParser<T> {
  (text: string): T;
  readonly choices: readonly string[];
  readonly isList: boolean;
}

export const size = parser((text) => parseSize(text));

function parseFolioSize(text: string): number {
  const bytes = parseSize(text, 'folio size');
  orderOf(bytes);
  return bytes;
}

export const folioSize = parser(parseFolioSize);
export const folioSizes = list(parseFolioSize);

function parseThreads(text: string): number {
  return checkThreads(/^\d+$/.test(text) ? Number(text) : text);
}

export const threadCount = parser(parseThreads);
export const threadCounts = list(parseThreads);

/** Bytes that a thread claims at once, which engines check, or `auto`. */
export const unitSizes = list((text) => (text === 'auto' ? text : parseSize(text, 'unit')));

/** 10^9 bytes a second: far more than any memory's. */
const MAX_GIGABYTES = 100_000;

const checkCount = wholeNumber(1, Number.POSITIVE_INFINITY);
const checkNatural = wholeNumber(0, Number.MAX_SAFE_INTEGER);

function parseCount(text: string): number {
  const value = numberOf(text);
  checkCount('count', value);
  return value;
}

export const count = parser(parseCount);
export const counts = list(parseCount);

function numberOf(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new Error('It must be a number.');
  return value;
}

/** Any number, also a fraction. */
export const number = parser(numberOf);

/** A number above 0, with a limit against one in another unit. */
export const gigabytes = parser((text) => {
  const value = numberOf(text);
  if (value > 0 && value <= MAX_GIGABYTES) return value;
  throw new Error(`It must be above 0, and at most ${MAX_GIGABYTES}.`);
});

/** A whole number from 0. */
export const natural = parser((text) => {
  const value = numberOf(text);
  checkNatural('count', value);
  return value;
});

/** A share of something, 0 to 1, or `auto`. */
export const share = parser((text) => {
  if (text === 'auto') return text;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new Error(`It must be a number from 0 to 1, or auto, got '${text}'.`);
});

function oneOf<const T extends string>(allowed: readonly T[]): (text: string) => T {
  return (text) => {
    if (!allowed.includes(text as T)) throw new Error(`'${text}' is none of ${allowed.join(', ')}.`);
    return text as T;
  };
}

/** A parser for one of given words. */
export function word<const T extends string>(...allowed: T[]): WordParser<T> {
  const one = oneOf(allowed);
  const parse = parser((text) => {
    if (text.includes(',')) throw new Error(`It must be one of ${allowed.join(', ')}, not a list.`);
    return one(text);
  });
  return Object.assign(parse, { choices: allowed, isList: false });
}

/** A parser for a comma-separated list of given words. */
export function words<const T extends string>(...allowed: T[]): WordParser<T[]> {
  return Object.assign(list(oneOf(allowed)), { choices: allowed, isList: true });
}
