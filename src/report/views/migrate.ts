import { formatSize, PAGE_SIZE } from 'mtcopy';
import { type MigrateMeasurement, migrateParts, migratorText, ownShare, PHASES_OVERLAP } from 'mtcopy/experiments';
import type { StackChart } from '../model/chart.js';
import type { Section } from '../model/section.js';
import type { MigrateResult } from '../read/result.js';
import type { Source } from '../read/source.js';
import { blockOf } from './blocks.js';
import { distinct, hostOf, joined, ofSource, onOneScale, varying } from './charts.js';
import { perPage, phasesChart } from './phases.js';
import { type Speed, speedCharts, speedMaps, type Wording } from './throughput.js';

const WORDING: Wording = { title: 'Migration throughput', threads: 'migrator and its threads', kind: 'dots' };

type Row = MigrateMeasurement;
type Sources = readonly Source<MigrateResult>[];

export function migrateSection(sources: Sources): Section {
  const speeds = sources.flatMap((source) => speedsOf(source, sources));
  const charts = [...speedCharts(speeds, WORDING), ...speedMaps(speeds, WORDING), ...phaseCharts(sources)];
  return {
    title: 'mtcopy migrate',
    intro:
      'Memory is moved between node 0 and node 1 with move_pages(2). Every run was verified: each page is on its node, with the bytes that it had.',
    charts: speeds.length === 0 ? [] : charts,
    blocks: sources.map((source) =>
      blockOf(source, sources, ({ results }) => migrateParts(results, whatMoved(results))),
    ),
  };
}

function whatMoved(rows: readonly Row[]): string {
  const totals = distinct(rows.map(({ folios, folioBytes }) => folios * folioBytes));
  return totals.length === 1
    ? `${formatSize(totals[0])} moved`
    : `${distinct(rows.map(({ folios }) => folios)).join(', ')} folios moved`;
}

/** What copied, and how much of it was under way at once; or that it had nearly no part in it, as where folios go one by one. */
function moverOf(rows: readonly Row[]): (row: Row) => string {
  const others = varying(rows, [
    ({ dmaSetup }) => (dmaSetup === 'per-folio' ? dmaSetup : ''),
    ({ batchesInFlight }) => (batchesInFlight === 1 ? '' : `${batchesInFlight} in flight`),
  ]);
  return (row) => joined([migratorText(row), others(row), ownShare(row) < 0.5 ? 'copied by the caller' : '']);
}

function settingOf(rows: readonly Row[]): (row: Row) => string {
  return varying(rows, [
    ({ flow }) => flow,
    ({ frames }) => frames,
    ({ batchLimit, batchUnit }) => `batches of ${batchLimit} ${batchUnit}`,
  ]);
}

function rowsOf(sources: Sources): Row[] {
  return sources.flatMap(({ result }) => result.results);
}

function speedsOf(source: Source<MigrateResult>, sources: Sources): Speed[] {
  const [mover, setting] = [moverOf(rowsOf(sources)), settingOf(rowsOf(sources))];
  return source.result.results.map((row) => ({
    file: ofSource(source, sources),
    host: hostOf(source, sources),
    folioBytes: row.folioBytes,
    threads: mover(row),
    setting: setting(row),
    gbps: row.gbps,
  }));
}

/** A chart for each folio size and file: files side by side. */
function phaseCharts(sources: Sources): StackChart[] {
  const sizes = distinct(rowsOf(sources).map(({ folioBytes }) => folioBytes));
  const [mover, setting] = [moverOf(rowsOf(sources)), settingOf(rowsOf(sources))];
  return sizes.flatMap((folioBytes) =>
    onOneScale(
      sources.flatMap((source) => {
        const rows = source.result.results.filter((row) => row.folioBytes === folioBytes);
        if (rows.length === 0) return [];
        const title = `${ofSource(source, sources)}Phases of a migration, folios of ${formatSize(folioBytes)}`;
        const phased = rows.map((row) => ({
          label: joined([setting(row), mover(row)]),
          pageNs: perPage(row.phasesNs, (row.folios * row.folioBytes) / PAGE_SIZE),
        }));
        return [
          phasesChart(
            title,
            rows.some(isOverlapping) ? PHASES_OVERLAP : 'Of the run whose time is the median.',
            phased,
          ),
        ];
      }),
    ),
  );
}

function isOverlapping({ batchesInFlight }: Row): boolean {
  return batchesInFlight > 1;
}
