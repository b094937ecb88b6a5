import { formatSize } from 'mtcopy';
import sparkly from 'sparkly';
import { bar } from '../shared/bar.js';
import { type SettingColumn, splitSettings } from '../shared/columns.js';
import { createTable } from '../shared/create-table.js';
import { threadsText } from '../shared/labels.js';
import type { CopyMeasurement } from './measure.js';

const BAR_WIDTH = 20;

const SETTINGS: readonly SettingColumn<CopyMeasurement>[] = [
  { head: 'folio', of: (row) => formatSize(row.folioBytes), phrase: (text) => `folios of ${text}` },
  { head: 'frames', of: (row) => row.frames, phrase: (text) => text },
  { head: 'method', of: (row) => row.method, phrase: (text) => `method ${text}` },
  { head: 'schedule', of: (row) => row.schedule, phrase: (text) => `${text} schedule` },
];

const EXPLANATION = `GB/s: 10^9 bytes copied a second. Threads: workers, and +1 where the caller helps.
Every run was verified, byte by byte.`;

/** The measurements as a heading and a table for a terminal. */
export function copyTable(rows: readonly CopyMeasurement[], total: number): string {
  const settings = splitSettings(formatSize(total), SETTINGS, rows);
  const full = Math.max(...rows.map((row) => row.gbps.best));
  const table = createTable(settings.heads, ['threads', 'GB/s', 'best'], ['median', 'each run']);
  for (const row of rows) {
    const { best, median } = row.gbps;
    const speeds = row.samplesNs.map((ns) => total / ns);
    table.push([
      ...settings.of(row),
      threadsText(row),
      median.toFixed(1),
      best.toFixed(1),
      bar(median, full, BAR_WIDTH).padEnd(BAR_WIDTH),
      sparkly(speeds, { minimum: 0, maximum: full }),
    ]);
  }
  return `${settings.heading}\n${table}\n${EXPLANATION}`;
}
