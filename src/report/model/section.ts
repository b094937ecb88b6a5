import type { Part, Verdict } from 'mtcopy/experiments';
import type { Chart } from './chart.js';

/** What one command, or one table of `reproduce`, has to show. */
export interface Section {
  /** The command, or the table. */
  readonly title: string;
  /** What it asks, or how it was measured: a sentence or two. Default: nothing is said. */
  readonly intro?: string;
  /** What is drawn, in this order. */
  readonly charts: readonly Chart[];
  /** What each file says of it, as the commands print it. */
  readonly blocks: readonly Block[];
}

/** Tables and paragraphs of one file. */
export interface Block {
  /** Which file, where there are several. Default: there is one. */
  readonly heading?: string;
  /** What the command prints. */
  readonly parts: readonly Part[];
  /** Of a table of `reproduce`. Default: it has none. */
  readonly verdict?: Verdict;
}
