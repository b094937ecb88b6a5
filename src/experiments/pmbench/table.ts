import { formatSize } from 'mtcopy';
import { max, min } from 'simple-statistics';
import { bar } from '../shared/bar.js';
import { createTable } from '../shared/create-table.js';
import { migratorText, PHASES } from '../shared/labels.js';
import type { FlowComparison, PmbenchMeasurement } from './measure.js';

const BAR_WIDTH = 40;

const EXPLANATION = `IPIs: interrupts to flush TLBs. flush µs: median, until the last CPU had answered.
lost: stores that memory doesn't have. else: time in no phase. F: the fraction that is copying.
A wait is that of an access to a page on its way, until it has arrived.`;

/** The measurements for a terminal: a table of the flows, the spread of their runs, where their time went, and CPUs' waits. */
export function pmbenchTable(rows: readonly PmbenchMeasurement[], comparison: FlowComparison | undefined): string {
  const first = rows[0];
  if (!first) return 'Nothing was measured.';
  const { cpus, pages, folioBytes, pattern, writeRatio } = first;
  const heading =
    `${plural(cpus, 'CPU')} on ${plural(pages, 'page')} in folios of ${formatSize(folioBytes)}, ${pattern}, ` +
    `${percent(writeRatio)} stores, migrator ${migratorText(first)}`;
  return [
    heading,
    mannerText(first),
    migrationTable(rows),
    'Accesses, and nanoseconds from the end of one to the end of the next:',
    accessTable(rows),
    'Where the time of a migrated page went, in ns:',
    phaseTable(rows),
    ...rows.map(waits),
    EXPLANATION,
    ...(comparison ? [comparisonTable(comparison)] : []),
  ].join('\n');
}

/** What moves the area, in which batches, and the runs that the tables are of. */
function mannerText({ call, batchLimit, batchUnit, samples, seed }: PmbenchMeasurement): string {
  const batches = `batches of ${batchLimit} ${batchLimit === 1 ? batchUnit.slice(0, -1) : batchUnit}`;
  return `Moved by ${call}(2), ${batches}; ${plural(samples.length, 'run')} of each, seed ${seed}`;
}

function migrationTable(rows: readonly PmbenchMeasurement[]): string {
  const table = createTable(['flow'], ['pages/s', 'runs: least', 'most', 'IPIs', 'IPIs/page', 'flush µs']);
  for (const row of rows) {
    const speeds = row.samples.map(({ pagesMigratedPerSecond }) => pagesMigratedPerSecond);
    table.push([
      row.flow,
      whole(row.pagesMigratedPerSecond),
      whole(min(speeds)),
      whole(max(speeds)),
      whole(row.ipis),
      row.ipisPerPage.toFixed(4),
      (row.tlbFlushNs.p50 / 1e3).toFixed(1),
    ]);
  }
  return `${table}`;
}

function accessTable(rows: readonly PmbenchMeasurement[]): string {
  const table = createTable(['flow'], ['accesses/s', 'median', 'p99', 'p99.9', 'max', 'lost']);
  for (const { flow, accessesPerSecond, accessNs, lostUpdates } of rows) {
    const { p50, p99, p999, max } = accessNs;
    table.push([flow, ...[accessesPerSecond, p50, p99, p999, max, lostUpdates].map(whole)]);
  }
  return `${table}`;
}

function phaseTable(rows: readonly PmbenchMeasurement[]): string {
  const table = createTable(['flow'], [...PHASES.map(({ head }) => head), 'else', 'F']);
  for (const { flow, phasesNs, pagesMigrated, seconds, fractionCopy } of rows) {
    const each = PHASES.map(({ name }) => phasesNs[name] / pagesMigrated);
    const rest = (seconds * 1e9) / pagesMigrated - each.reduce((sum, ns) => sum + ns, 0);
    table.push([flow, ...each.map(whole), whole(rest), fractionCopy.toFixed(3)]);
  }
  return `${table}`;
}

/** How long CPUs waited at migration entries: a line for each power of two of nanoseconds. */
function waits({ flow, migrationWaits: { count, maxNs, buckets } }: PmbenchMeasurement): string {
  const full = Math.max(...buckets.map((bucket) => bucket.count));
  const lines = buckets.map((bucket) =>
    `  from ${duration(bucket.fromNs).padStart(7)} ${whole(bucket.count).padStart(9)} ${bar(bucket.count, full, BAR_WIDTH)}`.trimEnd(),
  );
  return [`Waits at migration entries with ${flow}: ${whole(count)}, the longest ${duration(maxNs)}`, ...lines].join(
    '\n',
  );
}

function comparisonTable({ measured, published }: FlowComparison): string {
  const table = createTable(['vanilla against serial'], ['measured', 'published']);
  for (const [name, of] of [
    ['IPIs a page', 'ipisPerPage'],
    ['pages migrated a second', 'pagesMigratedPerSecond'],
  ] as const) {
    table.push([name, signed(measured[of]), signed(published[of])]);
  }
  return `${table}\nPublished: "migrate_pages(): batch TLB flushing", 2022, with pmbench on a server with two sockets.`;
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function percent(fraction: number): string {
  return `${Number((fraction * 100).toFixed(1))}%`;
}

function signed(change: number): string {
  return `${change > 0 ? '+' : ''}${(change * 100).toFixed(1)}%`;
}

/** Nanoseconds in a unit that leaves at most three digits before the point. */
function duration(ns: number): string {
  if (ns < 1e3) return `${ns} ns`;
  return ns < 1e6 ? `${(ns / 1e3).toFixed(0)} µs` : `${(ns / 1e6).toFixed(0)} ms`;
}
