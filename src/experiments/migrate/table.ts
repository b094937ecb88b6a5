import { formatSize, NR_MAX_BATCHED_MIGRATION, PAGE_SIZE } from 'mtcopy';
import { type SettingColumn, type SettingColumns, splitSettings } from '../shared/columns.js';
import { loopText, migratorText, PHASES } from '../shared/labels.js';
import { barPicture, sparkPicture } from '../shared/picture.js';
import type { Part, Sheet } from '../shared/sheet.js';
import type { MigrateMeasurement } from './measure.js';

const BAR_WIDTH = 12;

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
  {
    head: 'batch',
    of: (row) => `${row.batchLimit} ${row.batchUnit}`,
    phrase: (text) => (text === `${NR_MAX_BATCHED_MIGRATION} pages` ? '' : `batches of ${text}`),
  },
  { head: 'stores', of: (row) => row.stores ?? '', phrase: (text) => (text === '' ? '' : `stores ${text}`) },
];

/** What copied; with how it set batches up, where that is not what is usual. */
function copierText(row: MigrateMeasurement): string {
  return row.dmaSetup === 'per-folio' ? `${migratorText(row)} ${row.dmaSetup}` : migratorText(row);
}

/** Below phases, where several batches were in flight. */
export const PHASES_OVERLAP =
  'With several batches in flight phases overlap, and come to more than the time that passed.';
const EXPLANATION = `GB/s: 10^9 bytes migrated a second. F: the fraction of the phases that is copying.
CPU time: the calling thread's, the copy threads' or channels', and the calling thread's for DMA.
Every run was verified: each page is on its node, and all bytes are what they were.`;

/**
 * The measurements, one at least, as a heading and three tables: how fast, where the time went, and whose CPU time.
 *
 * @param what moved in every run, for the heading
 */
export function migrateParts(rows: readonly MigrateMeasurement[], what: string): Part[] {
  const settings = splitSettings(what, SETTINGS, rows);
  const hasDma = rows.some(({ migrator }) => migrator === 'dcbm');
  return [
    settings.heading,
    throughputSheet(rows, settings),
    'Nanoseconds for each 4 KiB page of the median run, by phase:',
    phasesSheet(rows, settings),
    `CPU nanoseconds for each 4 KiB page, by whom${hasDma ? ', and the steps of DMA copies' : ''}:`,
    costSheet(rows, settings, hasDma ? DMA_STEPS : []),
    ...partlyText(rows, settings),
    ...(rows.some(({ batchesInFlight }) => batchesInFlight > 1) ? [PHASES_OVERLAP] : []),
    loopText(rows),
    EXPLANATION,
  ];
}

/** A line for each row whose migrator has moved less than everything: the calling thread has copied the rest. */
function partlyText(rows: readonly MigrateMeasurement[], { heads }: Settings): string[] {
  const differing = SETTINGS.filter(({ head }) => heads.includes(head));
  return rows.flatMap((row) => {
    const own = ownShare(row);
    if (own === 1) return [];
    const which = differing.map(({ of, phrase }) => phrase(of(row))).filter((text) => text !== '');
    const name = which.length > 0 ? which.join(', ') : copierText(row);
    const declined = row.declined > 0 ? `; it declined ${row.declined} batches` : '';
    // Rounded down: what is less than everything is not 100 %.
    return [`By ${row.migrator} ${Math.floor(100 * own)} %, the rest by the calling thread${declined}: ${name}.`];
  });
}

/** The part of all bytes that the migrator itself has copied: the calling thread has copied the rest. */
export function ownShare({ migrator, movedBy }: MigrateMeasurement): number {
  const sum = (list: MigrateMeasurement['movedBy']) => list.reduce((bytes, one) => bytes + one.bytes, 0);
  return sum(movedBy.filter((one) => one.migrator === migrator)) / sum(movedBy);
}

type Settings = SettingColumns<MigrateMeasurement>;

function throughputSheet(rows: readonly MigrateMeasurement[], settings: Settings): Sheet {
  const full = Math.max(...rows.map((row) => row.gbps.best));
  return {
    texts: settings.heads,
    numbers: ['GB/s', 'best', 'ns a page'],
    pictures: ['median', 'each run'],
    rows: rows.map((row) => {
      const { best, median } = row.gbps;
      const speeds = row.samplesNs.map((ns) => bytesOf(row) / ns);
      return [
        ...settings.of(row),
        median.toFixed(1),
        best.toFixed(1),
        nanoseconds(row.nsPerPage),
        barPicture(median, full, BAR_WIDTH),
        sparkPicture(speeds, full),
      ];
    }),
  };
}

function phasesSheet(rows: readonly MigrateMeasurement[], settings: Settings): Sheet {
  return {
    texts: settings.heads,
    numbers: [...PHASES.map(({ head }) => head), 'F'],
    rows: rows.map((row) => {
      const pages = bytesOf(row) / PAGE_SIZE;
      const phases = PHASES.map(({ name }) => nanoseconds(row.phasesNs[name] / pages));
      return [...settings.of(row), ...phases, row.fractionCopy.toFixed(2)];
    }),
  };
}

const CPU_TIMES = ['caller', 'threads', 'dma'] as const;
const DMA_STEPS = ['map', 'submit', 'wait', 'unmap'] as const;

function costSheet(
  rows: readonly MigrateMeasurement[],
  settings: Settings,
  steps: readonly (typeof DMA_STEPS)[number][],
): Sheet {
  return {
    texts: settings.heads,
    numbers: [...CPU_TIMES, ...steps],
    rows: rows.map((row) => {
      const pages = bytesOf(row) / PAGE_SIZE;
      const times = [...CPU_TIMES.map((name) => row.cpuNs[name]), ...steps.map((name) => row.dmaNs[name])];
      return [...settings.of(row), ...times.map((ns) => nanoseconds(ns / pages))];
    }),
  };
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
