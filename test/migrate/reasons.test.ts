import fc from 'fast-check';
import { formatReasonMask, MIGRATE_REASONS, parseReasonMask } from 'mtcopy';
import { describe, expect, it } from 'vitest';

const masks = fc.integer({ min: 0, max: 1023 });

describe('a mask of reasons', () => {
  it('comes back from its names, and from its number in decimal and hex', () => {
    fc.assert(
      fc.property(masks, (mask) => {
        expect(parseReasonMask(formatReasonMask(mask))).toBe(mask);
        expect(parseReasonMask(mask)).toBe(mask);
        expect(parseReasonMask(String(mask))).toBe(mask);
        expect(parseReasonMask(`0x${mask.toString(16)}`)).toBe(mask);
        expect(parseReasonMask(` 0X${mask.toString(16).toUpperCase()}\n`)).toBe(mask);
      }),
    );
  });

  it('is read from names in any order, with white space around them, each as often as one likes', () => {
    const names = fc.array(fc.constantFrom(...MIGRATE_REASONS), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(names, fc.constantFrom(',', ' , ', ',\n', '\t,'), (reasons, comma) => {
        const mask = parseReasonMask(` ${reasons.join(comma)}\n`);
        expect(formatReasonMask(mask)).toBe(MIGRATE_REASONS.filter((name) => reasons.includes(name)).join(','));
      }),
    );
  });

  it('has the bits of enum migrate_reason', () => {
    expect(MIGRATE_REASONS.map((reason) => parseReasonMask(reason))).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    expect(parseReasonMask('all')).toBe(1023);
    expect(parseReasonMask('none')).toBe(0);
    expect(formatReasonMask(0)).toBe('none');
    expect(formatReasonMask(0x101)).toBe('compaction,demotion');
  });

  const wrong = [
    ...[
      '',
      ' ',
      ',',
      'compaction,',
      ',demotion',
      'compaction,,demotion',
      'Demotion',
      'demotions',
      'all,none',
      'all,damon',
    ],
    ...['-1', '1.5', '1e2', '0x', '0x400', '1024', '08x', '1 2', '+1', '0b1', 'compaction demotion', 'compaction,8'],
    ...[-1, 1024, 0.5, Number.NaN, 2 ** 32, undefined, null, {}, ['demotion'], 8n, true],
  ];
  it.each(wrong)('is not %s', (value) => {
    expect(() => parseReasonMask(value as string)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
