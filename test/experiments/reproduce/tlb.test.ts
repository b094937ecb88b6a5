import { availableParallelism } from 'node:os';
import { PAGE_SIZE } from 'mtcopy';
import { EXPERIMENTS, judge, pagesThatFit, type Ratio, type TlbBatching, textOf } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

const { tlb } = EXPERIMENTS;
const PAGES = 32;
const SCALE = { quick: true, bytes: PAGES * PAGE_SIZE, seconds: 0.01, bound: 1 };

const exactly = (median: number): Ratio => ({ median, low: median, high: median, confidence: 0.95, pairs: 6 });

function madeUp(ipisPerSecond: number, ipisPerPage: number, pagesPerSecond: number): TlbBatching {
  const vanillaBySerial = {
    ipisPerSecond: exactly(ipisPerSecond),
    ipisPerPage: exactly(ipisPerPage),
    pagesPerSecond: exactly(pagesPerSecond),
  };
  return { cpus: 2, pages: 512, usualPages: 512, rows: [], vanillaBySerial };
}

it('counts an interrupt a CPU for each page of serial, and for each batch of vanilla', async () => {
  const measured = await tlb.measure(SCALE, {});
  expect(measured).toMatchObject({ cpus: availableParallelism(), pages: PAGES });
  const [serial, vanilla] = measured.rows;
  expect([serial.flow, vanilla.flow]).toEqual(['serial', 'vanilla']);
  for (const row of measured.rows) {
    expect(row.runs).toBeGreaterThanOrEqual(6);
    expect(row.pagesPerSecond).toBeGreaterThan(0);
    expect(row.accessesPerSecond).toBeGreaterThan(0);
  }
  expect(serial.ipisPerPage).toBeCloseTo(measured.cpus, 1);
  expect(vanilla.ipisPerPage).toBeCloseTo(measured.cpus / PAGES, 3);
  const { ipisPerSecond, ipisPerPage, pagesPerSecond } = measured.vanillaBySerial ?? {};
  for (const ratio of [ipisPerSecond, ipisPerPage, pagesPerSecond]) expect(ratio?.low).toBeGreaterThan(0);
  const text = textOf(tlb.parts(measured));
  expect(text).toContain('-99.77%');
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
});

it('finds what was published where it is so, and says what differs where it is not', () => {
  const same = tlb.findings(madeUp(0.009, 0.009 / 3.917, 3.917));
  expect(same.map(({ published }) => published.toFixed(6))).toEqual(['0.009000', '0.002298', '3.917000']);
  expect(judge(same)).toEqual({ holds: true, says: 'Holds: 3 of 3 findings. Measured by published: 1.00.' });
  const other = judge(tlb.findings(madeUp(2, 0.5, 4)));
  expect(other.holds).toBe(false);
  expect(other.says).toContain('2 of 3 findings hold.');
  expect(other.says).toContain('Differs:\n  interrupts in equal time, vanilla by serial 2.00');
});

it('moves as many pages as there is time for six rounds of each flow, a 32nd at least', () => {
  const fits = (seconds: number) => pagesThatFit({ seconds, warmUps: 0 }, 1024, 1024);
  // A call of each flow that moves all takes a second.
  const all = 2 * 6;
  expect([1e9, all, all - 0.1, all / 4, all / 32, 1e-9].map(fits)).toEqual([1024, 1024, 512, 256, 32, 32]);
  const withWarmUps = (warmUps: number | undefined) => pagesThatFit({ seconds: all, warmUps }, 1024, 1024);
  expect([6, 18, undefined].map(withWarmUps)).toEqual([512, 256, 512]);
});

it.each([
  ['all pages where there is time', 1e9, 64],
  ['fewer where six rounds of so many would not fit', 1e-9, 2],
])('moves %s, as it finds out', async (_, seconds, pages) => {
  const ending = new AbortController();
  // In the first of the runs that are taken in turns.
  const control = { signal: ending.signal, onProgress: () => ending.abort() };
  const scale = { quick: false, bytes: 64 * PAGE_SIZE, seconds, bound: 1, warmUps: 0 };
  expect(await tlb.measure(scale, control)).toMatchObject({ pages, usualPages: 64, rows: [] });
});

it('says so where it has moved fewer pages', () => {
  const measured = madeUp(0.5, 0.1, 4);
  expect(textOf(tlb.parts(measured))).not.toContain('no time');
  const fewer = textOf(tlb.parts({ ...measured, usualPages: 16384 }));
  expect(fewer).toContain('Not 16384 pages: there was no time for six rounds of so many.');
});

it('has no findings if it is cut short before both flows have run', async () => {
  const measured = await tlb.measure(SCALE, { signal: AbortSignal.abort() });
  expect(measured).toMatchObject({ rows: [], vanillaBySerial: undefined });
  expect(tlb.findings(measured)).toEqual([]);
  expect(tlb.parts(measured)).toEqual([]);
});
