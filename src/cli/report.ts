import { constants } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { addAbortSignal } from 'node:stream';
import type { Command } from 'commander';
import { ErrnoError } from 'mtcopy';
import { inputSize } from 'mtcopy/experiments';
import { addExamples } from './examples.js';
import { checkWritable, writeWhole } from './output-file.js';
import type { Invocation } from './present.js';
import { write } from './shell.js';

const OUTPUT = 'report.html';
/** The file that is none, and what it is called. */
const STDIN = '-';
const STDIN_NAME = 'standard input';

/** Adds `mtcopy report`. */
export function addReportCommand(program: Command, invocation: Invocation): void {
  const command = program
    .command('report')
    .description(
      'draw what commands printed with --json: one HTML file with charts and tables, of one machine or of several',
    )
    .argument('<files...>', 'what commands printed with --json; - is standard input')
    .option('-o, --output <file>', `where to write the report, - for standard output (default: ${OUTPUT})`)
    .action((files: string[], { output = OUTPUT }: { output?: string }) => report(invocation, files, output));
  addExamples(command, {
    'report copy.json migrate.json -o report.html': 'What two commands measured, on one page',
    'report laptop.json server.json -o both.html': 'Two machines side by side',
    'reproduce --quick --json | npx mtcopy report - -o tables.html': 'What a command prints, at once',
  });
}

async function report({ stdout, signal }: Invocation, files: readonly string[], output: string): Promise<void> {
  const isPrinted = output === '-';
  if (files.filter((file) => file === STDIN).length > 1) {
    throw new ErrnoError('EINVAL', `files: ${STDIN}, standard input, can be read once`);
  }
  const named = files.filter((file) => file !== STDIN);
  if (!isPrinted) checkWritable('output', output, '-o - prints the report', named);
  for (const file of named) checkThere(file);
  // Only here: what draws charts takes longer to load than all other commands together.
  const { readResult, reportOf } = await import('mtcopy/report');
  const results = [];
  for (const file of files) {
    const name = file === STDIN ? STDIN_NAME : file;
    results.push({ name: basename(name), result: readResult(await textOf(file, name, signal), name) });
  }
  const html = reportOf(results);
  if (isPrinted) await write(stdout, html);
  else writeWhole(output, html);
}

/** One with nothing in it ends too soon, as any that was cut. @throws ErrnoError as `inputSize` */
function checkThere(file: string): void {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile() || stats.size > 0) inputSize(file, 'report');
}

/** @throws ErrnoError EIO for what no text has room for */
async function textOf(file: string, name: string, signal: AbortSignal): Promise<string> {
  const tooLong = () =>
    new ErrnoError(
      'EIO',
      `report: ${name} has more than ${constants.MAX_STRING_LENGTH} bytes: no command prints as much`,
    );
  if (file !== STDIN) {
    if (statSync(file).size > constants.MAX_STRING_LENGTH) throw tooLong();
    return readFileSync(file, 'utf8');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of addAbortSignal(signal, process.stdin)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > constants.MAX_STRING_LENGTH) throw tooLong();
  }
  return Buffer.concat(chunks).toString('utf8');
}
