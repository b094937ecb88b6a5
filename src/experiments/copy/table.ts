import { formatSize } from 'mtcopy';
import { type SettingColumn, splitSettings } from '../shared/columns.js';
import { scheduleText, threadsText } from '../shared/labels.js';
import { barPicture, sparkPicture } from '../shared/picture.js';
import type { Part } from '../shared/sheet.js';
import type { CopyMeasurement } from './measure.js';

const BAR_WIDTH = 20;

const SETTINGS: readonly SettingColumn<CopyMeasurement>[] = [
  { head: 'folio', of: (row) => formatSize(row.folioBytes), phrase: (text) => `folios of ${text}` },
  { head: 'frames', of: (row) => row.frames, phrase: (text) => text },
  { head: 'method', of: (row) => row.method, phrase: (text) => `method ${text}` },
  { head: 'schedule', of: scheduleText, phrase: (text) => `${text} schedule` },
];

const EXPLANATION = `GB/s: 10^9 bytes copied a second. Threads: workers, and +1 where the caller helps.
Every run was verified, byte by byte.`;

/** What `auto` came to, where it was asked for. A call is as large in every row. */
function autoText(rows: readonly CopyMeasurement[]): string {
  const row = rows.find(({ method }) => method === 'auto');
  if (!row) return '';
  return `\nMethod auto: ${row.copiedWith}${row.noStreaming === undefined ? '' : `, for ${row.noStreaming}`}.`;
}

/** The measurements, one at least, as a heading and a table. */
export function copyParts(rows: readonly CopyMeasurement[], total: number): Part[] {
  const settings = splitSettings(formatSize(total), SETTINGS, rows);
  const full = Math.max(...rows.map((row) => row.gbps.best));
  const sheet = {
    texts: [...settings.heads, 'threads'],
    numbers: ['GB/s', 'best'],
    pictures: ['median', 'each run'],
    rows: rows.map((row) => {
      const { best, median } = row.gbps;
      const speeds = row.samplesNs.map((ns) => total / ns);
      return [
        ...settings.of(row),
        threadsText(row),
        median.toFixed(1),
        best.toFixed(1),
        barPicture(median, full, BAR_WIDTH),
        sparkPicture(speeds, full),
      ];
    }),
  };
  return [settings.heading, sheet, EXPLANATION + autoText(rows)];
}
