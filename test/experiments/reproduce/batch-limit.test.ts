import { KiB, MiB } from 'mtcopy';
import { type BatchLimit, type BatchLimitRow, EXPERIMENTS, firstFolioNs, textOf, waitsOf } from 'mtcopy/experiments';
import { beforeAll, describe, expect, it } from 'vitest';

const { measure, parts, findings } = EXPERIMENTS['batch-limit'];
const verdict = (measured: BatchLimit) => EXPERIMENTS['batch-limit'].verdict?.(measured);
const SCALE = { quick: true, bytes: 4 * MiB, seconds: 0.01, bound: 1 };
const LIMITS = [1, 8, 64, 512, 8192];

describe('measured', () => {
  let result: BatchLimit;
  let rows: readonly BatchLimitRow[];
  beforeAll(async () => {
    result = await measure(SCALE, {});
    rows = result.rows;
  });

  it('every limit for either migrator, and one folio of 2 MiB', () => {
    const settings = rows.map(({ migrator, folioBytes, limit }) => `${migrator} ${folioBytes} ${limit}`);
    const of = (migrator: string) => [
      ...LIMITS.map((limit) => `${migrator} ${4 * KiB} ${limit}`),
      `${migrator} ${2 * MiB} 512`,
    ];
    expect(settings).toEqual([...of('kernel'), ...of('mtcopy')]);
  });

  it('the CPU is interrupted once a batch', () => {
    const pages = SCALE.bytes / 4096;
    for (const { limit, touched } of rows) {
      // An interrupt that is not yet taken when the call ends is another's.
      expect(touched?.interruptsAPage).toBeCloseTo(1 / Math.min(limit, pages), 2);
    }
  });

  it('the first folio is there before all are', () => {
    for (const { ns, firstFolioNs } of rows) expect(firstFolioNs > 0 && firstFolioNs < ns).toBe(true);
  });

  it('of each migrator one limit is the best', () => {
    for (const migrator of ['kernel', 'mtcopy']) {
      const best = rows.filter((row) => row.migrator === migrator && row.againstBest.high === row.againstBest.low);
      expect(best.map(({ againstBest }) => againstBest.median)).toEqual([1]);
    }
  });

  it('fits 100 columns', () => {
    const [table] = parts(result);
    if (!table) throw new Error('no table');
    for (const line of textOf([table]).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe('cut short', () => {
  it('before anything counts, it has no rows and no answer', async () => {
    const result = await measure(SCALE, { signal: AbortSignal.abort() });
    expect([result.rows, findings(result)]).toEqual([[], []]);
    expect(verdict(result)).toEqual({ holds: false, says: expect.stringContaining('Not known') });
    expect(textOf(parts(result))).toContain('limit');
  });

  it('before a CPU touches anything, it has rows without waits', async () => {
    const abort = new AbortController();
    const onProgress = ({ what }: { what: string }) => {
      if (what.endsWith('touched')) abort.abort();
    };
    const result = await measure(SCALE, { signal: abort.signal, onProgress });
    expect(result.rows).toHaveLength(12);
    expect(result.rows.every(({ touched }) => touched === undefined)).toBe(true);
    expect(verdict(result)?.says).not.toContain('waits');
    expect(textOf(parts(result))).toContain('kernel');
  });
});

it('the first folio is there once its batch is unmapped, and its share of the moves made', () => {
  expect(firstFolioNs({ unmapBegan: 10, moveBegan: 12, moveEnded: 16, folios: 8 })).toBe(2.5e6);
  expect(firstFolioNs({ unmapBegan: 10, moveBegan: 12, moveEnded: 16, folios: 1 })).toBe(6e6);
});

describe('waits that were counted by powers of two', () => {
  it('lie below twice the power of two of the one in the middle', () => {
    const one = new Map([
      [1024, 3],
      [65536, 1],
    ]);
    const other = new Map([
      [2048, 2],
      [1024, 0],
    ]);
    expect(waitsOf([one, other])).toEqual({ count: 6, medianBelowNs: 2048, p99BelowNs: 131072 });
  });

  it('one in 101 is not among the 99 %', () => {
    const waits = new Map([
      [1024, 100],
      [65536, 1],
    ]);
    expect(waitsOf([waits])).toEqual({ count: 101, medianBelowNs: 2048, p99BelowNs: 2048 });
  });

  it('none are none', () => {
    expect(waitsOf([])).toEqual({ count: 0, medianBelowNs: 0, p99BelowNs: 0 });
    expect(waitsOf([new Map([[1024, 0]])])).toEqual({ count: 0, medianBelowNs: 0, p99BelowNs: 0 });
  });
});

/** A row of the kernel's, or another's, at that part of the best. */
function made(limit: number, low: number, high: number, more: Partial<BatchLimitRow> = {}): BatchLimitRow {
  const waits = { count: 10, medianBelowNs: limit * 1000, p99BelowNs: limit * 4000 };
  return {
    migrator: 'kernel',
    limit,
    folioBytes: 4 * KiB,
    runs: 6,
    ns: 1e6,
    againstBest: { low, high, median: (low + high) / 2, confidence: 0.95, pairs: 6 },
    firstFolioNs: limit * 100,
    touched: { waits, interruptsAPage: 1 / limit },
    ...more,
  };
}
const AMOUNTS = { bytes: 4 * MiB, usualBytes: 4 * MiB, touchedBytes: 4 * MiB, usualTouchedBytes: 4 * MiB };
const judged = (...rows: BatchLimitRow[]) => verdict({ ...AMOUNTS, threads: 2, rows });

describe('its verdict on results that were made up', () => {
  it('advises the smallest limit that is within 5 % of the best, with its waits, and holds if 512 is', () => {
    const { holds, says } =
      judged(made(8, 1.2, 1.3), made(64, 1.02, 1.06), made(512, 0.99, 1.03), made(8192, 1, 1)) ?? {};
    expect(holds).toBe(true);
    expect(says).toContain('512 pages are within 5% of the best limit.');
    expect(says).toContain('kernel: 64 pages take 1.04 [1.02, 1.06] times as long as the fastest measured');
    expect(says).toContain('first folio after 6.40 µs, waits below 64.0 µs (median)');
  });

  it('says of which migrator 512 is too few', () => {
    const { holds, says } = judged(made(512, 1, 1), made(512, 1.1, 1.2, { migrator: 'mtcopy' })) ?? {};
    expect(holds).toBe(false);
    expect(says).toContain('512 pages take longer than the best limit with mtcopy.');
  });

  it('does not say what it cannot tell', () => {
    const { holds, says } = judged(made(512, 0.9, 1.2), made(8192, 1, 1)) ?? {};
    expect(holds).toBe(false);
    expect(says).toContain("can't tell");
  });

  it('says nothing of one round', () => {
    const once = made(512, 1, 1);
    const unsure = { ...once, againstBest: { ...once.againstBest, confidence: 0, pairs: 1 } };
    expect(judged(unsure)).toEqual({ holds: false, says: expect.stringContaining('Not known') });
  });

  it('has one folio of 2 MiB beside it', () => {
    const huge = made(512, 0.2, 0.3, { folioBytes: 2 * MiB });
    expect(judged(made(512, 1, 1), huge)?.says).toContain('one folio of 2 MiB: first folio after 51.2 µs');
    expect(judged(huge)?.says).toContain('Not known');
  });
});
