import { GiB, MiB } from 'mtcopy';
import { EXPERIMENTS, judge, type Ratio, type ThroughputRow } from 'mtcopy/experiments';
import { describe, expect, it } from 'vitest';
import { ratio } from '../../support/ratios.js';

const { measure, findings, parts } = EXPERIMENTS['folio-count'];
const TINY = { quick: true, bytes: 16 * MiB, seconds: 0.01, bound: 1 };

const AMOUNTS = { bytes: GiB, usualBytes: GiB };

/** A made-up row of one channel. */
function madeUp(folios: number, againstBaseline: Ratio): ThroughputRow {
  const mover = { way: 'dcbm', count: 1 } as const;
  return { ...mover, folioBytes: 2 * MiB, folios, runs: 6, gbps: { mean: 5, deviation: 1 }, againstBaseline };
}

describe('folio-count', () => {
  it('has the published numbers of folios, as far as there are bytes for them', async () => {
    const measured = await measure(TINY, {});
    expect(measured.rows.map(({ folios, way, count }) => `${folios} ${way} ${count}`)).toEqual(
      [1, 8].flatMap((folios) => ['baseline 0', 'mtcopy 1', 'dcbm 1'].map((mover) => `${folios} ${mover}`)),
    );
    for (const { folioBytes, runs, againstBaseline } of measured.rows) {
      expect(folioBytes).toBe(2 * MiB);
      expect(againstBaseline.pairs).toBe(runs);
    }
    expect(parts(measured).join('\n')).toContain('not measured here: 16, 32, 64, 256, 512, 2048, 8192 folios');
  });

  it('holds where one channel lies on the published side, and not elsewhere', () => {
    const holds = (measured: Ratio) => judge(findings({ ...AMOUNTS, rows: [madeUp(512, measured)] }));
    expect(findings({ ...AMOUNTS, rows: [madeUp(512, ratio(1, 2))] })[0].published).toBeCloseTo(12.61 / 10.59, 9);
    expect(holds(ratio(1.1, 1.3)).holds).toBe(true);
    expect(holds(ratio(0.7, 0.9))).toMatchObject({ holds: false, says: expect.stringContaining('Differs') });
    expect(holds(ratio(0.7, 1.3))).toMatchObject({ holds: false, says: expect.stringContaining('Not decided') });
  });

  it('keeps the rows that it has when it is cut short', async () => {
    const stop = new AbortController();
    const onProgress = ({ what }: { what: string }) => {
      if (what.startsWith('8 of 2M')) stop.abort();
    };
    const { rows } = await measure(TINY, { onProgress, signal: stop.signal });
    expect(rows.map(({ folios }) => folios)).toEqual([1, 1, 1]);
  });
});
