import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { MiB } from 'mtcopy';
import { type CyclesPerPage, type CyclesRow, EXPERIMENTS, judge, type Ratio } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';
import { ratio } from '../../support/ratios.js';

const { measure, findings, parts } = EXPERIMENTS['cycles-per-page'];
const TINY = { quick: true, bytes: 2 * MiB, seconds: 0.01, bound: 1 };

const spread = (mean: number) => ({ mean, deviation: 0 });
/** A row of the published table's kind, of made-up figures. */
function madeUp(kernel: string, F: Ratio, againstGeneric: Ratio, publishedAs = '256MB'): CyclesRow {
  return {
    kernel,
    moved: publishedAs,
    publishedAs,
    runs: 6,
    migratePagesNs: spread(1000),
    folioCopyNs: spread(250),
    migratePagesCycles: spread(2000),
    folioCopyCycles: spread(500),
    F: spread(F.median),
    typicalF: F,
    highestF: 0.3,
    runsFromNamed: 2,
    againstGeneric,
  };
}
const result = (...rows: CyclesRow[]): CyclesPerPage => ({ mhz: 2000, bytes: MiB, usualBytes: MiB, rows });

describe('cycles-per-page', () => {
  it('has a row for each kernel and amount, and copies take a part of each', async () => {
    const { mhz, rows } = await measure(TINY, {});
    expect(rows.map(({ moved, kernel }) => `${moved} ${kernel}`)).toEqual(
      ['4KB', '2MB'].flatMap((moved) => ['generic', 'batch-cpu', 'batch-dma'].map((kernel) => `${moved} ${kernel}`)),
    );
    for (const row of rows) {
      expect(row.runs).toBeGreaterThanOrEqual(6);
      expect(row.folioCopyNs.mean).toBeGreaterThan(0);
      expect(row.folioCopyNs.mean).toBeLessThan(row.migratePagesNs.mean);
      for (const F of [row.F.mean, row.typicalF.low, row.typicalF.high, row.highestF]) {
        expect(F).toBeGreaterThan(0);
        expect(F).toBeLessThan(1);
      }
      expect(row.highestF).toBeGreaterThanOrEqual(row.F.mean);
      expect(row.migratePagesCycles.mean).toBeCloseTo((row.migratePagesNs.mean * mhz) / 1000, 3);
    }
  });

  it('knows the clock wherever the system says it', async () => {
    const { mhz } = await measure({ ...TINY, bytes: 4096 }, {});
    const isSaid = cpus()[0].speed > 0 || /^cpu MHz\s*:\s*[1-9]/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
    expect(mhz > 0).toBe(isSaid);
  });

  it('moves 64 MB in place of 256 where there is no room for more, and says so', async () => {
    const stop = new AbortController();
    const seen = new Set<string>();
    const onProgress = ({ what }: { what: string }) => {
      seen.add(what.split(' ')[0]);
      if (what.startsWith('64MB')) stop.abort();
    };
    const { rows } = await measure({ ...TINY, bytes: 64 * MiB }, { onProgress, signal: stop.signal });
    expect([...seen]).toEqual(['4KB', '2MB', '64MB']);
    // It was cut short before that had a whole round.
    expect(rows).toHaveLength(6);
    const instead = { ...madeUp('generic', ratio(0.2, 0.3), ratio(1, 1)), moved: '64MB' };
    expect(findings(result(instead))[0].what).toContain('64MB (published: 256MB)');
    expect(parts(result(instead)).join()).toContain('64MB stands in');
  });

  it('tests the share that the text names beside the table', () => {
    const found = findings(result(madeUp('generic', ratio(0.25, 0.29), ratio(1, 1))));
    expect(found.map(({ published }) => published)).toEqual([0.2206, 0.266]);
    const text = parts(result(madeUp('generic', ratio(0.25, 0.29), ratio(1, 1)))).join('\n');
    expect(text).toContain('2 of 6 runs');
  });

  it('holds where the figures lie on the published side, and not elsewhere', () => {
    const dma = (F: Ratio, slower: Ratio) => judge(findings(result(madeUp('batch-dma', F, slower)))).holds;
    expect(dma(ratio(0.7, 0.9), ratio(3, 4))).toBe(true);
    expect(dma(ratio(0.1, 0.3), ratio(3, 4))).toBe(false);
    expect(dma(ratio(0.7, 0.9), ratio(0.9, 4))).toBe(false);
  });

  it('makes nothing of kernels that were published as equal', () => {
    const found = findings(result(madeUp('batch-cpu', ratio(0.2, 0.3), ratio(0.5, 0.6))));
    expect(found.map(({ kind }) => kind)).toEqual(['share']);
  });

  it('has nothing to say when it is cut short at once', async () => {
    const measured = await measure(TINY, { signal: AbortSignal.abort() });
    expect(measured.rows).toEqual([]);
    expect(findings(measured)).toEqual([]);
    expect(parts(measured)).not.toHaveLength(0);
  });
});
