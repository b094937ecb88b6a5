import { formatSize, MiB, NR_MAX_BATCHED_MIGRATION, PAGE_SIZE } from 'mtcopy';
import { isSure } from '../../shared/ratio.js';
import type { Part } from '../../shared/sheet.js';
import type { Experiment } from '../experiment.js';
import { type Figure, figuresOf } from '../figure.js';
import { digits, estimateText, NOT_KNOWN, type Verdict } from '../finding.js';
import { lessText, withLeftOut } from '../fit.js';
import { throughputV4 } from '../published.js';
import { type BatchLimit, type BatchLimitRow, measureBatchLimit } from './measure.js';
import { MANNERS } from './settings.js';

const PUBLISHED = {
  source: throughputV4.source,
  openQuestion: throughputV4.openQuestion,
  /** Pages of a batch, and why so many. */
  limit: NR_MAX_BATCHED_MIGRATION,
  limitSource:
    'migrate_pages(): batch TLB flushing, 2022-12-26: no more than HPAGE_PMD_NR pages are unmapped at once, so that the influence is at the same level as that of migrating a THP',
} as const;

/** How much longer than the best a migration may take that is as good: 1.05 is 5 %. */
const AS_GOOD = 1.05;

/** {@link Experiment}: the batch limit against total time, the first folio's, and what a CPU waits. */
export const batchLimitExperiment: Experiment<BatchLimit> = {
  question: 'Which batch limit? Total time, against the time of the first folio and what a CPU waits',
  published: PUBLISHED,
  measure: measureBatchLimit,
  findings: () => [],
  verdict: batchLimitVerdict,
  drawsPages: true,
  takesProfile: true,
  takesStores: true,
  figures,
  parts,
};

/** The smallest limit of a migrator's with which a migration takes hardly longer than with its best; none if it has no rows. */
export function advise(rows: readonly BatchLimitRow[], migrator: string): BatchLimitRow | undefined {
  return smallPages(rows, migrator)
    .filter(({ againstBest }) => againstBest.median <= AS_GOOD)
    .sort((a, b) => a.limit - b.limit)[0];
}

/** Holds if for each migrator the published 512 is as good as the best limit, with its whole interval. */
export function batchLimitVerdict({ rows }: BatchLimit): Verdict {
  const migrators = Object.keys(MANNERS).filter((migrator) => smallPages(rows, migrator).length > 0);
  if (migrators.length === 0 || !rows.every(({ againstBest }) => isSure(againstBest))) return NOT_KNOWN;
  const published = migrators.flatMap((migrator) => findPublished(rows, migrator, PAGE_SIZE) ?? []);
  const slower = published.filter(({ againstBest }) => againstBest.low > AS_GOOD);
  const holds = published.length > 0 && published.every(({ againstBest }) => againstBest.high <= AS_GOOD);
  const advice = migrators.map((migrator) => adviceText(rows, migrator));
  return { holds, says: [answerText(holds, slower), ...advice].join(' ') };
}

function answerText(holds: boolean, slower: readonly BatchLimitRow[]): string {
  if (holds) return `${NR_MAX_BATCHED_MIGRATION} pages are within 5% of the best limit.`;
  if (slower.length === 0)
    return `Whether ${NR_MAX_BATCHED_MIGRATION} pages are within 5% of the best limit these runs can't tell.`;
  const names = slower.map(({ migrator }) => migrator).join(' and ');
  return `${NR_MAX_BATCHED_MIGRATION} pages take longer than the best limit with ${names}.`;
}

function adviceText(rows: readonly BatchLimitRow[], migrator: string): string {
  const advised = advise(rows, migrator);
  const published = findPublished(rows, migrator, PAGE_SIZE);
  const huge = findPublished(rows, migrator, 2 * MiB);
  const texts = [
    advised && `${migrator}: ${adviceStart(advised)}, ${waitText(advised)}`,
    published &&
      published !== advised &&
      `${NR_MAX_BATCHED_MIGRATION} pages: ${estimateText(published.againstBest)}, ${waitText(published)}`,
    huge && `one folio of 2 MiB: ${waitText(huge)}`,
  ];
  return `${texts.filter(Boolean).join('; ')}.`;
}

/** The best of several is a little flattered: its advantage is in part luck. */
function adviceStart({ limit, againstBest }: BatchLimitRow): string {
  if (againstBest.low === 1 && againstBest.high === 1) return `${limit} pages are the fastest measured`;
  return `${limit} pages take ${estimateText(againstBest)} times as long as the fastest measured`;
}

function waitText({ firstFolioNs, touched }: BatchLimitRow): string {
  const first = `first folio after ${microseconds(firstFolioNs)} µs`;
  return touched ? `${first}, waits below ${microseconds(touched.waits.medianBelowNs)} µs (median)` : first;
}

function smallPages(rows: readonly BatchLimitRow[], migrator: string): BatchLimitRow[] {
  return rows.filter((row) => row.migrator === migrator && row.folioBytes === PAGE_SIZE);
}

function findPublished(rows: readonly BatchLimitRow[], migrator: string, folioBytes: number) {
  return rows.find(
    (row) => row.migrator === migrator && row.folioBytes === folioBytes && row.limit === NR_MAX_BATCHED_MIGRATION,
  );
}

function figures({ bytes, rows }: BatchLimit): Figure[] {
  return rows.flatMap(({ migrator, folioBytes, limit, touched, ...row }) =>
    figuresOf(`${formatSize(folioBytes)} of ${formatSize(bytes)}, ${limit} pages`, migrator, {
      move_pages: { unit: 'ns', is: row.ns },
      'time against the best': { unit: 'ratio', is: row.againstBest },
      'first folio': { unit: 'ns', is: row.firstFolioNs },
      ...(touched && {
        waits: { unit: 'count', is: touched.waits.count },
        'median of the waits, below': { unit: 'ns', is: touched.waits.medianBelowNs },
        '99% of the waits, below': { unit: 'ns', is: touched.waits.p99BelowNs },
        'interrupts a page': { unit: 'count', is: touched.interruptsAPage },
      }),
      runs: { unit: 'count', is: row.runs },
    }),
  );
}

function parts({ bytes, usualBytes, touchedBytes, usualTouchedBytes, threads, rows }: BatchLimit): Part[] {
  const sheet = {
    texts: ['migrator', 'folio'],
    numbers: [
      'limit\npages',
      'total\nms',
      'against\nthe best',
      'first\nfolio, µs',
      'waits',
      'median\nbelow µs',
      '99%\nbelow µs',
    ],
    rows: rows.map(({ migrator, folioBytes, limit, ns, againstBest, firstFolioNs, touched }) => [
      migrator,
      formatSize(folioBytes),
      `${limit}`,
      (ns / 1e6).toFixed(1),
      folioBytes === PAGE_SIZE ? estimateText(againstBest) : '',
      microseconds(firstFolioNs),
      touched ? `${touched.waits.count}` : '',
      touched ? microseconds(touched.waits.medianBelowNs) : '',
      touched ? microseconds(touched.waits.p99BelowNs) : '',
    ]),
  };
  const notes = [
    `${formatSize(bytes)} a call. kernel: vanilla; mtcopy: pre-copy, ${threads} threads, which copy batches of 512 KiB and more.`,
    ...lessText({ bytes, usualBytes }).map(withLeftOut),
    'First folio: from the first unmap of its batch until it is mapped again. Waits: of a CPU at migration',
    'entries, in runs of their own, counted by powers of two: each lies between half of the figure and it.',
    ...(touchedBytes < usualTouchedBytes
      ? [
          `There only ${formatSize(touchedBytes)} moved, not ${formatSize(usualTouchedBytes)}, for which there was no time: no larger batch has waits.`,
        ]
      : []),
  ];
  return [sheet, notes.join('\n')];
}

function microseconds(ns: number): string {
  return digits(ns / 1e3);
}
