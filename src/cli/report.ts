import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { inputSize } from 'mtcopy/experiments';
import { addExamples } from './examples.js';
import { checkWritable, writeWhole } from './output-file.js';
import type { Invocation } from './present.js';
import { write } from './shell.js';

const OUTPUT = 'report.html';

/** Adds `mtcopy report`. */
export function addReportCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('report')
    .description(
      'draw what commands printed with --json: one HTML file with charts and tables, of one machine or of several',
    )
    .argument('<files...>', 'what commands printed with --json')
    .option('-o, --output <file>', `where to write the report, - for standard output (default: ${OUTPUT})`)
    .action((files: string[], { output = OUTPUT }: { output?: string }) => report(invocation, files, output));
  addExamples(command, {
    'report copy.json migrate.json -o report.html': 'What two commands measured, on one page',
    'report laptop.json server.json -o both.html': 'Two machines side by side',
  });
}

async function report({ stdout }: Invocation, files: readonly string[], output: string): Promise<void> {
  const isPrinted = output === '-';
  if (!isPrinted) checkWritable('output', output, '-o - prints the report', files);
  for (const file of files) checkThere(file);
  // Only here: what draws charts takes longer to load than all other commands together.
  const { readResult, reportOf } = await import('mtcopy/report');
  const results = files.map((file) => ({ name: basename(file), result: readResult(readFileSync(file, 'utf8'), file) }));
  const html = reportOf(results);
  if (isPrinted) await write(stdout, html);
  else writeWhole(output, html);
}

/** One with nothing in it ends too soon, as any that was cut. @throws ErrnoError as `inputSize` */
function checkThere(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile() || stats.size > 0) inputSize(file, 'report');
}
