import { channel } from 'node:diagnostics_channel';
import { Machine, MiB } from 'mtcopy';
import { EXPERIMENTS, type Flows, type FlowsRow, textOf } from 'mtcopy/experiments';
import { beforeAll, describe, expect, it, vi } from 'vitest';

const { measure, parts, findings } = EXPERIMENTS.flows;
const verdict = (measured: Flows) => EXPERIMENTS.flows.verdict?.(measured);
const SCALE = { quick: true, bytes: 4 * MiB, seconds: 0.01, bound: 1 };
const FOLIOS = 512;
const FAILING = { 0: 0, 0.01: 5, 0.1: 51 } as Record<number, number>;

describe('measured', () => {
  let flows: Flows;
  beforeAll(async () => {
    flows = await measure(SCALE, {});
  });

  it('both flows without failures, and with three kinds of them, of two shares', () => {
    expect(flows.folios).toBe(FOLIOS);
    const settings = flows.rows.map(({ failure, share, flow }) => `${failure} ${share} ${flow}`);
    expect(new Set(settings).size).toBe(14);
    for (const row of flows.rows) expect(row.runs).toBeGreaterThanOrEqual(6);
  });

  it('what was to fail fails, but what batch-move has moved by the time that it is pinned', () => {
    for (const { failure, share, flow, moved, failed } of flows.rows) {
      const isLate = failure === 'pinned in copy' && flow === 'batch-move';
      expect([failed, moved + failed]).toEqual([isLate ? 0 : FAILING[share], FOLIOS]);
    }
  });

  it('bytes are copied in vain by pre-copy alone, of what is pinned meanwhile alone', () => {
    for (const { failure, share, flow, copiedBytes, vainBytes, moved } of flows.rows) {
      const inVain = failure === 'pinned in copy' && flow === 'pre-copy' ? (FAILING[share] as number) : 0;
      expect([vainBytes, copiedBytes]).toEqual([inVain * 4096, (moved + inVain) * 4096]);
    }
  });

  it('what is pinned is tried again, eight times each; what is poisoned is not', () => {
    for (const { failure, failed, retries } of flows.rows) {
      expect(retries).toBe(failure === 'poisoned' ? 0 : 8 * failed);
    }
  });

  it('each ratio is to batch-move with the same failures', () => {
    for (const { flow, againstBatchMove } of flows.rows) {
      if (flow === 'batch-move') expect(againstBatchMove).toMatchObject({ low: 1, median: 1, high: 1 });
      else expect(againstBatchMove.low).toBeLessThanOrEqual(againstBatchMove.high);
    }
  });

  it('fits 100 columns', () => {
    const [table] = parts(flows);
    if (!table) throw new Error('no table');
    for (const line of textOf([table]).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

it('cut short before anything counts, it has no rows and no answer', async () => {
  const flows = await measure(SCALE, { signal: AbortSignal.abort() });
  expect([flows.rows, findings(flows)]).toEqual([[], []]);
  expect(verdict(flows)).toEqual({ holds: false, says: expect.stringContaining('Not known') });
  expect(textOf(parts(flows))).toContain('against');
});

it('leaves no listener behind where a migration throws', async () => {
  const ends = channel('tracing:mtcopy:migrate:end');
  const failure = new Error('on purpose');
  const { movePages } = Machine.prototype;
  // The first that folios are to be pinned in.
  using _failing = vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...args) {
    return ends.hasSubscribers ? Promise.reject(failure) : movePages.apply(this, args);
  });
  await expect(measure(SCALE, {})).rejects.toBe(failure);
  expect(ends.hasSubscribers).toBe(false);
});

/** A row of pre-copy whose ratio has that interval, and which copied that part in vain. */
function preCopy(low: number, high: number, inVain = 0): FlowsRow {
  return {
    failure: 'pinned in copy',
    share: 0.1,
    flow: 'pre-copy',
    runs: 6,
    ns: 1e6,
    moved: 90,
    failed: 10,
    nsAPageMoved: 1e4,
    retries: 80,
    copiedBytes: 100 * 4096,
    vainBytes: inVain * 100 * 4096,
    againstBatchMove: { low, high, median: (low + high) / 2, confidence: 0.95, pairs: 6 },
  };
}
const made = (...rows: FlowsRow[]) => verdict({ bytes: MiB, usualBytes: MiB, folios: 100, threads: 2, rows });

describe('its verdict on results that were made up', () => {
  it('holds where pre-copy is faster, or nobody can tell', () => {
    expect(made(preCopy(0.7, 0.8), preCopy(0.9, 1.1))).toEqual({
      holds: true,
      says: 'Copying first costs nothing here. Of 2 settings pre-copy is faster in 1, slower in 0, a page that moved. No bytes were copied in vain.',
    });
  });

  it('is not known of one round', () => {
    const row = preCopy(0.7, 0.8);
    const once = { ...row, runs: 1, againstBatchMove: { ...row.againstBatchMove, confidence: 0, pairs: 1 } };
    expect(made(once)).toEqual({ holds: false, says: expect.stringContaining('Not known') });
  });

  it('does not hold where it is slower in one, which it names, with what was copied in vain', () => {
    const { holds, says } = made(preCopy(0.7, 0.8), preCopy(1.2, 1.4, 0.1)) ?? {};
    expect(holds).toBe(false);
    expect(says).toContain('slower in 1');
    expect(says).toContain('10% pinned in copy, pre-copy 1.30 [1.20, 1.40]');
    expect(says).toContain('Copied in vain: 10.0% with 10% pinned in copy');
  });
});
