import { DmaEngine, Machine, MiB } from 'mtcopy';
import { type Breakdown, type EngineRow, EXPERIMENTS, type Ratio, type StepsRow, textOf } from 'mtcopy/experiments';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../../support/errors.js';

const { breakdown } = EXPERIMENTS;
const SCALE = { quick: true, bytes: MiB, seconds: 0.01, bound: 1 };

const exactly = (median: number): Ratio => ({ median, low: median, high: median, confidence: 0.95, pairs: 6 });

describe('a small breakdown', () => {
  let measured: Breakdown;
  beforeAll(async () => {
    measured = await breakdown.measure(SCALE, {});
  }, 60_000);

  it('has the throughput of each accounting at each depth, by that of one core', () => {
    const rows = measured.throughput.map(({ accounting, queueDepth }) => `${accounting} ${queueDepth}`);
    const atDepths = (accounting: string) => [1, 16, 128].map((depth) => `${accounting} ${depth}`);
    expect(rows).toEqual([
      ...['one-core 0', 'whole-kernel 0', ...atDepths('submit-and-poll')],
      ...['passthrough', 'translated', 'whole-dcbm'].flatMap(atDepths),
    ]);
    for (const { gigabytesPerSecond, runs, queueDepth, bySubmitAndPoll } of measured.throughput) {
      expect(gigabytesPerSecond).toBeGreaterThan(0);
      expect(runs).toBeGreaterThanOrEqual(6);
      expect(bySubmitAndPoll === undefined).toBe(queueDepth === 0);
    }
    expect(measured.throughput[0].byOneCore.median).toBe(1);
  });

  it('has steps that add up to the whole, and shares of it, for each folio size, mapping and migrator', () => {
    const rows = measured.steps.map(({ folioBytes, mappings, migrator }) => `${folioBytes} ${mappings} ${migrator}`);
    const all = [4096, 2 * MiB].flatMap((bytes) =>
      [0, 1, 16].flatMap((mappings) => ['kernel', 'mtcopy', 'dcbm'].map((name) => `${bytes} ${mappings} ${name}`)),
    );
    expect(rows).toEqual(all);
    for (const { pageNs, shares, cpuNs, migrator, timeByKernel, mappings } of measured.steps) {
      const { whole, ...parts } = pageNs;
      expect(Object.values(parts).reduce((sum, ns) => sum + ns)).toBeCloseTo(whole, 6);
      for (const { median } of [shares.unmap, shares.copy]) {
        expect(median).toBeGreaterThan(0);
        expect(median).toBeLessThan(1);
      }
      // Walked, however short.
      if (mappings > 0) expect(pageNs.removeMigrationPtes).toBeGreaterThan(0);
      expect(cpuNs).toBeGreaterThan(0);
      if (migrator === 'kernel') expect(timeByKernel.median).toBe(1);
    }
  });

  it('fits 100 columns, and says where offload gains', () => {
    const lines = textOf(breakdown.parts(measured)).split('\n');
    // Where an interval is wide, as of few runs, so is its column.
    const isWide = (line: string) => line.startsWith('│') && /\[/.test(line);
    for (const line of lines.slice(0, lines.findIndex((one) => one.includes('unmap copy')) - 1))
      if (!isWide(line)) expect(line.length, line).toBeLessThanOrEqual(100);
    const { says } = breakdown.verdict?.(measured) ?? { says: '' };
    expect(says).toContain('Both walks of the reverse map, of 4K that the calling thread moves: ');
    expect(says).toMatch(/\nmtcopy is faster .*, and saves CPU time .*\.\ndcbm is faster .*\.$/);
  });
});

afterEach(() => vi.restoreAllMocks());

it('measures all the same where the clock counts no CPU time, as one that goes by steps', async () => {
  const { migrateFolios, movePages } = Machine.prototype;
  const without = <Result extends { stats: object }>(result: Result): Result => {
    const cpuNs = { caller: 0, threads: 0, dma: 0 };
    return { ...result, stats: { ...result.stats, cpuNs } };
  };
  vi.spyOn(Machine.prototype, 'migrateFolios').mockImplementation(async function (this: Machine, ...call) {
    return without(await migrateFolios.apply(this, call));
  });
  vi.spyOn(Machine.prototype, 'movePages').mockImplementation(async function (this: Machine, ...call) {
    return without(await movePages.apply(this, call));
  });
  const { steps } = await breakdown.measure({ ...SCALE, warmUps: 0 }, {});
  expect(steps.length).toBeGreaterThan(0);
  for (const { cpuByKernel, cpuNs } of steps) {
    expect(cpuByKernel.median).toBeCloseTo(1, 9);
    expect(cpuNs).toBeGreaterThan(0);
  }
}, 60_000);

it('closes every engine and machine, also if one of them does not close', async () => {
  const { create } = DmaEngine;
  const closed: string[] = [];
  vi.spyOn(DmaEngine, 'create').mockImplementation(async (options) => {
    const engine = await create.call(DmaEngine, options);
    const { close } = engine;
    vi.spyOn(engine, 'close').mockImplementation(async () => {
      await close.call(engine);
      closed.push(engine.iommu);
      if (engine.iommu === 'none') throw new Error('did not close');
    });
    return engine;
  });
  // Once engines have been made: before the first run.
  const ending = new AbortController();
  const control = { signal: ending.signal, onProgress: () => ending.abort() };
  expect(await errorOf(() => breakdown.measure(SCALE, control))).toMatchObject({ message: 'did not close' });
  // The last is the machine's.
  expect(closed.sort()).toEqual(['none', 'passthrough', 'translated', 'translated']);
});

function throughput(accounting: EngineRow['accounting'], byOneCore: number, bySubmit: number): EngineRow {
  const ratios = { byOneCore: exactly(byOneCore), bySubmitAndPoll: exactly(bySubmit) };
  return { accounting, queueDepth: 128, runs: 6, gigabytesPerSecond: 9 * byOneCore, ...ratios };
}

function steps(migrator: StepsRow['migrator'], rmap: number, timeByKernel: number, cpuByKernel: number): StepsRow {
  const none = { isolate: 0, lock: 0, allocate: 0, metadata: 0, flush: 0, free: 0, other: 0 };
  const pageNs = { ...none, tryToMigrate: 500 * rmap, removeMigrationPtes: 500 * rmap, copy: 1000 * (1 - rmap) };
  return {
    ...{ folioBytes: 4096, mappings: 1, migrator, runs: 6, pageNs: { ...pageNs, whole: 1000 } },
    shares: {
      unmap: exactly(rmap / 2),
      copy: exactly(1 - rmap),
      removeMigrationPtes: exactly(rmap / 2),
      rmap: exactly(rmap),
    },
    ...{ cpuNs: 1000 * cpuByKernel, cpuSavedNs: 1000 * (1 - cpuByKernel) },
    ...{ timeByKernel: exactly(timeByKernel), cpuByKernel: exactly(cpuByKernel) },
  };
}

describe('its verdict', () => {
  it('holds where all is as published, and names gains', () => {
    const verdict = breakdown.verdict?.({
      throughput: [
        throughput('submit-and-poll', 30 / 9, 1),
        throughput('passthrough', 23 / 9, 23 / 30),
        throughput('translated', 17 / 9, 17 / 30),
        throughput('whole-dcbm', 1 / 9, 1 / 30),
      ],
      steps: [steps('kernel', 0.925, 1, 1), steps('dcbm', 0.925, 0.9, 0.8)],
    });
    expect(verdict?.holds).toBe(true);
    expect(verdict?.says.split('\n')).toEqual([
      'Holds: 9 of 9 findings. Measured by published: 1.00.',
      'Both walks of the reverse map, of 4K that the calling thread moves: 93% mapped by 1.',
      'dcbm is faster with 4K mapped by 1, and saves CPU time with 4K mapped by 1 (200 ns a page).',
    ]);
  });

  it('does not where copies are what counts, and the engine is slower than a core', () => {
    const verdict = breakdown.verdict?.({
      throughput: [throughput('submit-and-poll', 0.5, 1)],
      steps: [steps('kernel', 0.2, 1, 1), steps('dcbm', 0.2, 1.5, 1.2)],
    });
    expect(verdict?.holds).toBe(false);
    expect(verdict?.says).toContain('0 of 3 findings hold.');
    expect(verdict?.says).toContain('dcbm is faster nowhere for certain, and saves CPU time nowhere for certain.');
  });
});

it('has nothing to say if it is cut short at once', async () => {
  const measured = await breakdown.measure(SCALE, { signal: AbortSignal.abort() });
  expect(measured).toEqual({ throughput: [], steps: [] });
  expect(breakdown.findings(measured)).toEqual([]);
  expect(breakdown.parts(measured)).toEqual([]);
  expect(breakdown.verdict?.(measured)).toMatchObject({ holds: false, says: expect.stringContaining('Not known') });
});
