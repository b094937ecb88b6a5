import type { Writable } from 'node:stream';

/** A stream that may be a terminal. */
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command line runs in. */
export interface Shell {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Aborted when the user wants it to end: what was measured so far is printed then. */
  readonly signal: AbortSignal;
}

/** Columns of what is no terminal. */
const COLUMNS = 100;
/** Fewer are not asked for by anyone, and nothing fits into them. */
const LEAST_COLUMNS = 20;

/** Columns that what is written may have: a terminal's, or those that COLUMNS says. */
export function columnsOf(output: Output): number {
  const said = Number(process.env.COLUMNS);
  const columns = Number.isInteger(said) && said > 0 ? said : (output.columns ?? COLUMNS);
  return Math.max(LEAST_COLUMNS, columns || COLUMNS);
}

/** What a command measured could not be written: its `cause` says why. */
export class OutputError extends Error {}

/** Resolves once it is written. @throws OutputError if it can't be */
export function write(output: Output, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => reject(new OutputError(`the output can't be written: ${cause.message}`, { cause }));
    // The callback is told too; without a listener the process would end.
    output.once('error', fail);
    output.write(text, (error) => {
      if (error) return fail(error);
      output.off('error', fail);
      return resolve();
    });
  });
}
