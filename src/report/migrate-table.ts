import Table from 'cli-table3';
import sparkly from 'sparkly';
import type { MigrateMeasurement } from '../experiments/migrate-sweep.js';
import { formatSize, PAGE_SIZE } from '../units.js';
import { bar } from './bar.js';
import { migratorText, PHASES } from './phases.js';

const BAR_WIDTH = 12;

/** The columns that tell combinations apart; one in which all rows agree goes to the heading instead. */
const SETTINGS: readonly { head: string; of: (row: MigrateMeasurement) => string; phrase: (text: string) => string }[] =
  [
    { head: 'folio', of: (row) => formatSize(row.folioBytes), phrase: (text) => `folios of ${text}` },
    { head: 'order', of: (row) => row.order, phrase: (text) => text },
    { head: 'flow', of: (row) => row.flow, phrase: (text) => `flow ${text}` },
    { head: 'migrator', of: migratorText, phrase: (text) => `migrator ${text}` },
    {
      head: 'in\nflight',
      of: (row) => String(row.batchesInFlight),
      phrase: (text) => (text === '1' ? '' : `${text} batches in flight`),
    },
  ];

const EXPLANATION = `GB/s: 10^9 bytes migrated a second. F: the fraction of the phases that is copying.
Every run was verified: each page is on its node, and all bytes have the SHA-256 that they had.`;

/**
 * The measurements as a heading and two tables for a terminal: how fast, and where the time went.
 *
 * @param what moved in every run, for the heading
 */
export function migrateTable(rows: readonly MigrateMeasurement[], what: string): string {
  const varying = SETTINGS.filter(({ of }) => new Set(rows.map(of)).size > 1);
  const common = SETTINGS.filter((setting) => !varying.includes(setting));
  const first = rows[0];
  const phrases = common.map(({ of, phrase }) => phrase(of(first)));
  const heading = [what, ...phrases.filter((phrase) => phrase !== '')].join(', ');
  const settings = {
    heads: varying.map(({ head }) => head),
    of: (row: MigrateMeasurement) => varying.map(({ of }) => of(row)),
  };
  return [
    heading,
    throughputTable(rows, settings),
    'Nanoseconds for each 4 KiB page, by phase:',
    phasesTable(rows, settings),
    EXPLANATION,
  ].join('\n');
}

/** The columns that both tables begin with. */
interface Settings {
  readonly heads: string[];
  readonly of: (row: MigrateMeasurement) => string[];
}

function throughputTable(rows: readonly MigrateMeasurement[], settings: Settings): string {
  const full = Math.max(...rows.map((row) => row.gbps.best));
  const table = createTable(settings, ['GB/s', 'best', 'ns a page'], ['median', 'each run']);
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
  const table = createTable(settings, [...PHASES.map(({ head }) => head), 'F'], []);
  for (const row of rows) {
    const pages = bytesOf(row) / PAGE_SIZE;
    const phases = PHASES.map(({ name }) => nanoseconds(row.phasesNs[name] / pages));
    table.push([...settings.of(row), ...phases, row.fractionCopy.toFixed(2)]);
  }
  return table.toString();
}

function createTable({ heads }: Settings, numbers: string[], pictures: string[]): Table.Table {
  return new Table({
    head: [...heads, ...numbers, ...pictures],
    colAligns: [...heads.map(() => 'left' as const), ...numbers.map(() => 'right' as const)],
    style: { compact: true, head: [], border: [] },
  });
}

/** Three digits are enough to compare, and small folios' phases have no more. */
function nanoseconds(ns: number): string {
  return ns < 10 ? ns.toFixed(1) : ns.toFixed(0);
}

function bytesOf({ folios, folioBytes }: MigrateMeasurement): number {
  return folios * folioBytes;
}
