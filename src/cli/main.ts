#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { SettingError } from 'mtcopy/experiments';
import { addCopyCommand } from './copy.js';
import { addMigrateCommand } from './migrate.js';
import { addPmbenchCommand } from './pmbench.js';
import { addReproduceCommand } from './reproduce.js';
import { addSysfsCommand } from './sysfs.js';
import { addTuneCommand } from './tune.js';

/** Exit status of a command line that can't be understood. */
const USAGE = 2;
const HINT = '(--help shows what there is)';

const { version, description } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const program = new Command('mtcopy').description(description).version(version).exitOverride().showHelpAfterError(HINT);
addCopyCommand(program);
addMigrateCommand(program);
addPmbenchCommand(program);
addReproduceCommand(program);
addSysfsCommand(program);
addTuneCommand(program);
for (const command of program.commands) command.copyInheritedSettings(program);

// A reader that has seen enough, such as head, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : USAGE;
  } else {
    const { code, message } = error as NodeJS.ErrnoException;
    console.error(`mtcopy: ${message}`);
    process.exitCode = code === 'EINVAL' || error instanceof SettingError ? USAGE : 1;
  }
}
