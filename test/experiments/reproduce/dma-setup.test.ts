import { MiB } from 'mtcopy';
import { type DmaSetupRow, EXPERIMENTS, judge, type Ratio, textOf } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

const { 'dma-setup': dmaSetup } = EXPERIMENTS;
const SCALE = { quick: true, bytes: MiB, seconds: 0.01, bound: 1 };

const AMOUNTS = { bytes: 2 * MiB, usualBytes: 2 * MiB, folios: 512 };
const exactly = (median: number): Ratio => ({ median, low: median, high: median, confidence: 0.95, pairs: 6 });

function madeUp(setup: DmaSetupRow['setup'], setUpByBatch: number): DmaSetupRow {
  const times = { mapNs: 1, submitNs: 2, unmapNs: 3, setUpNs: 6, copyNs: 9 };
  const ratios = { setUpByBatch: exactly(setUpByBatch), copyByBatch: exactly(1) };
  return { iommu: 'translated', setup, runs: 6, ...times, ...ratios };
}

it('has both ways to set a batch up, with both IOMMUs, each beside one table a batch', async () => {
  const measured = await dmaSetup.measure(SCALE, {});
  expect(measured.folios).toBe(256);
  expect(measured.rows.map(({ iommu, setup }) => `${iommu} ${setup}`)).toEqual([
    ...['passthrough batch', 'passthrough per-folio'],
    ...['translated batch', 'translated per-folio'],
  ]);
  for (const row of measured.rows) {
    expect(row.runs).toBeGreaterThanOrEqual(6);
    for (const ns of [row.mapNs, row.submitNs, row.unmapNs]) expect(ns).toBeGreaterThan(0);
    expect(row.setUpNs).toBeLessThan(row.copyNs);
    if (row.setup === 'batch') expect(row.setUpByBatch.median).toBe(1);
  }
  expect(dmaSetup.findings(measured).map(({ what }) => what)).toEqual([
    'passthrough, set-up a folio by set-up a batch',
    'translated, set-up a folio by set-up a batch',
  ]);
  for (const line of textOf(dmaSetup.parts(measured)).split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
});

it('holds where a set-up a folio costs more, and says how near that comes to what is claimed', () => {
  const rows = [madeUp('batch', 1), madeUp('per-folio', 5)];
  expect(judge(dmaSetup.findings({ ...AMOUNTS, rows }))).toEqual({
    holds: true,
    says: 'Holds: 1 of 1 findings. Measured by claimed: 0.500.',
  });
  const cheaper = [madeUp('batch', 1), madeUp('per-folio', 0.5)];
  expect(judge(dmaSetup.findings({ ...AMOUNTS, rows: cheaper })).holds).toBe(false);
});

it('calls nothing published that was only claimed', () => {
  expect(dmaSetup.published).toEqual({});
  expect(dmaSetup.claimed).toMatchObject({ setUpAFolioByABatch: 10 });
  const measured = { ...AMOUNTS, rows: [madeUp('batch', 1), madeUp('per-folio', 0.5)] };
  const all = [dmaSetup.findings(measured), dmaSetup.figures(measured), judge(dmaSetup.findings(measured))];
  expect(JSON.stringify(all)).not.toContain('published');
  expect(dmaSetup.findings(measured)).toMatchObject([{ claimed: 10 }]);
  expect(dmaSetup.figures(measured).filter(({ claimed }) => claimed === 10)).toMatchObject([
    { variant: 'per-folio', measure: 'set-up by batch', value: 0.5 },
  ]);
  expect(judge(dmaSetup.findings(measured)).says).toContain('set-up a batch 0.500 [0.500, 0.500], claimed 10.0');
  expect(textOf(dmaSetup.parts(measured))).not.toContain('published');
});

it('ends with the rows that it has', async () => {
  const stop = new AbortController();
  const onProgress = ({ what }: { what: string }) => {
    if (what.startsWith('translated')) stop.abort();
  };
  const measured = await dmaSetup.measure(SCALE, { signal: stop.signal, onProgress });
  expect(measured.rows.map(({ iommu }) => iommu)).toEqual(['passthrough', 'passthrough']);
  expect(dmaSetup.findings(measured)).toHaveLength(1);
  expect(dmaSetup.parts({ ...AMOUNTS, rows: [] })).toEqual([]);
});
