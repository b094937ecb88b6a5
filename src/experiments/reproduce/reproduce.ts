import {
  above0,
  anything,
  type Checks,
  checkOptions,
  ErrnoError,
  GiB,
  listOf,
  MiB,
  oneOf,
  STORES,
  type Stores,
  settingsOf,
  wholeNumber,
  yesOrNo,
} from 'mtcopy';
import { warmUps as checkWarmUps } from '../shared/checks.js';
import { type Control, isCutShort, type Progress, type TurnsTaken } from '../shared/control.js';
import { MAX_SEED } from '../shared/pmbench/run.js';
import type { Tuning } from '../shared/tuned.js';
import type { Experiment, Scale } from './experiment.js';
import type { Figure } from './figure.js';
import { type Claim, type Finding, findingHolds, findingIsOpen, judge, type Verdict } from './finding.js';
import { EXPERIMENTS, TABLE_NAMES, type TableName } from './tables.js';
import { createTimeLeft } from './time-left.js';
import { type SampledTurns, sampledTurns } from './turns-text.js';

/** What to reproduce, and how thoroughly. */
export interface ReproduceOptions {
  /** One named twice runs once. Default: all of them. */
  readonly tables?: readonly TableName[] | undefined;
  /** Whether to be done in minutes: 64 MiB are moved instead of 1 GiB, and less is known of each ratio. Default: false. */
  readonly quick?: boolean | undefined;
  /**
   * Seconds for each table, above 0, with its preparation; but six rounds of each of its parts are made in any case. Default: 600;
   * quick 12.
   */
  readonly seconds?: number | undefined;
  /** Rounds of each part that don't count, from 0. Default: as many as the experiment needs. */
  readonly warmUps?: number | undefined;
  /** What CPUs draw pages by, in the tables where any do (`tlb`, `batch-limit`), 0 to 2^20. Default: 0. */
  readonly seed?: number | undefined;
  /**
   * A profile, and whether one of another machine is taken: it says what a table doesn't, in `flows` and `batch-limit` how the
   * threads of `'mtcopy'` copy, and in `folio-size` what one more row moves with. Default: none.
   */
  readonly profile?: Tuning | undefined;
  /**
   * Whether what is copied is kept in the caches, of all that a table migrates; it means nothing to `tlb`, `dma-setup` and
   * `contention`. Default: `'cached'` of what was published, which copies with memcpy, and of the rest as a machine has it.
   */
  readonly stores?: Stores | undefined;
}

/** A finding, and what these runs say of it. */
export type JudgedFinding = (Finding | Claim) & {
  /** Whether the whole interval lies on the published side: of 1, or of one half of a share. */
  readonly holds: boolean;
  /** Whether it lies on both sides, or there are too few runs: then nothing is known. */
  readonly isOpen: boolean;
};

/** A table as it was published, and as it is here. */
export interface ReproducedTable {
  /** Its name. */
  readonly name: TableName;
  /** What it asks, in a line. */
  readonly question: string;
  /** What was published, with its source; empty if nothing was. */
  readonly published: object;
  /** What is claimed without having been published as a figure; left out if nothing is. */
  readonly claimed?: object;
  /** What was measured here: for each name another type, such as `Flows`. */
  readonly measured: object;
  /** Every figure of it, with what was published of the same. */
  readonly figures: readonly Figure[];
  /** The samples of all runs, by what was run in turns. */
  readonly turns: readonly SampledTurns[];
  /** What was published or asked of it, and whether it holds here. */
  readonly findings: readonly JudgedFinding[];
  /** What all findings come to. */
  readonly verdict: Verdict;
  /** Seconds that it took. */
  readonly seconds: number;
  /** Whether runs were left out, for the signal was aborted; left out if none was. */
  readonly cutShort?: true;
}

/** A table whose experiment has thrown. */
export interface FailedTable {
  /** Which table. */
  readonly name: TableName;
  /** Of the error, such as `ENOMEM`; left out if it has none. */
  readonly code?: string;
  /** Of the error, for a person. */
  readonly message: string;
}

/** What was reproduced of what was asked for: each table is in one of three lists. */
export interface Reproduction {
  /** The stores that were asked for; there if any were. */
  readonly stores?: Stores;
  /** Whether the small form was asked for. */
  readonly quick: boolean;
  /** Seconds that each table had. */
  readonly seconds: number;
  /** Those that were measured, also in part. */
  readonly tables: readonly ReproducedTable[];
  /** Those whose experiment has thrown. */
  readonly failed: readonly FailedTable[];
  /** Tables that were left out, for the signal was aborted before. */
  readonly notBegun: readonly TableName[];
}

const OPTIONS: Checks<ReproduceOptions> = {
  tables: listOf(oneOf(TABLE_NAMES)),
  quick: yesOrNo,
  seconds: above0,
  warmUps: checkWarmUps,
  seed: wholeNumber(0, MAX_SEED),
  profile: anything,
  stores: oneOf(STORES),
};
const THOROUGH = { quick: false, bytes: GiB, seconds: 600, bound: 0.02 } as const;
const QUICK = { quick: true, bytes: 64 * MiB, seconds: 12, bound: 0.1 } as const;

/**
 * Runs the experiment of each table, one after the other. One that fails loses no other: the promise resolves all the same, with
 * its error among `failed`, and the tables after it are made.
 *
 * @param control `onProgress` hears of the time left of all tables
 * @throws ErrnoError EINVAL for options that are wrong, and what `settingsOf` throws, before anything is measured. Of experiments
 * `failed` says: ENOMEM for more memory than there is, EIO if anything came out wrong, and whatever else they throw
 */
export async function reproduce(asked: ReproduceOptions = {}, control: Control = {}): Promise<Reproduction> {
  const { tables = TABLE_NAMES, quick = false, seconds, warmUps, seed, profile, stores } = checkOptions(asked, OPTIONS);
  const usual = quick ? QUICK : THOROUGH;
  const scale: Scale = { ...usual, seconds: seconds ?? usual.seconds, warmUps, seed, profile, stores };
  // Now, and not in each table.
  if (profile) settingsOf(profile);
  const names = [...new Set(tables)];
  const reproduced: ReproducedTable[] = [];
  const failed: FailedTable[] = [];
  const notBegun: TableName[] = [];
  for (const [i, name] of names.entries()) {
    if (isCutShort(control)) {
      notBegun.push(name);
      continue;
    }
    const timeLeft = createTimeLeft(scale.seconds, names.length - 1 - i);
    const onProgress = (progress: Progress) =>
      control.onProgress?.({ ...progress, what: `${name}, ${progress.what}`, secondsLeft: timeLeft(progress) });
    try {
      reproduced.push(await reproduceOne(name, scale, { ...control, onProgress }));
    } catch (error) {
      failed.push(failureOf(name, error as Error));
    }
  }
  return { quick, seconds: scale.seconds, ...(stores && { stores }), tables: reproduced, failed, notBegun };
}

async function reproduceOne(name: TableName, scale: Scale, control: Control): Promise<ReproducedTable> {
  const experiment = EXPERIMENTS[name] as Experiment<object, Finding | Claim>;
  const { question, published, claimed } = experiment;
  const turns: TurnsTaken[] = [];
  const started = performance.now();
  let cutShort: true | undefined;
  const measured = await experiment.measure(scale, {
    ...control,
    onTurns: (taken) => {
      turns.push(taken);
      control.onTurns?.(taken);
    },
    onCutShort: () => {
      cutShort = true;
      control.onCutShort?.();
    },
  });
  const found = experiment.findings(measured);
  return {
    ...{ name, question, published },
    ...(claimed && { claimed }),
    measured,
    figures: experiment.figures(measured),
    turns: turns.filter(({ rounds }) => rounds > 0).map(sampledTurns),
    findings: found.map((finding) => ({ ...finding, holds: findingHolds(finding), isOpen: findingIsOpen(finding) })),
    verdict: experiment.verdict?.(measured) ?? judge(found),
    seconds: (performance.now() - started) / 1000,
    ...(cutShort ? { cutShort } : {}),
  };
}

function failureOf(name: TableName, error: Error): FailedTable {
  return { name, ...(error instanceof ErrnoError && { code: error.code }), message: error.message };
}
