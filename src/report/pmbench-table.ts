import Table from 'cli-table3';
import type { FlowChange, PmbenchMeasurement } from '../experiments/pmbench-flows.js';
import type { Phases } from '../migrate/stats.js';
import { formatSize } from '../units.js';
import { bar } from './bar.js';

const BAR_WIDTH = 40;
const PHASES: readonly (keyof Phases)[] = ['isolate', 'unmap', 'flush', 'copy', 'move', 'putBack'];
const STYLE = { compact: true, head: [], border: [] };

/** What was measured, and what the published work reports. */
interface Comparison {
  readonly measured: FlowChange;
  readonly published: FlowChange;
}

/** The measurements for a terminal: a table of the flows, where their time went, and how long CPUs waited. */
export function pmbenchTable(rows: readonly PmbenchMeasurement[], comparison: Comparison | undefined): string {
  const { cpus, pages, folioBytes, pattern, writeRatio, migrator } = rows[0] as PmbenchMeasurement;
  const heading =
    `${cpus} CPUs on ${pages} pages in folios of ${formatSize(folioBytes)}, ${pattern}, ` +
    `${percent(writeRatio)} stores, migrator ${migrator}`;
  return [
    heading,
    flowTable(rows),
    'Where the time of a migrated page went, in ns:',
    phaseTable(rows),
    ...rows.map(waits),
    ...(comparison ? [comparisonTable(comparison)] : []),
  ].join('\n');
}

function flowTable(rows: readonly PmbenchMeasurement[]): string {
  const table = new Table({
    head: ['flow', 'pages/s', 'IPIs', 'IPIs/page', 'flush µs', 'accesses/s', 'ns p50', 'p99', 'p99.9', 'max', 'lost'],
    colAligns: ['left', ...new Array<'right'>(10).fill('right')],
    style: STYLE,
  });
  for (const row of rows) {
    const { p50, p99, p999, max } = row.accessNs;
    table.push([
      row.flow,
      whole(row.pagesMigratedPerSecond),
      whole(row.ipis),
      row.ipisPerPage.toFixed(4),
      (row.tlbFlushNs.p50 / 1e3).toFixed(1),
      whole(row.accessesPerSecond),
      ...[p50, p99, p999, max].map(whole),
      row.lostUpdates,
    ]);
  }
  return `${table}`;
}

function phaseTable(rows: readonly PmbenchMeasurement[]): string {
  const table = new Table({
    head: ['flow', ...PHASES, 'else', 'F'],
    colAligns: ['left', ...new Array<'right'>(PHASES.length + 2).fill('right')],
    style: STYLE,
  });
  for (const { flow, phasesNs, pagesMigrated, seconds, fractionCopy } of rows) {
    const each = PHASES.map((phase) => phasesNs[phase] / pagesMigrated);
    const rest = (seconds * 1e9) / pagesMigrated - each.reduce((sum, ns) => sum + ns, 0);
    table.push([flow, ...each.map(whole), whole(rest), fractionCopy.toFixed(3)]);
  }
  return `${table}`;
}

/** How long CPUs waited at migration entries: a line for each power of two of nanoseconds. */
function waits({ flow, migrationWaits: { count, maxNs, buckets } }: PmbenchMeasurement): string {
  const full = Math.max(...buckets.map((bucket) => bucket.count));
  const lines = buckets.map(
    (bucket) =>
      `  from ${duration(bucket.fromNs).padStart(7)} ${whole(bucket.count).padStart(9)} ${bar(bucket.count, full, BAR_WIDTH)}`,
  );
  return [`Waits at migration entries with ${flow}: ${whole(count)}, the longest ${duration(maxNs)}`, ...lines].join(
    '\n',
  );
}

function comparisonTable({ measured, published }: Comparison): string {
  const table = new Table({
    head: ['vanilla against serial', 'measured', 'published'],
    colAligns: ['left', 'right', 'right'],
    style: STYLE,
  });
  for (const [name, of] of [
    ['IPIs a page', 'ipisPerPage'],
    ['pages migrated a second', 'pagesMigratedPerSecond'],
  ] as const) {
    table.push([name, signed(measured[of]), signed(published[of])]);
  }
  return `${table}\nPublished: "migrate_pages(): batch TLB flushing", 2022, with pmbench on a server with two sockets.`;
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
