import type { Command } from 'commander';
import { hostFacts, type OnProgress } from 'mtcopy/experiments';
import yoctoSpinner from 'yocto-spinner';

/** How a command measures, and what it shows. */
export interface Presentation<Result extends object> {
  /** Shown until the first run. */
  readonly preparing: string;
  readonly measure: (onProgress: OnProgress) => Promise<Result>;
  /** The result for a person. */
  readonly text: (result: Result) => string;
}

/** Has every command print one JSON object and nothing else on demand. */
export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print one JSON object and nothing else');
}

/**
 * Measures, with progress on standard error if that is a terminal, and prints the result, as text or as JSON under the
 * command's name and the host's.
 */
export async function present<Result extends object>(
  command: string,
  json: boolean | undefined,
  { preparing, measure, text }: Presentation<Result>,
): Promise<Result> {
  const spinner = process.stderr.isTTY ? yoctoSpinner({ text: preparing }).start() : undefined;
  try {
    const result = await measure((done, runs) => {
      if (spinner) spinner.text = `run ${done + 1} of ${runs}`;
    });
    spinner?.stop();
    console.log(json ? JSON.stringify({ command, host: hostFacts(), ...result }) : text(result));
    return result;
  } finally {
    spinner?.stop();
  }
}
