import type { Command } from 'commander';
import { type Control, hostFacts } from 'mtcopy/experiments';
import yoctoSpinner from 'yocto-spinner';

/** How a command measures, and what it shows. */
export interface Presentation<Result extends object> {
  /** Shown until the first run. */
  readonly preparing: string;
  readonly measure: (control: Control) => Promise<Result>;
  /** The result for a person. */
  readonly text: (result: Result) => string;
}

/** Has every command print one JSON object and nothing else on demand. */
export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print one JSON object and nothing else');
}

/** What ends a command. */
const ENDING = ['SIGINT', 'SIGTERM'] as const;
/** Exit status of what a signal ended: 128, and the number of SIGINT. */
const INTERRUPTED = 130;

/**
 * Measures, with progress on standard error if that is a terminal, and prints the result, as text or as JSON under the
 * command's name and the host's. An interrupt ends it after the run at hand, and what was measured by then is printed.
 */
export async function present<Result extends object>(
  command: string,
  json: boolean | undefined,
  { preparing, measure, text }: Presentation<Result>,
): Promise<Result> {
  const spinner = process.stderr.isTTY ? yoctoSpinner({ text: preparing }).start() : undefined;
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  // Once: who asks twice doesn't want to wait for the run at hand.
  for (const signal of ENDING) process.once(signal, stop);
  const { signal } = interrupt;
  try {
    const result = await measure({
      signal,
      onProgress: ({ done, runs, what }) => {
        if (spinner) spinner.text = `run ${done + 1} of ${runs}: ${what}`;
      },
    });
    spinner?.stop();
    const cutShort = signal.aborted && { cutShort: true };
    if (json) console.log(JSON.stringify({ command, host: hostFacts(), ...cutShort, ...result }));
    else console.log(cutShort ? `${text(result)}\nCut short: not every run was made.` : text(result));
    if (cutShort) process.exitCode = INTERRUPTED;
    return result;
  } finally {
    for (const signal of ENDING) process.off(signal, stop);
    spinner?.stop();
  }
}
