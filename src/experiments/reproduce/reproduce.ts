import { above0, type Checks, checkOptions, GiB, listOf, MiB, oneOf, yesOrNo } from 'mtcopy';
import type { Control } from '../shared/control.js';
import type { Part } from '../shared/sheet.js';
import type { Experiment, Scale } from './experiment.js';
import { type Finding, findingHolds, findingIsOpen, judge, type Verdict } from './finding.js';
import { EXPERIMENTS, TABLE_NAMES, type TableName } from './tables.js';

/** What to reproduce, and how thoroughly. */
export interface ReproduceOptions {
  /** One named twice runs once. Default: all of them. */
  readonly tables?: readonly TableName[] | undefined;
  /** Whether to be done in minutes: 64 MiB are moved instead of 1 GiB, and less is known of each ratio. Default: false. */
  readonly quick?: boolean | undefined;
  /** Seconds for each table, above 0, not counting its preparation and the six rounds that are made in any case. Default: 600; quick 12. */
  readonly seconds?: number | undefined;
}

/** A finding, and what these runs say of it. */
export interface JudgedFinding extends Finding {
  /** Whether the whole interval lies on the published side: of 1, or of one half of a share. */
  readonly holds: boolean;
  /** Whether it lies on both sides, or there are too few runs: then nothing is known. */
  readonly isOpen: boolean;
}

/** A table as it was published, and as it is here. */
export interface ReproducedTable {
  /** Its name. */
  readonly name: TableName;
  /** What it asks, in a line. */
  readonly question: string;
  /** What was published, with its source. */
  readonly published: object;
  /** What was measured here: for each name another type, such as `Flows`. */
  readonly measured: object;
  /** What was published of it, and whether it holds here. */
  readonly findings: readonly JudgedFinding[];
  /** What all findings come to. */
  readonly verdict: Verdict;
}

const OPTIONS: Checks<ReproduceOptions> = {
  tables: listOf(oneOf(TABLE_NAMES)),
  quick: yesOrNo,
  seconds: above0,
};
const THOROUGH = { quick: false, bytes: GiB, seconds: 600, bound: 0.02 } as const;
const QUICK = { quick: true, bytes: 64 * MiB, seconds: 12, bound: 0.1 } as const;

/**
 * Runs the experiment of each table, one after the other.
 *
 * @throws ErrnoError EINVAL for options that are wrong; ENOMEM for more memory than there is; EIO if anything came out wrong
 * @returns a table for each that was asked for; fewer if the signal was aborted
 */
export async function reproduce(asked: ReproduceOptions = {}, control: Control = {}): Promise<ReproducedTable[]> {
  const { tables = TABLE_NAMES, quick = false, seconds } = checkOptions(asked, OPTIONS);
  const usual = quick ? QUICK : THOROUGH;
  const scale = { ...usual, seconds: seconds ?? usual.seconds };
  const reproduced: ReproducedTable[] = [];
  for (const name of new Set(tables)) {
    if (control.signal?.aborted) break;
    const onProgress: Control['onProgress'] = (progress) =>
      control.onProgress?.({ ...progress, what: `${name}, ${progress.what}` });
    reproduced.push(
      await reproduceOne(name, EXPERIMENTS[name] as Experiment<object>, scale, { ...control, onProgress }),
    );
  }
  return reproduced;
}

async function reproduceOne(
  name: TableName,
  experiment: Experiment<object>,
  scale: Scale,
  control: Control,
): Promise<ReproducedTable> {
  const { question, published, measure, findings } = experiment;
  const measured = await measure(scale, control);
  const found = findings(measured);
  return {
    name,
    question,
    published,
    measured,
    findings: found.map((finding) => ({ ...finding, holds: findingHolds(finding), isOpen: findingIsOpen(finding) })),
    verdict: experiment.verdict?.(measured) ?? judge(found),
  };
}

const HOLDS = `A finding holds if its whole interval of 95 % lies where the published figure does: above 1 or below, of a share above
one half or below. How near it comes says "measured by published", from the least to the most.`;

/** Tables, each with its question above and its verdict below. */
export function reproducedParts(tables: readonly ReproducedTable[]): Part[] {
  return tables.flatMap(({ name, question, measured, verdict }, i) => [
    ...(i > 0 ? [''] : []),
    `${name}: ${question}`,
    ...(EXPERIMENTS[name] as Experiment<object>).parts(measured),
    verdict.says,
    ...(i === tables.length - 1 && tables.some(({ findings }) => findings.length > 0) ? ['', HOLDS] : []),
  ]);
}

/** A row for each finding; for a table that has none, as one of an open question, a row with its verdict. */
export function reproducedRows(tables: readonly ReproducedTable[]): object[] {
  return tables.flatMap(({ name, findings, verdict }): object[] =>
    findings.length === 0 ? [{ table: name, ...verdict }] : findings.map((finding) => ({ table: name, ...finding })),
  );
}
