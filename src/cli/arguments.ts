import { InvalidArgumentError } from 'commander';
import { checkThreads } from '../copy/check-threads.js';
import { orderOf, parseSize } from '../units.js';

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

export const size = parser((text) => parseSize(text));

export const folioSizes = list((text) => {
  const bytes = parseSize(text, 'folio size');
  orderOf(bytes);
  return bytes;
});

export const threadCounts = list((text) => checkThreads(/^\d+$/.test(text) ? Number(text) : text));

export const count = parser((text) => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error('It must be a whole number above 0.');
  return number;
});

/** A parser for a comma-separated list of given words. */
export function words<const T extends string>(...allowed: T[]): (text: string) => T[] {
  return list((text) => {
    if (!allowed.includes(text as T)) throw new Error(`'${text}' is none of ${allowed.join(', ')}.`);
    return text as T;
  });
}
