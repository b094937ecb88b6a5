import { ErrnoError } from 'mtcopy';
import {
  type Control,
  EXPERIMENTS,
  type Progress,
  type ReproduceOptions,
  reproduce,
  type TableName,
} from 'mtcopy/experiments';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { errorOf } from '../../support/errors.js';

const SMALL = { quick: true, seconds: 0.01 } as const;
const NO_ROWS = { folios: 512, rows: [] };

afterEach(() => vi.restoreAllMocks());

/** Has the experiments of some tables do that instead of what they do. */
function instead(doing: Partial<Record<TableName, (scale: object, control: Control) => Promise<never>>>) {
  for (const [name, measure] of Object.entries(doing)) {
    vi.spyOn(EXPERIMENTS[name as TableName], 'measure').mockImplementation(measure);
  }
}

const small = async () => NO_ROWS as never;

describe('reproduce', () => {
  it('keeps the tables before and after one that fails, and lists that with its error', async () => {
    instead({
      'dma-setup': small,
      flows: () => Promise.reject(new ErrnoError('ENOMEM', 'node 1 has no room')),
      contention: () => Promise.reject(new TypeError('no figures')),
      'batch-limit': async () => ({ bytes: 1, threads: 1, rows: [] }) as never,
    });
    const tables = ['dma-setup', 'flows', 'contention', 'batch-limit'] as const;
    const reproduction = await reproduce({ ...SMALL, tables });
    expect(reproduction).toMatchObject({ quick: true, seconds: 0.01, notBegun: [] });
    expect(reproduction.tables.map(({ name }) => name)).toEqual(['dma-setup', 'batch-limit']);
    expect(reproduction.failed).toEqual([
      { name: 'flows', code: 'ENOMEM', message: 'ENOMEM: node 1 has no room' },
      { name: 'contention', message: 'no figures' },
    ]);
  });

  it('names the tables that were not begun, and marks the one that was cut short', async () => {
    const ending = new AbortController();
    const onProgress = ({ what }: Progress) => {
      if (what.startsWith('dma-setup, translated')) ending.abort();
    };
    const control = { signal: ending.signal, onProgress };
    const { tables, notBegun, failed } = await reproduce({ ...SMALL, tables: ['dma-setup', 'tlb', 'flows'] }, control);
    expect(tables).toMatchObject([{ name: 'dma-setup', cutShort: true }]);
    expect({ notBegun, failed }).toEqual({ notBegun: ['tlb', 'flows'], failed: [] });
  });

  it('was not cut short if the signal came in the very last run', async () => {
    const ending = new AbortController();
    let last = 0;
    const onProgress = ({ done, runs, what }: Progress) => {
      // An interval of any width will do, so that there are no more rounds than it says.
      if (what.startsWith('dma-setup, translated') && done === runs - 1) {
        last++;
        ending.abort();
      }
    };
    const control = { signal: ending.signal, onProgress };
    const { tables, notBegun } = await reproduce({ ...SMALL, warmUps: 0, tables: ['dma-setup'] }, control);
    expect(last).toBe(1);
    expect(notBegun).toEqual([]);
    expect(tables[0]).not.toHaveProperty('cutShort');
    expect(tables[0]?.turns.map(({ rounds }) => rounds)).toEqual([6, 6]);
  });

  it('has the samples of all runs, with their quartiles, and every figure', async () => {
    const { tables } = await reproduce({ ...SMALL, tables: ['dma-setup'] });
    const [{ turns, figures, seconds }] = tables as [(typeof tables)[0]];
    expect(seconds).toBeGreaterThan(0);
    expect(turns.map(({ variants }) => variants.map(({ name }) => name))).toEqual([
      ['passthrough, batch', 'passthrough, per-folio'],
      ['translated, batch', 'translated, per-folio'],
    ]);
    for (const { rounds, measure, ended, variants } of turns) {
      expect({ rounds, measure }).toEqual({ rounds: 6, measure: 'ns of set-up' });
      expect(['time', 'narrow']).toContain(ended);
      for (const { samples, lowerQuartile, median, upperQuartile } of variants) {
        expect(samples).toHaveLength(6);
        const sorted = [...samples].sort((a, b) => a - b);
        // Of five steps from the least to the most, at a quarter of the way, in the middle, and at three quarters.
        const between = (at: number, part: number) =>
          (sorted[at] as number) * (1 - part) + (sorted[at + 1] as number) * part;
        expect(lowerQuartile).toBeCloseTo(between(1, 0.25), 6);
        expect(median).toBeCloseTo(between(2, 0.5), 6);
        expect(upperQuartile).toBeCloseTo(between(3, 0.75), 6);
      }
    }
    const ratio = figures.find(({ measure, row }) => measure === 'set-up by batch' && row.endsWith('translated'));
    expect(ratio).toMatchObject({ variant: 'per-folio', unit: 'ratio', claimed: 10 });
    expect(ratio?.low).toBeLessThanOrEqual(ratio?.value as number);
  });

  it('hands on warm-ups, the seed and the seconds to each experiment', async () => {
    const seen: object[] = [];
    const measure = async (scale: object) => {
      seen.push(scale);
      return NO_ROWS as never;
    };
    instead({ 'dma-setup': measure });
    await reproduce({ ...SMALL, warmUps: 3, seed: 7, tables: ['dma-setup'] });
    await reproduce({ quick: true, tables: ['dma-setup'] });
    expect(seen).toMatchObject([
      { warmUps: 3, seed: 7, seconds: 0.01, quick: true },
      { warmUps: undefined, seed: undefined, seconds: 12 },
    ]);
  });

  it.each([
    ['warmUps', -1],
    ['warmUps', 0.5],
    ['seed', -1],
    ['seed', 2 ** 20 + 1],
    ['seconds', 0],
    ['tables', ['folios']],
  ])('refuses %s that can never be: %s', async (name, value) => {
    const error = await errorOf(() => reproduce({ [name]: value } as ReproduceOptions));
    expect(error).toMatchObject({ code: 'EINVAL', message: expect.stringContaining(name) });
  });

  it('tells the time left of all tables, not of the part at hand', async () => {
    const left: number[] = [];
    instead({
      'dma-setup': async (_, control) => {
        control.onProgress?.({ done: 0, runs: 10, what: 'first' });
        return NO_ROWS as never;
      },
      flows: async (_, control) => {
        control.onProgress?.({ done: 0, runs: 10, what: 'first' });
        return { folios: 1, threads: 1, rows: [] } as never;
      },
    });
    const onProgress = ({ secondsLeft }: Progress) => left.push(secondsLeft as number);
    await reproduce({ quick: true, seconds: 1000, tables: ['dma-setup', 'flows'] }, { onProgress });
    expect(left).toHaveLength(2);
    expect(Math.ceil((left[0] as number) / 100)).toBe(20);
    expect(Math.ceil((left[1] as number) / 100)).toBe(10);
  });
});
