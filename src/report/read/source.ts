import type { Result } from './result.js';

/** A result, as a report calls it. */
export interface Source<R extends Result = Result> {
  /** A letter that charts and tables name it by. */
  readonly label: string;
  /** The file's name. */
  readonly name: string;
  readonly result: R;
}
