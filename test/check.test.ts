import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  above0,
  anything,
  type Checks,
  checkOptions,
  checkThreads,
  numberFrom,
  oneOf,
  wholeNumber,
  yesOrNo,
} from '#src/check.js';
import { errno } from './support/errors.js';

interface Options {
  size?: number | undefined;
  word?: string | undefined;
  other?: unknown;
}

const CHECKS: Checks<Options> = { size: wholeNumber(1, 8), word: oneOf(['a', 'b']), other: anything };

/** Any value that JavaScript has, short ones first. */
const anyValue = fc.oneof(
  fc.anything(),
  fc.double(),
  fc.constantFrom(undefined, null, Symbol('s'), 1n, () => 1),
);

describe('options', () => {
  it('are returned as they were checked, each read once', () => {
    let reads = 0;
    const options = {
      get size() {
        return ++reads;
      },
      word: undefined,
    };
    expect(checkOptions<Options>(options, CHECKS)).toEqual({ size: 1, word: undefined });
    expect(reads).toBe(1);
  });

  it('may be inherited, as those of a class are, and are checked then, too', () => {
    class Request {
      get size() {
        return 5;
      }
    }
    expect(checkOptions<Options>(new Request(), CHECKS)).toEqual({ size: 5 });
    expect(() => checkOptions<Options>(Object.create({ size: 99 }), CHECKS)).toThrow(errno('EINVAL'));
  });

  it.each([
    ['a misspelt one', { Size: 1 }, "EINVAL: options: must be size, word, other, got 'Size'"],
    [
      'one that every object has',
      JSON.parse('{"toString":1}'),
      "EINVAL: options: must be size, word, other, got 'toString'",
    ],
    ['a wrong value', { size: 9 }, 'EINVAL: size: must be a whole number from 1 to 8, got 9'],
    ['null for a value', { word: null }, "EINVAL: word: must be 'a' or 'b', got null"],
    ['null for all', null, 'EINVAL: options: must be an object, got null'],
    ['no object', 5, 'EINVAL: options: must be an object, got 5'],
  ])('%s is refused', (_, options, message) => {
    expect(() => checkOptions<Options>(options as Options, CHECKS)).toThrow(expect.objectContaining({ message }));
  });
});

describe('a check', () => {
  const passes = (check: (name: string, value: unknown) => void, value: unknown) => {
    try {
      check('it', value);
      return true;
    } catch (error) {
      expect(error).toEqual(errno('EINVAL'));
      return false;
    }
  };

  it('of a whole number passes those in its range and nothing else', () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat(), fc.oneof(anyValue, fc.integer()), (from, length, value) => {
        const isIn = typeof value === 'number' && Number.isInteger(value) && value >= from && value <= from + length;
        expect(passes(wholeNumber(from, from + length), value)).toBe(isIn);
      }),
    );
    expect(passes(wholeNumber(0, Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)).toBe(false);
    expect(passes(wholeNumber(0, Number.POSITIVE_INFINITY), 2 ** 53)).toBe(false);
    expect([1, 8, 0, 9, 1.5, '1'].map((value) => passes(wholeNumber(1, 8), value))).toEqual([
      ...[true, true, false, false, false, false],
    ]);
  });

  it('of a number passes fractions and both ends, and of one above 0 not 0', () => {
    expect([0, 0.5, 1, -0.1, 1.1, Number.NaN, '0'].map((value) => passes(numberFrom(0, 1), value))).toEqual([
      ...[true, true, true, false, false, false, false],
    ]);
    expect(passes(numberFrom(0, Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY)).toBe(true);
    expect([Number.MIN_VALUE, 0, -1, Number.NaN, '1'].map((value) => passes(above0, value))).toEqual([
      ...[true, false, false, false, false],
    ]);
  });

  it('of yes or no passes true and false alone', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(passes(yesOrNo, value)).toBe(typeof value === 'boolean');
      }),
    );
    expect([true, false, 1, 0, 'no', null].map((value) => passes(yesOrNo, value))).toEqual([
      ...[true, true, false, false, false, false],
    ]);
  });

  it('of a word passes that word alone', () => {
    fc.assert(
      fc.property(fc.oneof(anyValue, fc.constantFrom('a', 'b')), (value) => {
        expect(passes(oneOf(['a', 'b']), value)).toBe(value === 'a' || value === 'b');
      }),
    );
  });

  it('of threads passes 1 to 64 and auto', () => {
    expect([1, 64].map(checkThreads)).toEqual([1, 64]);
    for (const threads of [0, 65, 1.5, '4', null, undefined]) {
      expect(() => checkThreads(threads)).toThrow(errno('EINVAL'));
    }
  });
});

describe("the threads of 'auto'", () => {
  afterEach(() => {
    vi.restoreAllMocks();
    syncBuiltinESMExports();
  });

  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [8, 7],
    [9, 8],
    [64, 8],
  ])('where the host can run %i at once: %i, which leaves a core to the event loop', (cores, threads) => {
    vi.spyOn(os, 'availableParallelism').mockReturnValue(cores);
    syncBuiltinESMExports();
    expect(checkThreads('auto')).toBe(threads);
  });
});
