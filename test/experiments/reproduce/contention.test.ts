import { MiB } from 'mtcopy';
import {
  type Contention,
  type ContentionRow,
  EXPERIMENTS,
  figuresOf,
  lapsThatFit,
  type Ratio,
  textOf,
} from 'mtcopy/experiments';
import { beforeAll, describe, expect, it } from 'vitest';
import { ratio } from '../../support/ratios.js';

const { measure, parts, findings } = EXPERIMENTS.contention;
const verdict = (measured: Contention) => EXPERIMENTS.contention.verdict?.(measured);
const SCALE = { quick: true, bytes: 4 * MiB, seconds: 0.01, bound: 1 };

describe('measured', () => {
  let contention: Contention;
  let rows: Record<ContentionRow['setting'], ContentionRow>;
  beforeAll(async () => {
    contention = await measure(SCALE, {});
    rows = Object.fromEntries(contention.rows.map((row) => [row.setting, row])) as typeof rows;
  });

  it('each mask beside the storm, and demotion alone', () => {
    expect(Object.keys(rows)).toEqual(['all', 'demotion', 'none', 'alone']);
    expect(Object.values(rows).map(({ storm }) => storm !== undefined)).toEqual([true, true, true, false]);
  });

  it('the engine copies what the mask says', () => {
    expect(rows.demotion).toMatchObject({ demotion: { offloaded: 1 }, storm: { offloaded: 0 } });
    expect(rows.none).toMatchObject({ demotion: { offloaded: 0 }, storm: { offloaded: 0 } });
    expect(rows.alone).toMatchObject({ demotion: { offloaded: 1 } });
    const shares = [rows.all.demotion.offloaded, rows.all.storm?.offloaded as number];
    for (const share of shares) expect(share > 0 && share < 1).toBe(true);
  });

  it('no demotion goes faster than the engine that has to copy it', () => {
    expect(rows.demotion.demotion.gbps * 1e9).toBeLessThanOrEqual(contention.bandwidth);
    expect(rows.alone.demotion.gbps * 1e9).toBeLessThanOrEqual(contention.bandwidth);
  });

  it('enough calls for a quantile of 99 %, none of which is below the median', () => {
    for (const { runs, demotion } of contention.rows) {
      expect(demotion.calls).toBeGreaterThanOrEqual(100 * runs);
      expect(demotion.p99Ns).toBeGreaterThanOrEqual(demotion.medianNs);
      expect(demotion.callerNsAPage).toBeGreaterThan(0);
    }
  });

  it('fits 100 columns', () => {
    const [table] = parts(contention);
    if (!table) throw new Error('no table');
    for (const line of textOf([table]).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

it('cut short before anything counts, it has no rows and no answer', async () => {
  const contention = await measure(SCALE, { signal: AbortSignal.abort() });
  expect([contention.rows, findings(contention)]).toEqual([[], []]);
  expect(verdict(contention)).toEqual({ holds: false, says: expect.stringContaining('Not known') });
  expect(textOf(parts(contention))).toContain('mask');
});

it('adds runs up: speeds by the median of runs, quantiles over all calls, shares over all bytes', () => {
  const nothing = { latenciesNs: [], bytes: 0, offloadedBytes: 0, callerNs: 0 };
  const run = (ns: number, latenciesNs: number[], bytes: number, offloadedBytes: number) => ({
    ns,
    demotion: { latenciesNs, bytes, offloadedBytes, callerNs: 2 * (bytes / 4096) },
    storm: nothing,
  });
  const runs = [run(4096, [1, 2], 4096, 0), run(4096, [3, 4], 3 * 4096, 2 * 4096), run(4096, [5, 600], 2 * 4096, 4096)];
  expect(figuresOf(runs, 'demotion')).toEqual({
    calls: 6,
    gbps: 2,
    medianNs: 3.5,
    p99Ns: expect.closeTo(5 + 0.95 * 595, 9),
    offloaded: 0.5,
    callerNsAPage: 2,
  });
});

const FIGURES = { calls: 600, gbps: 1, medianNs: 1e6, p99Ns: 2e6, offloaded: 0.5, callerNsAPage: 300 };
const NO_CHANGE = { gbps: ratio(0.9, 1.1), p99: ratio(0.9, 1.1) };

/** Demotions by the mask `demotion`, against those by `all`. */
function made(gbps: [number, number], p99: [number, number]): Contention {
  const common = { runs: 6, demotion: FIGURES, storm: FIGURES, stormAgainstAll: NO_CHANGE };
  const demotionAgainstAll = { gbps: ratio(...gbps), p99: ratio(...p99) };
  const rows: ContentionRow[] = [
    { ...common, setting: 'all', demotionAgainstAll: NO_CHANGE },
    { ...common, setting: 'demotion', demotion: { ...FIGURES, offloaded: 1 }, demotionAgainstAll },
  ];
  return { bandwidth: 1e9, callers: 4, callBytes: 2 * MiB, laps: 4, usualLaps: 4, rows };
}

describe('its verdict on results that were made up', () => {
  it.each([
    ['more GB/s', [1.1, 1.3], [0.9, 1.1], 'helps demotion: more GB/s.'],
    ['shorter waits', [0.9, 1.1], [0.5, 0.8], 'helps demotion: a lower 99%.'],
    ['less GB/s', [0.7, 0.9], [0.9, 1.1], 'slows demotion down: fewer GB/s.'],
    ['longer waits', [0.9, 1.1], [1.2, 1.4], 'slows demotion down: a higher 99%.'],
    ['what nobody can tell', [0.5, 1.8], [0.5, 1.8], "these runs can't tell"],
  ] as const)('%s', (_what, gbps, p99, answer) => {
    const { holds: held, says } = verdict(made([...gbps], [...p99])) ?? {};
    expect(held).toBe(answer.startsWith('helps'));
    expect(says).toContain(answer);
    expect(says).toContain('The engine copies 100% of its bytes, with all 50%.');
  });

  it('is not known of one round', () => {
    const { rows, ...others } = made([1.1, 1.3], [0.5, 0.8]);
    const once = (one: Ratio): Ratio => ({ ...one, confidence: 0, pairs: 1 });
    const unsure = rows.map(({ demotionAgainstAll: { gbps, p99 }, ...row }) => ({
      ...row,
      demotionAgainstAll: { gbps: once(gbps), p99: once(p99) },
    }));
    expect(verdict({ ...others, rows: unsure })).toEqual({
      holds: false,
      says: expect.stringContaining('Not known'),
    });
  });
});

describe('laps', () => {
  it('are as many as there is time for, one at least', () => {
    expect([1000, 40, 39, 10, 9, 0.1].map((seconds) => lapsThatFit(4, 10, seconds))).toEqual([4, 4, 3, 1, 1, 1]);
    // Of what was not asked nothing is known.
    expect(lapsThatFit(4, 0, 1)).toBe(4);
  });

  it.each([
    ['all where there is time', 1e9, 25],
    ['one where there is none', 1e-9, 1],
  ])('of a run are %s, as it finds out, and it says so', async (_, seconds, laps) => {
    const ending = new AbortController();
    const onProgress = ({ what }: { what: string }) => {
      if (!what.startsWith('how much')) ending.abort();
    };
    const scale = { quick: false, bytes: 8 * MiB, seconds, bound: 1, warmUps: 0 };
    const measured = await measure(scale, { onProgress, signal: ending.signal });
    expect(measured).toMatchObject({ laps, usualLaps: 25 });
    expect(textOf(parts(measured)).includes('There was no time for 25 laps')).toBe(laps < 25);
  });
});
