import type { Part } from 'mtcopy/experiments';
import type { Chart } from './chart.js';

/** What one command, or one table of `reproduce`, has to show. */
export interface Section {
  readonly title: string;
  /** What it asks, or how it was measured: a sentence or two. */
  readonly intro?: string;
  readonly charts: readonly Chart[];
  /** What each file says of it, as the commands print it. */
  readonly blocks: readonly Block[];
}

/** Tables and paragraphs of one file. */
export interface Block {
  /** Which file, where there are several. */
  readonly heading?: string;
  readonly parts: readonly Part[];
  readonly verdict?: { readonly holds: boolean; readonly says: string };
}
