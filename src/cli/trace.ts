import type { Command } from 'commander';
import { checkWritable } from './output-file.js';
import type { Output } from './shell.js';

/** Where a command's trace goes. */
export interface TraceArguments {
  trace?: string;
  /** What commands read. */
  input?: string;
  baseline?: string;
  profile?: string;
}

/** Has a command write what happened when, and on which thread. */
export function addTraceOption(command: Command): void {
  command.option('--trace <file>', 'write what happened when, on every thread, for ui.perfetto.dev to show');
}

/** What a traced command came to. */
interface Traced<Result> {
  readonly result: Result;
  /** Why the trace couldn't all be written, to be thrown once the result is shown: hours may have gone into that. */
  readonly failure?: unknown;
}

/**
 * Traces what a command does, if that was asked for, also up to where it fails.
 *
 * @throws ErrnoError as {@link checkWritable}, before anything is done; what `run` throws
 */
export async function withTrace<Result>(
  command: string,
  { trace, input, baseline, profile }: TraceArguments,
  stderr: Output,
  run: () => Promise<Result>,
): Promise<Traced<Result>> {
  if (trace === undefined) return { result: await run() };
  checkWritable('trace', trace, 'name a file that ui.perfetto.dev can open', [input, baseline, profile]);
  // Only here: it comes with what draws charts, which takes longer to load than all other commands together.
  const { startTraceFile } = await import('mtcopy/report');
  const file = startTraceFile(trace, `mtcopy ${command}`);
  const [outcome] = await Promise.allSettled([run()]);
  let failure: unknown;
  try {
    tellDropped(stderr, trace, file.stop());
  } catch (error) {
    failure = error;
  }
  // What the command has thrown comes first.
  if (outcome.status === 'rejected') throw outcome.reason;
  return { result: outcome.value, failure };
}

function tellDropped(stderr: Output, trace: string, dropped: number): void {
  if (dropped === 0) return;
  stderr.write(
    `mtcopy: ${trace} lacks ${dropped} records, which came faster than they could be collected; it says where\n`,
  );
}
