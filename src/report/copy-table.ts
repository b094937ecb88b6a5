import Table from 'cli-table3';
import sparkly from 'sparkly';
import type { CopyMeasurement } from '../experiments/copy-sweep.js';
import { formatSize } from '../units.js';
import { bar } from './bar.js';

const BAR_WIDTH = 20;

/** The columns that tell combinations apart; one in which all rows agree goes to the heading instead. */
const SETTINGS: readonly { head: string; of: (row: CopyMeasurement) => string; phrase: (text: string) => string }[] = [
  { head: 'folio', of: (row) => formatSize(row.folioBytes), phrase: (text) => `folios of ${text}` },
  { head: 'order', of: (row) => row.order, phrase: (text) => text },
  { head: 'kernel', of: (row) => row.kernel, phrase: (text) => `kernel ${text}` },
  { head: 'schedule', of: (row) => row.schedule, phrase: (text) => `${text} schedule` },
  { head: 'caller', of: (row) => row.caller, phrase: (text) => `caller ${text}` },
];

/** The measurements as a heading and a table for a terminal. */
export function copyTable(rows: readonly CopyMeasurement[], total: number): string {
  const varying = SETTINGS.filter(({ of }) => new Set(rows.map(of)).size > 1);
  const common = SETTINGS.filter((setting) => !varying.includes(setting));
  const first = rows[0];
  const heading = [formatSize(total), ...common.map(({ of, phrase }) => phrase(of(first)))].join(', ');
  const full = Math.max(...rows.map((row) => row.gbps.best));
  const table = new Table({
    head: [...varying.map(({ head }) => head), 'threads', 'GB/s', 'best', 'median', 'each run'],
    colAligns: [...varying.map(() => 'left' as const), 'right', 'right', 'right', 'left', 'left'],
    style: { compact: true, head: [], border: [] },
  });
  for (const row of rows) {
    const { best, median } = row.gbps;
    const speeds = row.samplesNs.map((ns) => total / ns);
    table.push([
      ...varying.map(({ of }) => of(row)),
      row.threads,
      median.toFixed(1),
      best.toFixed(1),
      bar(median, full, BAR_WIDTH).padEnd(BAR_WIDTH),
      sparkly(speeds, { minimum: 0, maximum: full }),
    ]);
  }
  return `${heading}\n${table}\nGB/s: 10^9 bytes copied a second. Every run was verified, byte by byte.`;
}
