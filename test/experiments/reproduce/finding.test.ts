import { type Finding, findingHolds, judge, ratioOf } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';

function finding(kind: Finding['kind'], published: number, low: number, high: number, what = 'A against B'): Finding {
  return { what, kind, published, measured: { median: (low + high) / 2, low, high, confidence: 0.95 } };
}

describe('a finding holds if its whole interval lies on the published side', () => {
  it.each([
    ['ratio', 1.5, 1.01, 1.2, true],
    ['ratio', 1.5, 3, 9, true],
    ['ratio', 1.5, 0.99, 2, false],
    ['ratio', 1.5, 1, 2, false],
    ['ratio', 1.5, 0.5, 0.6, false],
    ['ratio', 0.8, 0.5, 0.99, true],
    ['ratio', 0.8, 0.01, 0.02, true],
    ['ratio', 0.8, 0.5, 1.01, false],
    ['ratio', 0.8, 0.5, 1, false],
    ['ratio', 0.8, 1.5, 1.6, false],
    ['share', 0.7, 0.51, 0.9, true],
    ['share', 0.7, 0.49, 0.9, false],
    ['share', 0.7, 0.1, 0.2, false],
    ['share', 0.2, 0.01, 0.49, true],
    ['share', 0.2, 0.01, 0.51, false],
    ['share', 0.2, 0.6, 0.7, false],
    // A share of 0.7 is no ratio below 1, nor the other way round.
    ['share', 0.7, 0.8, 0.9, true],
    ['ratio', 0.7, 0.8, 0.9, true],
  ] as const)('%s, published %f, measured %f to %f: %s', (kind, published, low, high, holds) => {
    expect(findingHolds(finding(kind, published, low, high))).toBe(holds);
  });
});

describe('a verdict', () => {
  it('holds if every finding does, and says how near they come', () => {
    const verdict = judge([finding('ratio', 2, 2.9, 3.1), finding('share', 0.2, 0.09, 0.11)]);
    expect(verdict).toEqual({ holds: true, says: 'Holds: 2 of 2 findings. Measured by published: 0.500 to 1.50.' });
  });

  it('does not hold if one finding does not, which it names with both figures', () => {
    const verdict = judge([finding('ratio', 2, 2.9, 3.1), finding('ratio', 4, 0.7, 0.9, '4K, 2 threads against 1')]);
    expect(verdict.holds).toBe(false);
    expect(verdict.says).toBe(
      '1 of 2 findings hold. Measured by published: 0.200 to 1.50.\nDiffers:\n  4K, 2 threads against 1 0.800 [0.700, 0.900], published 4.00',
    );
  });

  it('tells what differs from what is not decided', () => {
    const { holds, says } = judge([finding('ratio', 2, 0.5, 0.6, 'slower'), finding('share', 0.9, 0.4, 0.95, 'wide')]);
    expect(holds).toBe(false);
    expect(says).toMatch(
      /Differs:\n {2}slower .*\nNot decided, for the interval has both sides, or there are too few runs:\n {2}wide /,
    );
  });

  it('of a single round knows nothing, however far from the border that is', () => {
    const measured = ratioOf([3], [1]);
    const once: Finding = { what: 'A against B', kind: 'ratio', published: 2, measured };
    expect(findingHolds(once)).toBe(false);
    expect(judge([once])).toEqual({ holds: false, says: expect.stringContaining('Not known') });
    const rounds = (count: number) => Array.from({ length: count }, () => 3);
    const five = { ...once, measured: ratioOf(rounds(5), rounds(5).fill(1)) };
    expect(findingHolds(five)).toBe(false);
    const six = { ...once, measured: ratioOf(rounds(6), rounds(6).fill(1)) };
    expect(findingHolds(six)).toBe(true);
    expect(judge([once, six]).says).toMatch(/^1 of 2 findings hold.*\nNot decided, .*too few runs:\n {2}A against B/);
  });

  it('of one finding has one figure', () => {
    expect(judge([finding('ratio', 2, 3.9, 4.1)]).says).toContain('Measured by published: 2.00.');
  });

  it('keeps apart what is published and what is only claimed', () => {
    const { published: claimed, ...compared } = finding('ratio', 10, 4.9, 5.1);
    expect(judge([{ ...compared, claimed }, finding('ratio', 2, 3.9, 4.1)]).says).toBe(
      'Holds: 2 of 2 findings. Measured by published: 2.00; by claimed: 0.500.',
    );
  });

  it('of nothing is not known', () => {
    expect(judge([])).toEqual({ holds: false, says: expect.stringContaining('Not known') });
  });
});
