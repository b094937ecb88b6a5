import type { Control } from '../shared/control.js';
import type { Part } from '../shared/sheet.js';
import type { Finding, Verdict } from './finding.js';

/** How much an experiment moves, and for how long. */
export interface Scale {
  /** Whether it is to be done soon: less is moved, and fewer of the settings are measured. */
  readonly quick: boolean;
  /** Bytes that experiments move whose published twin moved 1 GB. */
  readonly bytes: number;
  /** Seconds in which an experiment begins new blocks of runs, all its parts together. */
  readonly seconds: number;
  /** Half the width of a ratio's interval that is narrow enough, as a part of the ratio. */
  readonly bound: number;
}

/** One published table, or one open question, and how to measure it here. */
export interface Experiment<Measured extends object> {
  /** What it asks, in a line. */
  readonly question: string;
  /** What was published, with its source. */
  readonly published: object;
  /** @throws ErrnoError ENOMEM for more memory than there is; EIO if anything came out wrong */
  measure(scale: Scale, control: Control): Promise<Measured>;
  /** What was published of it, and whether it holds here; without those that were not measured before it was cut short. */
  findings(measured: Measured): readonly Finding[];
  /** What it comes to, where that is more than whether the findings hold. Default: that. */
  verdict?(measured: Measured): Verdict;
  /** Both side by side, for a person. */
  parts(measured: Measured): readonly Part[];
}
