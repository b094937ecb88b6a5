import { availableParallelism } from 'node:os';
import { Machine, MiB } from 'mtcopy';
import {
  EXPERIMENTS,
  type FolioSizeThroughput,
  type Mover,
  moverText,
  publishedRatio,
  type Ratio,
  type ThroughputRow,
  textOf,
} from 'mtcopy/experiments';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { profile } from '../../support/profiles.js';
import { ratio } from '../../support/ratios.js';

const { measure, findings, parts, verdict } = EXPERIMENTS['folio-size'];
const TINY = { quick: true, bytes: 4 * MiB, seconds: 0.01, bound: 1 };

/** A made-up row. */
function madeUp(mover: Mover, againstBaseline: Ratio, folioBytes = 2 * MiB): ThroughputRow {
  return { ...mover, folioBytes, folios: 2, runs: 6, gbps: { mean: 5, deviation: 1 }, againstBaseline };
}
const result = (...rows: ThroughputRow[]): FolioSizeThroughput => ({
  cores: 2,
  bytes: 4 * MiB,
  usualBytes: 4 * MiB,
  rows,
});

/** Has every machine copy with one thread or channel, whatever it is told: to start sixteen takes longer than what they copy. */
function withOneThread() {
  const { boot } = Machine;
  vi.spyOn(Machine, 'boot').mockImplementation(async (options) => {
    const machine = await boot.call(Machine, { ...options, threads: 1, dcbm: { nrDmaChan: 1 } });
    vi.spyOn(machine, 'threads', 'set').mockImplementation(() => {});
    const dcbm = Object.create(machine.dcbm, { nrDmaChan: { set: () => {} } });
    vi.spyOn(machine, 'dcbm', 'get').mockReturnValue(dcbm);
    return machine;
  });
}

afterEach(() => vi.restoreAllMocks());

describe('folio-size', () => {
  it('has a row for each way to move each size, and each way is what it says', async () => {
    const seen = new Map<string, Set<string>>();
    let what = '';
    const movePages = Machine.prototype.movePages;
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...call) {
      const { migrator, flow, batchUnit } = call[2] ?? {};
      const { schedule, caller, threads, dcbm } = this;
      const minBytes = this.sysfs.read('kernel/cpu_mt/min_bytes');
      const own = migrator === 'mtcopy' ? `${schedule} ${caller} ${minBytes} ×${threads}` : `×${dcbm.nrDmaChan}`;
      const manner = [migrator, flow, batchUnit, ...(migrator === 'kernel' ? [] : [own])].join(' ');
      const mover = what.slice(what.indexOf(', ') + 2);
      seen.set(mover, (seen.get(mover) ?? new Set()).add(manner));
      return movePages.apply(this, call);
    });
    const onProgress = (progress: { what: string }) => {
      what = progress.what;
    };
    const { rows, cores } = await measure(TINY, { onProgress });
    expect(cores).toBe(availableParallelism());
    const ways = ['baseline 0', 'mtcopy 1', 'mtcopy 2', 'dcbm 1', 'dcbm 2', 'mtcopy-defaults 2', 'dcbm-pre-copy 2'];
    expect(rows.map(({ folioBytes, way, count }) => `${folioBytes} ${way} ${count}`)).toEqual(
      [4096, 2 * MiB].flatMap((bytes) => ways.map((way) => `${bytes} ${way}`)),
    );
    for (const { folios, folioBytes, runs, gbps, againstBaseline } of rows) {
      expect(folios * folioBytes).toBe(TINY.bytes);
      expect(runs).toBeGreaterThanOrEqual(6);
      expect(gbps.mean).toBeGreaterThan(0);
      expect(againstBaseline.pairs).toBe(runs);
    }
    expect(Object.fromEntries(Array.from(seen, ([name, manners]) => [name, [...manners]]))).toEqual({
      baseline: ['kernel vanilla pages'],
      'mtcopy×1': ['mtcopy batch-move folios static waits 0 ×1'],
      'mtcopy×2': ['mtcopy batch-move folios static waits 0 ×2'],
      'mtcopy×2 defaults': [`mtcopy batch-move folios dynamic auto ${await defaultMinBytes()} ×2`],
      'dcbm×1': ['dcbm batch-move folios ×1'],
      'dcbm×2': ['dcbm batch-move folios ×2'],
      'dcbm×2 pre-copy': ['dcbm pre-copy folios ×2'],
    });
  });

  it('moves as a profile says in one more row, of which nothing was published', async () => {
    withOneThread();
    const { rows } = await measure({ ...TINY, bytes: MiB, warmUps: 0, profile: { from: profile() } }, {});
    expect(rows.at(-1)).toMatchObject({
      ...{ way: 'tuned', count: 3 },
      tuned: { migrator: 'mtcopy', flow: 'pre-copy', schedule: 'static', caller: 'helps', minBytes: 2 * MiB },
    });
    const own = (row: ThroughputRow) => findings(result(row));
    expect(own({ ...madeUp({ way: 'mtcopy', count: 4 }, ratio(1.1, 1.3), 4096) })).toHaveLength(1);
    const [tuned] = rows.slice(-1);
    expect([moverText(tuned), own({ ...tuned, count: 4 })]).toEqual(['mtcopy×3 tuned', []]);
  });

  it('makes findings of what was published as different alone', () => {
    // 3.84 ± 0.1 against 3.73 ± 0.33, and 4.72 ± 0.21.
    expect(publishedRatio([3.84, 0.1], [3.73, 0.33]).isClaim).toBe(false);
    expect(publishedRatio([4.72, 0.21], [3.73, 0.33])).toEqual({ ratio: 4.72 / 3.73, isClaim: true });
    const rows = [1, 4].map((count) => madeUp({ way: 'mtcopy', count }, ratio(1.1, 1.3), 4096));
    expect(findings(result(...rows)).map(({ what }) => what)).toEqual(['4K mtcopy×4 against the baseline']);
  });

  it('compares each with its own series', () => {
    const published = (way: Mover['way'], folioBytes?: number) =>
      findings(result(madeUp({ way, count: 4 }, ratio(2, 3), folioBytes)))[0]?.published;
    expect(published('dcbm')).toBeCloseTo(26.84 / 10.67, 9);
    expect(published('dcbm-pre-copy')).toBeCloseTo(27.16 / 10.88, 9);
    expect(published('mtcopy-defaults')).toBeCloseTo(31.41 / 10.67, 9);
    // Not published of the fourth version.
    expect(published('dcbm-pre-copy', 512 * 1024)).toBeUndefined();
  });

  it('tells apart what asks for more threads than there are cores', () => {
    const two = madeUp({ way: 'mtcopy', count: 2 }, ratio(1.5, 1.7));
    const sixteen = (against: Ratio) => madeUp({ way: 'mtcopy', count: 16 }, against);
    expect(verdict?.(result(two))).toMatchObject({ holds: true });
    expect(verdict?.(result(two, sixteen(ratio(2, 3))))).toMatchObject({ holds: true });
    const lost = verdict?.(result(two, sixteen(ratio(0.4, 0.6))));
    expect(lost?.holds).toBe(false);
    expect(lost?.says).toContain('1 of 2 findings hold');
    expect(lost?.says).toMatch(/With at most 2 threads or channels[^\n]*: 1 of 1/);
    expect(lost?.says).toContain('beyond the cores here: 0 of 1');
    expect(verdict?.(result(two, sixteen(ratio(0.4, 2))))?.says).toContain('Not decided');
  });

  it.each([
    ['all of it where there is time', 1e9, 32 * MiB],
    ['less where six rounds of it would not fit', 1e-9, 2 * MiB],
  ])('moves %s, as it finds out', async (_, seconds, bytes) => {
    withOneThread();
    const ending = new AbortController();
    const onProgress = ({ what }: { what: string }) => {
      if (!what.startsWith('how much')) ending.abort();
    };
    const scale = { quick: false, bytes: 32 * MiB, seconds, bound: 1, warmUps: 0 };
    const measured = await measure(scale, { onProgress, signal: ending.signal });
    expect(measured).toMatchObject({ bytes, usualBytes: 32 * MiB, rows: [] });
    const text = textOf(parts(measured));
    expect(text.includes('Not 32M: there was no time for six rounds of so much.')).toBe(bytes < 32 * MiB);
  });

  it('has nothing to say when it is cut short at once', async () => {
    const measured = await measure(TINY, { signal: AbortSignal.abort() });
    expect(measured.rows).toEqual([]);
    expect(findings(measured)).toEqual([]);
    expect(verdict?.(measured).holds).toBe(false);
    expect(parts(measured)).not.toHaveLength(0);
  });
});

async function defaultMinBytes(): Promise<string> {
  const machine = await Machine.boot({ nodes: ['4M'], cpus: 0 });
  const text = machine.sysfs.read('kernel/cpu_mt/min_bytes');
  await machine.close();
  return text;
}
