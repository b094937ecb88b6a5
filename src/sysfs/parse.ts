import { ErrnoError, invalid, show } from '../errno.js';

/** A number's digits at the start of a text: `0x` and hexadecimal, `0` and octal, or decimal. */
const DIGITS = /^(?:0x([\da-f]+)|0([0-7]*)|([1-9]\d*))/i;
const MAX_U64 = 2n ** 64n - 1n;
/** The largest number of 32 bits. */
export const MAX_U32 = 2 ** 32 - 1;

/**
 * Reads a number as the kernel's kstrtouint with base 0: a `+` may stand before it and one newline after it; `0x10` is
 * hexadecimal and `010` octal.
 *
 * @param name what an error calls it
 * @throws ErrnoError EINVAL for anything else, or a number outside of `from` to `to`; ERANGE for one of more than 32 bits
 */
export function parseUint(name: string, text: string, from: number, to: number): number {
  const number = text.startsWith('+') ? text.slice(1) : text;
  const [digits, hex, octal, decimal] = DIGITS.exec(number) ?? [];
  if (digits === undefined) throw invalid(name, 'must be a number of decimal, 0x or 0 and octal digits', text);
  const value = BigInt(hex ? `0x${hex}` : octal ? `0o${octal}` : (decimal ?? 0));
  // In the kernel's order: what exceeds even 64 bits is not looked at any further.
  if (value > MAX_U64) throw tooLarge(name, text);
  if (!isEnd(number.slice(digits.length))) throw invalid(name, 'must be a number, and nothing after it', text);
  if (value > MAX_U32) throw tooLarge(name, text);
  if (value >= from && value <= to) return Number(value);
  throw invalid(name, `must be a number from ${from} to ${to}`, text);
}

/**
 * Reads one of a few words, which one newline may follow.
 *
 * @throws ErrnoError EINVAL for anything else
 */
export function parseWord<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const found = words.find((word) => text.startsWith(word) && isEnd(text.slice(word.length)));
  if (found === undefined) throw invalid(name, `must be ${words.join(', ')}`, text);
  return found;
}

function isEnd(rest: string): boolean {
  return rest === '' || rest === '\n';
}

function tooLarge(name: string, text: string): ErrnoError {
  return new ErrnoError('ERANGE', `${name}: must be a number of 32 bits, got ${show(text)}`);
}
