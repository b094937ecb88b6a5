import type { Part } from '../shared/sheet.js';
import type { Experiment } from './experiment.js';
import type { FailedTable, ReproducedTable, Reproduction } from './reproduce.js';
import { EXPERIMENTS } from './tables.js';
import { lateText } from './turns-text.js';

const HOLDS = `A finding holds if its whole interval of 95 % lies where the published figure does: above 1 or below, of a share above
one half or below. How near it comes says "measured by published", from the least to the most.`;

/** Tables, each with its question above and its verdict below; then what failed, and what was not begun. */
export function reproducedParts(reproduction: Reproduction): Part[] {
  const { tables } = reproduction;
  const hasFindings = tables.some(({ findings }) => findings.length > 0);
  return [
    ...tables.flatMap((table, i) => [...(i > 0 ? [''] : []), ...tableParts(table, reproduction)]),
    ...(hasFindings ? ['', HOLDS] : []),
    ...missingTexts(reproduction).flatMap((text) => ['', text]),
  ];
}

function tableParts(table: ReproducedTable, reproduction: Reproduction): Part[] {
  const { name, question, measured, verdict } = table;
  return [
    `${name}: ${question}`,
    ...(EXPERIMENTS[name] as Experiment<object>).parts(measured),
    verdict.says,
    ...tableNotes(table, reproduction),
  ];
}

/** What is said below a table: where its time was over first, and whether it was cut short. */
export function tableNotes(
  { name, turns, cutShort }: Pick<ReproducedTable, 'name' | 'turns' | 'cutShort'>,
  { seconds, quick, stores }: Pick<Reproduction, 'seconds' | 'quick' | 'stores'>,
): string[] {
  const late = lateText(turns, seconds, quick);
  const isKept = stores !== undefined && (EXPERIMENTS[name] as Experiment<object>).takesStores;
  return [
    ...(isKept
      ? [`Copied with stores ${stores}, as was asked for; published was memcpy, whose stores the caches keep.`]
      : []),
    ...(late === '' ? [] : [late]),
    ...(cutShort ? [`${name} was cut short: not every run of it was made.`] : []),
  ];
}

/** What is said of tables that were asked for and aren't there: those that failed, and those that were not begun. */
export function missingTexts({ failed, notBegun }: Pick<Reproduction, 'failed' | 'notBegun'>): string[] {
  return [...failed.map(failedText), ...(notBegun.length > 0 ? [`Not begun: ${notBegun.join(', ')}.`] : [])];
}

/** Of a table whose experiment has thrown. */
export function failedText({ name, message }: FailedTable): string {
  return `${name} failed: ${message}`;
}

/**
 * A row for each figure of each table, one for each finding, and one for each verdict and each table that failed.
 */
export function reproducedRows({ tables, failed }: Pick<Reproduction, 'tables' | 'failed'>): object[] {
  return [
    ...tables.flatMap(({ name, figures, findings, verdict }) => [
      ...figures.map((figure) => ({ table: name, kind: 'figure', ...figure })),
      ...findings.map(({ what, kind, measured: { median, ...interval }, ...said }) => ({
        ...{ table: name, kind: 'finding', measure: what, unit: kind, value: median },
        ...interval,
        ...said,
      })),
      { table: name, kind: 'verdict', ...verdict },
    ]),
    ...failed.map(({ name, message }) => ({ table: name, kind: 'failed', says: message })),
  ];
}
