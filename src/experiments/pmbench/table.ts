import { formatSize } from 'mtcopy';
import { max, min } from 'simple-statistics';
import { loopText, migratorText, PHASES } from '../shared/labels.js';
import { barPicture } from '../shared/picture.js';
import type { Part, Sheet } from '../shared/sheet.js';
import type { FlowComparison, PmbenchMeasurement } from './measure.js';

const BAR_WIDTH = 40;

const EXPLANATION = `IPIs: interrupts to flush TLBs. flush µs: median, until the last CPU had answered.
lost: stores that memory doesn't have. else: time in no phase. F: the fraction that is copying.
A wait is that of an access to a page on its way, until it has arrived.`;

/** The measurements, one at least: tables of the flows, where their time went, and how long CPUs waited. */
export function pmbenchParts(rows: readonly PmbenchMeasurement[], comparison: FlowComparison | undefined): Part[] {
  const first = rows[0];
  const { cpus, pages, folioBytes, pattern, writeRatio } = first;
  const heading =
    `${plural(cpus, 'CPU')} on ${plural(pages, 'page')} in folios of ${formatSize(folioBytes)}, ${pattern}, ` +
    `${percent(writeRatio)} stores, migrator ${migratorText(first)}`;
  return [
    heading,
    mannerText(first),
    loopText(rows.map(({ copyStores, ...row }) => ({ ...row, stores: copyStores }))),
    migrationSheet(rows),
    'Accesses, and nanoseconds from the end of one to the end of the next:',
    accessSheet(rows),
    'Where the time of a migrated page went, in ns:',
    phaseSheet(rows),
    ...rows.flatMap(waits),
    EXPLANATION,
    ...(comparison ? comparisonParts(comparison) : []),
  ];
}

/** What moves the area, in which batches, and the runs that the tables are of. */
function mannerText({ call, batchLimit, batchUnit, samples, seed }: PmbenchMeasurement): string {
  const batches = `batches of ${batchLimit} ${batchLimit === 1 ? batchUnit.slice(0, -1) : batchUnit}`;
  return `Moved by ${call}(2), ${batches}; ${plural(samples.length, 'run')} of each, seed ${seed}`;
}

/** Of each run, in pages a second. */
function speedsOf({ samples }: PmbenchMeasurement): number[] {
  return samples.map(({ pagesMigratedPerSecond }) => pagesMigratedPerSecond);
}

function migrationSheet(rows: readonly PmbenchMeasurement[]): Sheet {
  return {
    texts: ['flow'],
    numbers: ['pages/s', 'runs: least', 'most', 'IPIs', 'IPIs/page', 'flush µs'],
    rows: rows.map((row) => [
      row.flow,
      whole(row.pagesMigratedPerSecond),
      whole(min(speedsOf(row))),
      whole(max(speedsOf(row))),
      whole(row.ipis),
      row.ipisPerPage.toFixed(4),
      (row.tlbFlushNs.p50 / 1e3).toFixed(1),
    ]),
  };
}

function accessSheet(rows: readonly PmbenchMeasurement[]): Sheet {
  return {
    texts: ['flow'],
    numbers: ['accesses/s', 'median', 'p99', 'p99.9', 'max', 'lost'],
    rows: rows.map(({ flow, accessesPerSecond, accessNs: { p50, p99, p999, max }, lostUpdates }) => [
      flow,
      ...[accessesPerSecond, p50, p99, p999, max, lostUpdates].map(whole),
    ]),
  };
}

function phaseSheet(rows: readonly PmbenchMeasurement[]): Sheet {
  return {
    texts: ['flow'],
    numbers: [...PHASES.map(({ head }) => head), 'else', 'F'],
    rows: rows.map(({ flow, phasesNs, pagesMigrated, seconds, fractionCopy }) => {
      const each = PHASES.map(({ name }) => phasesNs[name] / pagesMigrated);
      const rest = (seconds * 1e9) / pagesMigrated - each.reduce((sum, ns) => sum + ns, 0);
      return [flow, ...each.map(whole), whole(rest), fractionCopy.toFixed(3)];
    }),
  };
}

/** How long CPUs waited at migration entries: a row for each power of two of nanoseconds. */
function waits({ flow, migrationWaits: { count, maxNs, buckets } }: PmbenchMeasurement): Part[] {
  const heading = `Waits at migration entries with ${flow}: ${whole(count)}, the longest ${duration(maxNs)}`;
  if (buckets.length === 0) return [heading];
  const full = Math.max(...buckets.map((bucket) => bucket.count));
  const rows = buckets.map((bucket) => [
    duration(bucket.fromNs),
    whole(bucket.count),
    barPicture(bucket.count, full, BAR_WIDTH),
  ]);
  return [heading, { texts: ['from'], numbers: ['waits'], pictures: [''], rows }];
}

function comparisonParts({ measured, published }: FlowComparison): Part[] {
  const rows = (
    [
      ['IPIs a page', 'ipisPerPage'],
      ['pages migrated a second', 'pagesMigratedPerSecond'],
    ] as const
  ).map(([name, of]) => [name, signed(measured[of]), signed(published[of])]);
  return [
    { texts: ['vanilla against serial'], numbers: ['measured', 'published'], rows },
    'Published: "migrate_pages(): batch TLB flushing", 2022, with pmbench on a server with two sockets.',
  ];
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
