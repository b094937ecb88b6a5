import type { ReproducedTable } from 'mtcopy/experiments';
import type { Chart } from '../../model/chart.js';
import type { ReproduceResult } from '../../read/result.js';
import type { Source } from '../../read/source.js';

/** One table, as one file has it. */
export interface Reproduced<Measured = unknown> {
  /** What charts put before what is of this file: nothing where there is one. */
  readonly file: string;
  readonly source: Source<ReproduceResult>;
  readonly table: Omit<ReproducedTable, 'measured'> & { readonly measured: Measured };
}

/** The charts of a table beside those of its findings; each file's side by side. */
export type ChartsOf<Measured> = (tables: readonly Reproduced<Measured>[]) => Chart[];
