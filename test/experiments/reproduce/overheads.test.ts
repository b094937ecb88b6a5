import { Machine, MiB } from 'mtcopy';
import { amdahl, EXPERIMENTS, judge, type OverheadsRow, type Ratio } from 'mtcopy/experiments';
import { describe, expect, it, vi } from 'vitest';
import { ratio } from '../../support/ratios.js';

const { measure, findings, parts } = EXPERIMENTS.overheads;
const TINY = { quick: true, bytes: 4 * MiB, seconds: 0.01, bound: 1 };

const AMOUNTS = { bytes: 64 * MiB, usualBytes: 64 * MiB };

/** A made-up row of the largest amount. */
function madeUp(F: Ratio, measured: Ratio): OverheadsRow {
  const one = ratio(1, 1);
  return {
    folioSize: '2MB',
    folioBytes: 2 * MiB,
    folios: 32,
    publishedFolios: 512,
    runs: 6,
    F,
    maxSpeedup: amdahl(F.median, Number.POSITIVE_INFINITY),
    threads: '2',
    S: ratio(2, 2),
    predicted: amdahl(F.median, 2),
    measured,
    predictedByMeasured: one,
    rest: one,
  };
}

describe("Amdahl's law", () => {
  it('gives what was published', () => {
    expect(amdahl(0.35, Number.POSITIVE_INFINITY)).toBeCloseTo(1.54, 2);
    expect(amdahl(0.97, Number.POSITIVE_INFINITY)).toBeCloseTo(33.3, 1);
    expect(amdahl(0.97, 7.5)).toBeCloseTo(6.28, 2);
  });

  it('gives nothing for nothing', () => {
    expect(amdahl(0, 8)).toBe(1);
    expect(amdahl(0.5, 1)).toBe(1);
    expect(amdahl(1, 8)).toBe(8);
  });
});

describe('overheads', () => {
  it('has a row for 1 and as many folios as there is room for, and all of it fits together', async () => {
    const { rows } = await measure(TINY, {});
    expect(rows.map(({ folioSize, folios, publishedFolios }) => [folioSize, folios, publishedFolios])).toEqual([
      ['4KB', 1, 1],
      ['4KB', 512, 512],
      ['2MB', 1, 1],
      ['2MB', 2, 512],
    ]);
    for (const row of rows) {
      expect(row.F.low).toBeGreaterThan(0);
      expect(row.F.high).toBeLessThan(1);
      expect(row.maxSpeedup).toBeCloseTo(1 / (1 - row.F.median), 9);
      expect(row.predicted).toBeCloseTo(1 / (1 - row.F.median + row.F.median / row.S.median), 9);
      expect(row.predicted).toBeLessThan(row.maxSpeedup);
      expect(['1', '2', '1+1']).toContain(row.threads);
      for (const { pairs } of [row.F, row.S, row.measured, row.predictedByMeasured, row.rest]) {
        expect(pairs).toBe(row.runs);
      }
    }
  });

  it('measures the threads that copied fastest with other runs than those by which they were chosen', async () => {
    let what = '';
    const { movePages } = Machine.prototype;
    using _known = vi.spyOn(Machine.prototype, 'movePages').mockImplementation(async function (this: Machine, ...call) {
      const result = await movePages.apply(this, call);
      // All copy alike, but that two were lucky while threads were chosen.
      const isLucky = what.includes('×2, to choose threads');
      const phasesNs = { ...result.stats.phasesNs, copy: isLucky ? 50 : 100 };
      return { ...result, stats: { ...result.stats, phasesNs } };
    });
    const onProgress = (progress: { what: string }) => {
      what = progress.what;
    };
    const { rows } = await measure({ ...TINY, warmUps: 0 }, { onProgress });
    for (const { threads, S, runs } of rows) {
      expect([threads, S]).toMatchObject(['2', { low: 1, median: 1, high: 1, pairs: runs }]);
    }
    expect(rows).toHaveLength(4);
  });

  it('holds where shares and the speed-up lie on the published side, and not elsewhere', () => {
    const holds = (F: Ratio, measured: Ratio) => judge(findings({ ...AMOUNTS, rows: [madeUp(F, measured)] })).holds;
    expect(holds(ratio(0.9, 0.98), ratio(1.5, 1.7))).toBe(true);
    expect(holds(ratio(0.3, 0.4), ratio(1.5, 1.7))).toBe(false);
    expect(holds(ratio(0.9, 0.98), ratio(0.8, 1.2))).toBe(false);
  });

  it('says which amount stands beside which', () => {
    const rows = [madeUp(ratio(0.9, 0.98), ratio(1.5, 1.7))];
    expect(findings({ ...AMOUNTS, rows })[0].what).toContain('2MBx32 (published: 2MBx512)');
    expect(parts({ ...AMOUNTS, rows }).join('\n')).toContain('makes that 5.40');
  });

  it('has nothing to say when it is cut short at once', async () => {
    const measured = await measure(TINY, { signal: AbortSignal.abort() });
    expect(measured.rows).toEqual([]);
    expect(findings(measured)).toEqual([]);
    expect(parts(measured)).not.toHaveLength(0);
  });

  it('keeps the rows that it has when it is cut short', async () => {
    const stop = new AbortController();
    const onProgress = ({ what }: { what: string }) => {
      if (what.startsWith('512 of 4KB')) stop.abort();
    };
    const { rows } = await measure(TINY, { onProgress, signal: stop.signal });
    expect(rows.map(({ folios }) => folios)).toEqual([1]);
  });
});
