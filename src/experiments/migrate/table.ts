import { formatSize, PAGE_SIZE } from 'mtcopy';
import sparkly from 'sparkly';
import { bar } from '../shared/bar.js';
import { type SettingColumn, type SettingColumns, splitSettings } from '../shared/columns.js';
import { createTable } from '../shared/create-table.js';
import { migratorText, PHASES } from '../shared/labels.js';
import type { MigrateMeasurement } from './measure.js';

const BAR_WIDTH = 12;
/** Columns of a terminal. */
const WIDTH = 100;

const SETTINGS: readonly SettingColumn<MigrateMeasurement>[] = [
  { head: 'folio', of: (row) => formatSize(row.folioBytes), phrase: (text) => `folios of ${text}` },
  { head: 'frames', of: (row) => row.frames, phrase: (text) => text },
  { head: 'flow', of: (row) => row.flow, phrase: (text) => `flow ${text}` },
  { head: 'migrator', of: copierText, phrase: (text) => `migrator ${text}` },
  {
    head: 'in\nflight',
    of: (row) => String(row.batchesInFlight),
    phrase: (text) => (text === '1' ? '' : `${text} batches in flight`),
  },
];

/** What copied; with how it set batches up, where that is not what is usual. */
function copierText(row: MigrateMeasurement): string {
  return row.dmaSetup === 'per-folio' ? `${migratorText(row)} ${row.dmaSetup}` : migratorText(row);
}

const EXPLANATION = `GB/s: 10^9 bytes migrated a second. F: the fraction of the phases that is copying.
CPU time: the calling thread's, the copy threads' or channels', and the calling thread's for DMA.
Every run was verified: each page is on its node, and all bytes have the SHA-256 that they had.`;

/**
 * The measurements as a heading and three tables for a terminal: how fast, where the time went, and whose CPU time. Rows that
 * more settings tell apart than there is room for get numbers, and a table that says what those are.
 *
 * @param what moved in every run, for the heading
 */
export function migrateTable(rows: readonly MigrateMeasurement[], what: string): string {
  const settings = splitSettings(what, SETTINGS, rows);
  const named = tables(rows, settings);
  const fits = named.split('\n').every((line) => line.length <= WIDTH);
  const text = fits ? named : `${settingsTable(rows, settings)}\n${tables(rows, numbered(rows, settings))}`;
  return [settings.heading, text, ...partlyText(rows), EXPLANATION].join('\n');
}

/** A line for each row whose migrator has moved less than everything: the calling thread has copied the rest. */
function partlyText(rows: readonly MigrateMeasurement[]): string[] {
  return rows.flatMap((row, i) => {
    const sum = (list: MigrateMeasurement['movedBy']) => list.reduce((bytes, one) => bytes + one.bytes, 0);
    const all = sum(row.movedBy);
    const own = sum(row.movedBy.filter(({ migrator }) => migrator === row.migrator));
    if (own === all) return [];
    const declined = row.declined > 0 ? `; it declined ${row.declined} batches` : '';
    // Rounded down: what is less than everything is not 100 %.
    return [
      `Row ${i + 1}, ${copierText(row)}: ${Math.floor((100 * own) / all)} % by ${row.migrator}, the rest by the calling thread${declined}.`,
    ];
  });
}

type Settings = SettingColumns<MigrateMeasurement>;

/** Numbers in the place of what varies. */
function numbered(rows: readonly MigrateMeasurement[], settings: Settings): Settings {
  return { ...settings, heads: ['#'], of: (row) => [String(rows.indexOf(row) + 1)] };
}

function settingsTable(rows: readonly MigrateMeasurement[], settings: Settings): string {
  const table = createTable(['#', ...settings.heads], []);
  for (const [i, row] of rows.entries()) table.push([String(i + 1), ...settings.of(row)]);
  return table.toString();
}

function tables(rows: readonly MigrateMeasurement[], settings: Settings): string {
  const hasDma = rows.some(({ migrator }) => migrator === 'dcbm');
  return [
    throughputTable(rows, settings),
    'Nanoseconds for each 4 KiB page, by phase:',
    phasesTable(rows, settings),
    `CPU nanoseconds for each 4 KiB page, by whom${hasDma ? ', and the steps of DMA copies' : ''}:`,
    costTable(rows, settings, hasDma ? DMA_STEPS : []),
  ].join('\n');
}

function throughputTable(rows: readonly MigrateMeasurement[], settings: Settings): string {
  const full = Math.max(...rows.map((row) => row.gbps.best));
  const table = createTable(settings.heads, ['GB/s', 'best', 'ns a page'], ['median', 'each run']);
  for (const row of rows) {
    const { best, median } = row.gbps;
    table.push([
      ...settings.of(row),
      median.toFixed(1),
      best.toFixed(1),
      nanoseconds(row.nsPerPage),
      bar(median, full, BAR_WIDTH).padEnd(BAR_WIDTH),
      sparkly(
        row.samplesNs.map((ns) => bytesOf(row) / ns),
        { minimum: 0, maximum: full },
      ),
    ]);
  }
  return table.toString();
}

function phasesTable(rows: readonly MigrateMeasurement[], settings: Settings): string {
  const table = createTable(settings.heads, [...PHASES.map(({ head }) => head), 'F']);
  for (const row of rows) {
    const pages = bytesOf(row) / PAGE_SIZE;
    const phases = PHASES.map(({ name }) => nanoseconds(row.phasesNs[name] / pages));
    table.push([...settings.of(row), ...phases, row.fractionCopy.toFixed(2)]);
  }
  return table.toString();
}

const CPU_TIMES = ['caller', 'threads', 'dma'] as const;
const DMA_STEPS = ['map', 'submit', 'wait', 'unmap'] as const;

function costTable(
  rows: readonly MigrateMeasurement[],
  settings: Settings,
  steps: readonly (typeof DMA_STEPS)[number][],
): string {
  const table = createTable(settings.heads, [...CPU_TIMES, ...steps]);
  for (const row of rows) {
    const pages = bytesOf(row) / PAGE_SIZE;
    const times = [...CPU_TIMES.map((name) => row.cpuNs[name]), ...steps.map((name) => row.dmaNs[name])];
    table.push([...settings.of(row), ...times.map((ns) => nanoseconds(ns / pages))]);
  }
  return table.toString();
}

/** Three digits are enough to compare, and small folios' phases have no more; of a host that is overloaded thousands do. */
function nanoseconds(ns: number): string {
  if (ns >= 999_500) return `${(ns / 1e6).toFixed(0)}M`;
  if (ns >= 9999.5) return `${(ns / 1000).toFixed(0)}k`;
  return ns < 10 ? ns.toFixed(1) : ns.toFixed(0);
}

function bytesOf({ folios, folioBytes }: MigrateMeasurement): number {
  return folios * folioBytes;
}
