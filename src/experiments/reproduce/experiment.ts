import type { Stores } from 'mtcopy';
import type { Control } from '../shared/control.js';
import type { Part } from '../shared/sheet.js';
import type { Tuning } from '../shared/tuned.js';
import type { Figure } from './figure.js';
import type { Claim, Finding, Verdict } from './finding.js';

/** How much an experiment moves, and for how long. */
export interface Scale {
  /** Whether it is to be done soon: less is moved, and fewer of the settings are measured. */
  readonly quick: boolean;
  /** Bytes that experiments move whose published twin moved 1 GB. */
  readonly bytes: number;
  /** Seconds in which an experiment begins new blocks of runs, all its parts together, with what prepares them. */
  readonly seconds: number;
  /** Half the width of a ratio's interval that is narrow enough, as a part of the ratio. */
  readonly bound: number;
  /** Rounds of each part that don't count. Default: as many as the experiment needs. */
  readonly warmUps?: number | undefined;
  /** What CPUs draw pages by, where any do. Default: 0. */
  readonly seed?: number | undefined;
  /** Which profile says what a table doesn't, and whether it is forced. Default: none, and this project's defaults. */
  readonly profile?: Tuning | undefined;
  /** To copy with, whatever a table has. Default: as published `'cached'`, and where nothing was as the machine has it. */
  readonly stores?: Stores | undefined;
}

/** One published table, or one open question, and how to measure it here. */
export interface Experiment<Measured extends object, Found extends Finding | Claim = Finding> {
  /** What it asks, in a line. */
  readonly question: string;
  /** What was published, with its source; empty if nothing was. */
  readonly published: object;
  /** What is claimed without having been published as a figure. */
  readonly claimed?: object;
  /** Whether a profile says anything in it. */
  readonly takesProfile?: boolean;
  /** Whether it matters to its copies whether stores are kept in the caches. */
  readonly takesStores?: boolean;
  /** Whether CPUs draw pages in it, by the seed. */
  readonly drawsPages?: boolean;
  /** @throws ErrnoError ENOMEM for more memory than there is; EIO if anything came out wrong */
  measure(scale: Scale, control: Control): Promise<Measured>;
  /** What was published of it, and whether it holds here; without those that were not measured before it was cut short. */
  findings(measured: Measured): readonly Found[];
  /** What it comes to, where that is more than whether the findings hold: the answer to an open question. Default: by the findings. */
  verdict?(measured: Measured): Verdict;
  /** Every figure of it, for a program. */
  figures(measured: Measured): readonly Figure[];
  /** Both side by side, for a person. */
  parts(measured: Measured): readonly Part[];
}
