import type { Command } from 'commander';

/** Adds command lines to a command's help, each with what it is for. */
export function addExamples(command: Command, examples: Readonly<Record<string, string>>): void {
  const lines = Object.entries(examples).map(([line, what]) => `  ${what}:\n    npx mtcopy ${line}`);
  command.addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
