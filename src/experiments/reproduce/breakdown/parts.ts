import { formatSize } from 'mtcopy';
import type { Part, Sheet } from '../../shared/sheet.js';
import { digits, estimateText } from '../finding.js';
import { type Amounts, lessText } from '../fit.js';
import { dsaBreakdown } from '../published.js';
import type { Accounting, EngineRow } from './engine.js';
import type { StepsRow } from './steps.js';

/** 4 KiB pages copied by an engine, and what migrations are made of. */
export interface Breakdown {
  /** What was moved for each of the two; not there if it was cut short before. */
  readonly amounts?: {
    /** Copied by the engine. */
    readonly throughput: Amounts;
    /** Migrated, step by step. */
    readonly steps: Amounts;
  };
  /** How fast 4 KiB pages are copied, by what of it counts. */
  readonly throughput: readonly EngineRow[];
  /** What the migration of a page is made of. */
  readonly steps: readonly StepsRow[];
}

const { throughputGBps: published } = dsaBreakdown;
const ACCOUNTINGS: Readonly<Record<Accounting, { readonly text: string; readonly publishedGBps: number | undefined }>> =
  {
    'one-core': { text: 'one core copies', publishedGBps: published.oneCpuCore },
    'submit-and-poll': { text: 'engine: submit and poll', publishedGBps: published.submitAndPollOnly },
    passthrough: { text: '  + mapping, passthrough', publishedGBps: published.withDmaMappingIommuPassthrough },
    translated: { text: '  + mapping, translated', publishedGBps: published.withDmaMappingIommuTranslated },
    'whole-dcbm': { text: 'migrate_pages by engine', publishedGBps: published.wholeMigratePages },
    'whole-kernel': { text: 'migrate_pages by caller', publishedGBps: undefined },
  };

export function parts({ amounts, throughput, steps }: Breakdown): Part[] {
  const less = (of: 'throughput' | 'steps') => (amounts ? lessText(amounts[of]) : []);
  const all: Part[] = [];
  if (throughput.length > 0) all.push(throughputSheet(throughput), ...less('throughput'), THROUGHPUT_TEXT);
  if (steps.length > 0) all.push(stepsSheet(steps), ...less('steps'), STEPS_TEXT, gainSheet(steps), GAIN_TEXT);
  return all;
}

/** A row each, with a column for each depth; what has none stands at all of them. */
function throughputSheet(rows: readonly EngineRow[]): Sheet {
  const depths = [...new Set(rows.map(({ queueDepth }) => queueDepth))].filter((depth) => depth > 0);
  const deepest = depths.at(-1) ?? 0;
  const present = Object.keys(ACCOUNTINGS) as Accounting[];
  return {
    texts: ['GB/s of 4 KiB pages'],
    numbers: [...depths.map((depth) => `QD ${depth}`), 'by one core', 'published'],
    rows: present.map((accounting) => {
      const own = rows.filter((row) => row.accounting === accounting);
      const at = (depth: number) => own.find(({ queueDepth }) => queueDepth === depth || queueDepth === 0);
      const { text, publishedGBps } = ACCOUNTINGS[accounting];
      const last = at(deepest);
      return [
        text,
        ...depths.map((depth) => digits(at(depth)?.gigabytesPerSecond ?? 0)),
        last ? estimateText(last.byOneCore) : '',
        publishedGBps === undefined ? '' : digits(publishedGBps / published.oneCpuCore),
      ];
    }),
  };
}

const THROUGHPUT_TEXT =
  'QD: descriptors in flight; submitted, polled, mapped and unmapped together. By one core: at the\ndeepest. ' +
  'A channel of the dsa is a thread here, which copies as a core does.';

function stepsSheet(rows: readonly StepsRow[]): Sheet {
  const names = ['lock', 'allocate', 'tryToMigrate', 'copy', 'metadata', 'removeMigrationPtes', 'free'] as const;
  return {
    texts: ['folio×maps', 'migrator'],
    numbers: ['lock', 'alloc', 'to\nmigr.', 'copy', 'meta\ndata', 'remove\nptes', 'free', 'else', 'all'],
    rows: rows.map(({ pageNs, ...row }) => [
      ...labels(row),
      ...names.map((name) => few(pageNs[name])),
      few(pageNs.isolate + pageNs.flush + pageNs.other),
      few(pageNs.whole),
    ]),
  };
}

const STEPS_TEXT =
  'Nanoseconds a page of 4 KiB, medians: page cache mapped by so many address spaces; pre-copy,\n' +
  'batches of 512 folios. To migr.: try_to_migrate. Remove ptes: remove_migration_ptes. Steps are\n' +
  'estimates. Else: isolation, flush, loops.';

function gainSheet(rows: readonly StepsRow[]): Sheet {
  return {
    texts: ['folio×maps', 'migrator'],
    numbers: ['unmap copy\nremove %', 'CPU ns', 'saved', 'CPU by kernel', 'time by kernel'],
    rows: rows.map((row) => [
      ...labels(row),
      [row.shares.unmap, row.shares.copy, row.shares.removeMigrationPtes]
        .map(({ median }) => percent(median))
        .join(' '),
      few(row.cpuNs),
      ...(row.migrator === 'kernel' ? ['', '', ''] : [few(row.cpuSavedNs), ...ratios(row)]),
    ]),
  };
}

const GAIN_TEXT =
  'Unmap (lock, alloc and to migr.), copy, remove ptes: shares of all phases. CPU ns: a page, of the calling thread and copy\n' +
  'threads; a channel is the device. Published, by a dsa, 4 KiB: unmap 50, copy 5 to 10, remove ptes 40 to 45 %.';

function ratios({ cpuByKernel, timeByKernel }: StepsRow): string[] {
  return [estimateText(cpuByKernel), estimateText(timeByKernel)];
}

function labels({ folioBytes, mappings, migrator }: Pick<StepsRow, 'folioBytes' | 'mappings' | 'migrator'>): string[] {
  return [`${formatSize(folioBytes)}×${mappings === 0 ? 'none' : mappings}`, migrator];
}

/** A whole number, or a digit behind the point where that would say little. */
function few(ns: number): string {
  return Math.abs(ns) < 10 ? ns.toFixed(1) : ns.toFixed(0);
}

function percent(share: number): string {
  return (share * 100).toFixed(0).padStart(2);
}
