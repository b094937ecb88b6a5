import { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { addCompletionCommand } from './completion.js';
import { addCopyCommand } from './copy.js';
import { addMigrateCommand } from './migrate.js';
import { addPmbenchCommand } from './pmbench.js';
import type { Invocation } from './present.js';
import { addReportCommand } from './report.js';
import { addReproduceCommand } from './reproduce.js';
import { columnsOf, type Shell } from './shell.js';
import { addSysfsCommand } from './sysfs.js';
import { addTuneCommand } from './tune.js';

const HINT = '(--help shows what there is)';
const STATUS = `
Exit status: 0; 1 if a verification failed, or anything else did; 2 for a command line that is wrong;
130 if it was interrupted: what was measured by then is printed.`;

const { version, description } = packageJson;

/**
 * The commands, for one command line.
 *
 * @param print is called with what has to be printed besides results: help, and the version
 */
export function createProgram(args: readonly string[], shell: Shell, print: (text: string) => void): Command {
  const invocation: Invocation = { ...shell, args, version };
  const program = new Command('mtcopy')
    .description(description)
    .version(version)
    .exitOverride()
    .showHelpAfterError(HINT)
    .configureHelp({ minWidthToWrap: 20 })
    .configureOutput({
      writeOut: print,
      writeErr: (text) => shell.stderr.write(text),
      getOutHelpWidth: () => columnsOf(shell.stdout),
      getErrHelpWidth: () => columnsOf(shell.stderr),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', STATUS);
  addCopyCommand(program, invocation);
  addMigrateCommand(program, invocation);
  addPmbenchCommand(program, invocation);
  addReproduceCommand(program, invocation);
  addReportCommand(program, invocation);
  addSysfsCommand(program, invocation);
  addTuneCommand(program, invocation);
  addCompletionCommand(program, invocation);
  for (const command of program.commands) command.copyInheritedSettings(program);
  return program;
}
