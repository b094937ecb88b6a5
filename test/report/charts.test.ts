import { type Chart, type HeatChart, type SeriesChart, type StackChart, sectionsOf, tableOf } from 'mtcopy/report';
import { describe, expect, it } from 'vitest';
import { named, printed } from '../support/results.js';

/** Charts that a report of some files has, by their titles. */
function chartsOf(...results: Parameters<typeof sectionsOf>[0]): Map<string, Chart> {
  return new Map(sectionsOf(results).flatMap(({ charts }) => charts.map((chart) => [chart.title, chart])));
}

function get<C extends Chart>(charts: Map<string, Chart>, title: string): C {
  const chart = charts.get(title);
  if (!chart) throw new Error(`there is no ${title}, but ${[...charts.keys()].join('; ')}`);
  return chart as C;
}

const valuesOf = ({ series }: SeriesChart) => series.map(({ points }) => points.map((point) => point?.value));

describe('copies', () => {
  const { results } = printed('copy.json');
  const median = (folioBytes: number, threads: number) =>
    results.find((row: (typeof results)[0]) => row.folioBytes === folioBytes && row.threads === threads).gbps.median;

  it('have a line for each folio size, over threads, with quartiles as ranges', () => {
    const chart = get<SeriesChart>(chartsOf(named('copy.json')), 'Copy throughput by worker threads');
    expect(chart).toMatchObject({ kind: 'lines', categories: { labels: ['1', '2'] }, values: { name: 'GB/s' } });
    expect(chart.series.map(({ name }) => name)).toEqual(['4K', '64K', '2M']);
    expect(valuesOf(chart)).toEqual([4096, 65536, 2 ** 21].map((size) => [median(size, 1), median(size, 2)]));
    const { lowerQuartile, upperQuartile } = results[0].gbps;
    expect(chart.series[0].points[0]).toMatchObject({ low: lowerQuartile, high: upperQuartile });
  });

  it('have a map of folio size by threads', () => {
    const chart = get<HeatChart>(chartsOf(named('copy.json')), 'Copy throughput by folio size and worker threads');
    expect(chart.rows.labels).toEqual(['4K', '64K', '2M']);
    expect(chart.cells).toEqual([4096, 65536, 2 ** 21].map((size) => [median(size, 1), median(size, 2)]));
  });

  it('of one folio size or one number of threads have no map', () => {
    const few = named('copy.json', (result) => {
      result.results = result.results.filter(({ threads }: { threads: number }) => threads === 1);
    });
    expect([...chartsOf(few).keys()]).toEqual(['Copy throughput by worker threads']);
  });

  it('of two files are named by their letters, and have one scale', () => {
    const fast = named('copy.json', (result) => {
      for (const { gbps } of result.results) for (const name of Object.keys(gbps)) gbps[name] *= 10;
    });
    const charts = chartsOf(named('copy.json'), fast);
    const chart = get<SeriesChart>(charts, 'Copy throughput, folios of 4K');
    expect(chart.series.map(({ name }) => name)).toEqual(['A: AMD EPYC, 2 cores', 'B: AMD EPYC, 2 cores']);
    expect(valuesOf(chart)[1]).toEqual(valuesOf(chart)[0].map((value) => (value ?? 0) * 10));
    const ends = [...charts.values()].filter(({ kind }) => kind === 'lines').map(({ values }) => values.end);
    expect(new Set(ends).size).toBe(1);
    expect(ends[0]).toBeGreaterThan(
      Math.max(...results.map((row: (typeof results)[0]) => row.gbps.upperQuartile)) * 10,
    );
  });

  it('that were cut short before the first have no chart, and say so', () => {
    const [section] = sectionsOf([named('copy.json', (result) => result.results.splice(0))]);
    expect(section.charts).toEqual([]);
    expect(section.blocks[0].parts[0]).toContain('Nothing was measured');
  });
});

describe('migrations', () => {
  it('have phases a flow that add up to what was printed, by page', () => {
    const { results } = printed('migrate.json');
    const small = results.filter(({ folioBytes }: { folioBytes: number }) => folioBytes === 4096);
    const chart = get<StackChart>(chartsOf(named('migrate.json')), 'Phases of a migration, folios of 4K');
    expect(chart.categories.labels).toHaveLength(small.length);
    for (const [i, { phasesNs, folios }] of small.entries()) {
      const sum = chart.parts.reduce((total, { values }) => total + values[i], 0);
      const all = Object.values(phasesNs as Record<string, number>).reduce((total, ns) => total + ns, 0);
      expect(sum).toBeCloseTo(all / folios, 6);
    }
  });

  it('have a row for each migrator and a series for each flow', () => {
    const chart = get<SeriesChart>(chartsOf(named('migrate.json')), 'Migration throughput, folios of 2M');
    expect(chart.categories.labels).toEqual(['kernel', 'mtcopy×1', 'mtcopy×2']);
    expect(chart.series.map(({ name }) => name)).toEqual(['serial', 'vanilla', 'batch-move', 'pre-copy']);
  });
});

describe('pmbench', () => {
  const { results } = printed('pmbench.json');
  const charts = chartsOf(named('pmbench.json'));

  it('has interrupts before and after', () => {
    const chart = get<SeriesChart>(charts, 'Interrupts for each migrated page, by flow');
    expect(chart.categories.labels).toEqual(['serial', 'vanilla']);
    expect(valuesOf(chart)).toEqual([results.map(({ ipisPerPage }: { ipisPerPage: number }) => ipisPerPage)]);
  });

  it('has a histogram whose bars are all waits that were counted', () => {
    const chart = get<SeriesChart>(charts, 'Waits of CPUs at migration entries');
    const sums = valuesOf(chart).map((values) => values.reduce<number>((sum, value) => sum + (value ?? 0), 0));
    expect(sums).toEqual(results.map((row: (typeof results)[0]) => row.migrationWaits.count));
  });

  it('shows shares of the time where a flow is many times as slow as another', () => {
    const chart = get<StackChart>(charts, 'Where the time of a migrated page went, by flow');
    expect(chart.values).toEqual({ name: '% of its time', end: 100 });
    for (const i of [0, 1]) {
      expect(chart.parts.reduce((sum, { values }) => sum + values[i], 0)).toBeCloseTo(100, 6);
    }
  });

  it('has quantiles in microseconds', () => {
    const chart = get<SeriesChart>(charts, 'Latency of loads and stores, by quantile');
    expect(valuesOf(chart)[0][0]).toBe(results[0].accessNs.p50 / 1e3);
    expect(chart.categories.labels).toEqual(['median', '90%', '99%', '99.9%', 'longest']);
  });
});

describe('published tables', () => {
  it('have each finding beside what was published', () => {
    const [table] = printed('reproduce-cycles-per-page.json').tables;
    const charts = chartsOf(named('reproduce-cycles-per-page.json'));
    for (const [kind, title] of [
      ['share', 'Published and measured shares: cycles-per-page'],
      ['ratio', 'Published and measured ratios: cycles-per-page'],
    ]) {
      const findings = table.findings.filter((finding: { kind: string }) => finding.kind === kind);
      const [measured, published] = get<SeriesChart>(charts, title).series;
      expect(measured.points).toMatchObject(
        findings.map(({ measured: { median, low, high } }: (typeof findings)[0]) => ({ value: median, low, high })),
      );
      expect(published.points.map((point) => point?.value)).toEqual(
        findings.map((finding: { published: number }) => finding.published),
      );
      expect(published.isPublished).toBe(true);
    }
  });

  it('say what failed, what was not begun, and where the time was over first', () => {
    const file = named('reproduce-dma-setup.json', (result) => {
      result.failed.push({ name: 'tlb', message: 'ENOMEM: no room' });
      result.notBegun.push('flows');
      for (const turns of result.tables[0].turns) turns.ended = 'time';
    });
    const [table, missing] = sectionsOf([file]);
    expect(table.blocks[0].parts.at(-1)).toMatch(/^The 12 s for this table were over before/);
    expect(missing).toMatchObject({
      charts: [],
      blocks: [{ parts: ['tlb failed: ENOMEM: no room', 'Not begun: flows.'] }],
    });
    expect(sectionsOf([named('reproduce-dma-setup.json')])).toHaveLength(1);
  });

  it('call what was claimed without a figure claimed', () => {
    const [{ charts }] = sectionsOf([named('reproduce-dma-setup.json')]);
    const claims = charts.at(-1) as SeriesChart;
    expect(claims.title).toBe('Claimed and measured ratios: dma-setup');
    const { findings } = printed('reproduce-dma-setup.json').tables[0];
    expect(claims.series[1]).toMatchObject({
      name: 'claimed',
      points: findings.map(({ claimed }: { claimed: number }) => ({ value: claimed })),
    });
  });

  it('keep apart what was published and what was claimed, of a table that has both', () => {
    const both = named('reproduce-dma-setup.json', ({ tables: [{ findings }] }) => {
      const [{ claimed, ...finding }] = findings;
      findings[0] = { ...finding, published: claimed };
    });
    const chart = get<SeriesChart>(chartsOf(both), 'Published, claimed and measured ratios: dma-setup');
    expect(chart.series.slice(1)).toMatchObject([
      { name: 'published', points: [{ value: 10 }, undefined] },
      { name: 'claimed', points: [undefined, { value: 10 }] },
    ]);
  });

  it('have an interval only where there were enough runs for it', () => {
    const unsure = named('reproduce-tlb.json', ({ tables: [{ findings }] }) => {
      findings[0].measured.confidence = 0.8;
    });
    const chart = get<SeriesChart>(chartsOf(unsure), 'Published and measured ratios: tlb');
    expect(chart.series[0].points[0]).not.toHaveProperty('low');
    expect(chart.series[0].points[1]).toHaveProperty('low');
  });

  it('have the published curve as ratios to its own baseline', () => {
    const chart = get<SeriesChart>(
      chartsOf(named('reproduce-folio-size.json')),
      'Speed against the baseline, folios of 2M',
    );
    const published = chart.series.find(({ name }) => name === 'mtcopy, published');
    // 17.8 GB/s with 2 threads, where the baseline has 10.67.
    expect(published?.points[1]?.value).toBeCloseTo(17.8 / 10.67, 9);
    expect(published?.points).toHaveLength(6);
    const here = chart.series.find(({ name }) => name === 'mtcopy');
    expect(here?.points.filter((point) => point)).toHaveLength(2);
  });

  it('have predicted beside measured speed-ups', () => {
    const { rows } = printed('reproduce-overheads.json').tables[0].measured;
    const chart = get<SeriesChart>(
      chartsOf(named('reproduce-overheads.json')),
      'Predicted and measured speed-up of move_pages()',
    );
    const [measured, predicted] = valuesOf(chart);
    expect(measured).toEqual(rows.map((row: (typeof rows)[0]) => row.measured.median));
    expect(predicted).toEqual(rows.map((row: (typeof rows)[0]) => row.predicted));
  });
});

it('each chart of each command has every one of its figures in its table', () => {
  const all = ['copy', 'migrate', 'pmbench', 'tune', 'reproduce-breakdown', 'reproduce-flows', 'reproduce-contention'];
  const charts = sectionsOf(all.map((name) => named(`${name}.json`))).flatMap((section) => section.charts);
  expect(charts.length).toBeGreaterThan(20);
  for (const chart of charts) {
    const { heads, rows } = tableOf(chart);
    for (const row of rows) expect(row).toHaveLength(heads.length);
    const figures = rows.flatMap((row) => row.slice(1)).filter((text) => text !== '').length;
    // The sum of a bar's parts is one more.
    expect({ title: chart.title, figures }).toEqual({ title: chart.title, figures: countFigures(chart) });
    expect(new Set(rows.map(([name]) => name)).size).toBe(rows.length);
  }
});

function countFigures(chart: Chart): number {
  if (chart.kind === 'heat') return chart.cells.flat().filter((cell) => cell !== undefined).length;
  if (chart.kind === 'stack') return chart.categories.labels.length * (chart.parts.length + 1);
  return chart.series.flatMap(({ points }) => points).filter((point) => point).length;
}
