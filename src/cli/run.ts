import { CommanderError } from 'commander';
import { SettingError } from 'mtcopy/experiments';
import { createProgram } from './program.js';
import { OutputError, type Shell, write } from './shell.js';

/** Exit status of what failed: a verification, memory that there isn't, a file that isn't there. */
const FAILED = 1;
/** Exit status of a command line that can't be understood. */
const USAGE = 2;
/** Exit status of what a signal ended: 128, and the number of SIGINT. */
export const INTERRUPTED = 130;

/**
 * Runs a command line.
 *
 * @param args without the program's own name
 * @returns its exit status
 */
export async function run(args: readonly string[], shell: Shell): Promise<number> {
  const { stdout, stderr } = shell;
  // Who reads no errors is no error.
  const ignore = () => {};
  stderr.on('error', ignore);
  try {
    const printed: string[] = [];
    const status = await runProgram(args, shell, (text) => printed.push(text));
    if (printed.length > 0) await write(stdout, printed.join(''));
    return status;
  } catch (error) {
    return failed(error as Error, shell);
  } finally {
    stderr.off('error', ignore);
  }
}

async function runProgram(args: readonly string[], shell: Shell, print: (text: string) => void): Promise<number> {
  try {
    await createProgram(args, shell, print).parseAsync(args, { from: 'user' });
    return shell.signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : USAGE;
  }
}

function failed(error: Error, { stderr, signal }: Shell): number {
  // What was waited for when the signal came: whoever has sent it knows why nothing is there.
  if (signal.aborted && error.name === 'AbortError') return INTERRUPTED;
  // A reader that has seen enough, such as head, is no error.
  if (error instanceof OutputError && (error.cause as NodeJS.ErrnoException).code === 'EPIPE') return 0;
  stderr.write(`mtcopy: ${error.message}\n`);
  return (error as NodeJS.ErrnoException).code === 'EINVAL' || error instanceof SettingError ? USAGE : FAILED;
}
