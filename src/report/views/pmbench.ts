import { migratorText, type PmbenchMeasurement, pmbenchParts } from 'mtcopy/experiments';
import type { Chart, Series, SeriesChart } from '../model/chart.js';
import { durationText } from '../model/figures.js';
import type { Section } from '../model/section.js';
import type { PmbenchResult } from '../read/result.js';
import type { Source } from '../read/source.js';
import { blockOf } from './blocks.js';
import { axisFor, distinct, joined, ofSource, point, varying } from './charts.js';
import { perPage, phasesChart } from './phases.js';

type Row = PmbenchMeasurement;
type Sources = readonly Source<PmbenchResult>[];

/** A row, with the name of its file where there are several. */
interface Named {
  readonly file: string;
  readonly row: Row;
}

export function pmbenchSection(sources: Sources): Section {
  const all = sources.flatMap((source) =>
    source.result.results.map((row) => ({ file: ofSource(source, sources), row })),
  );
  const charts = [
    interruptsChart(all),
    pagesChart(all),
    timeChart(all),
    latencyChart(all, ACCESSES),
    latencyChart(all, FLUSHES),
  ];
  return {
    title: 'mtcopy pmbench',
    intro: 'CPUs load and store while their pages are migrated between two nodes.',
    charts: all.length === 0 ? [] : [...charts, ...waitsCharts(all)],
    blocks: sources.map((source) =>
      blockOf(source, sources, ({ results, comparison }) => pmbenchParts(results, comparison)),
    ),
  };
}

/** A series for each file, over the flows. */
function byFlow(
  all: readonly Named[],
  of: (row: Row) => Series['points'][number],
): Pick<SeriesChart, 'categories' | 'series'> {
  const flows = distinct(all.map(({ row }) => row.flow));
  const series = distinct(all.map(({ file }) => file)).map((file, colour) => ({
    name: `${file}${migratorText(all.find((one) => one.file === file)?.row as Row)}`,
    colour,
    points: flows.map((flow) => {
      const found = all.find((one) => one.file === file && one.row.flow === flow);
      return found && of(found.row);
    }),
  }));
  return { categories: { name: 'flow', labels: flows }, series };
}

function interruptsChart(all: readonly Named[]): SeriesChart {
  return {
    kind: 'bars',
    title: 'Interrupts for each migrated page, by flow',
    caption: 'TLB-flush interrupts that all CPUs received, by pages migrated: of the whole measurement.',
    values: { name: 'interrupts a page' },
    ...byFlow(all, ({ ipisPerPage }) => point(ipisPerPage)),
  };
}

function pagesChart(all: readonly Named[]): SeriesChart {
  const shown = byFlow(all, ({ pagesMigratedPerSecond, samples }) => {
    const each = samples.map((sample) => sample.pagesMigratedPerSecond);
    return point(pagesMigratedPerSecond, Math.min(...each), Math.max(...each));
  });
  return {
    kind: 'dots',
    title: 'Pages migrated a second, by flow',
    caption: 'Pages of 4 KiB a second over all runs; the strokes reach from the slowest run to the fastest.',
    values: axisFor('pages a second', shown.series),
    ...shown,
  };
}

function timeChart(all: readonly Named[]): Chart {
  const rows = all.map(({ file, row }) => {
    const pageNs = perPage(row.phasesNs, row.pagesMigrated);
    const inPhases = Object.values(pageNs).reduce((sum, ns) => sum + ns, 0);
    return { label: `${file}${row.flow}`, pageNs, elseNs: (row.seconds * 1e9) / row.pagesMigrated - inPhases };
  });
  return phasesChart('Where the time of a migrated page went, by flow', 'Else: time in no phase.', rows);
}

/** Latencies of which the JSON has quantiles. */
interface Latency {
  readonly title: string;
  readonly caption: string;
  readonly of: (row: Row) => Readonly<Record<string, number>>;
}
const ACCESSES: Latency = {
  title: 'Latency of loads and stores, by quantile',
  caption: 'From the end of an access to the end of the next, of those that were timed.',
  of: ({ accessNs: { p50, p90, p99, p999, max } }) => ({
    median: p50,
    '90%': p90,
    '99%': p99,
    '99.9%': p999,
    longest: max,
  }),
};
const FLUSHES: Latency = {
  title: 'Time of a TLB flush, by quantile',
  caption: 'From the first interrupt to the last answer.',
  of: ({ tlbFlushNs: { p50, p90, p99, max } }) => ({ median: p50, '90%': p90, '99%': p99, longest: max }),
};

function latencyChart(all: readonly Named[], { title, caption, of }: Latency): SeriesChart {
  const labels = Object.keys(of(all[0].row));
  const name = namesOf(all);
  return {
    kind: 'lines',
    title,
    caption: `${caption} Microseconds on a logarithmic scale; a line for each flow.`,
    categories: { name: 'quantile', labels },
    values: { name: 'µs', isLog: true },
    series: all.map((one, colour) => ({
      name: name(one),
      colour,
      points: labels.map((label) => (of(one.row)[label] > 0 ? point(of(one.row)[label] / 1e3) : undefined)),
    })),
  };
}

function namesOf(all: readonly Named[]): (one: Named) => string {
  const others = varying(all, [({ row }) => migratorText(row)]);
  return (one) => `${one.file}${joined([one.row.flow, others(one)])}`;
}

/** A histogram for each file that has waits: how long CPUs waited at migration entries. */
function waitsCharts(all: readonly Named[]): SeriesChart[] {
  return distinct(all.map(({ file }) => file)).flatMap((file) => {
    const own = all.filter((one) => one.file === file && one.row.migrationWaits.buckets.length > 0);
    if (own.length === 0) return [];
    const edges = edgesOf(own.flatMap(({ row }) => row.migrationWaits.buckets.map(({ fromNs }) => fromNs)));
    return [
      {
        kind: 'bars' as const,
        title: `${file}Waits of CPUs at migration entries`,
        caption:
          'How many accesses to a page on its way waited so long: each bar is of the waits from its figure to twice that.',
        categories: { name: 'waited, from', labels: edges.map(durationText) },
        values: { name: 'waits' },
        series: own.map(({ row }, colour) => ({
          name: row.flow,
          colour,
          points: edges.map((edge) => point(row.migrationWaits.buckets.find(({ fromNs }) => fromNs === edge)?.count)),
        })),
      },
    ];
  });
}

/** Powers of two from the least to the most, without gaps. */
function edgesOf(some: readonly number[]): number[] {
  const known = some.filter((ns) => ns > 0);
  const edges = some.includes(0) ? [0] : [];
  for (let edge = Math.min(...known); edge <= Math.max(...known); edge *= 2) edges.push(edge);
  return edges;
}
