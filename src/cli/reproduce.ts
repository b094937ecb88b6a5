import { Argument, type Command } from 'commander';
import { reproduce, reproducedParts, reproducedRows, TABLE_NAMES, type TableName } from 'mtcopy/experiments';
import { number, word } from './arguments.js';
import { addExamples } from './examples.js';
import { addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';
import { addTraceOption } from './trace.js';

interface ReproduceArguments extends OutputArguments {
  quick?: boolean;
  seconds?: number;
}

/** Adds `mtcopy reproduce`. */
export function addReproduceCommand(program: Command, invocation: Invocation): void {
  const table = word(...TABLE_NAMES);
  const tables = (text: string, before: TableName[] | undefined) => [...(before ?? []), table(text)];
  const command = program
    .command('reproduce')
    .description('run the published experiments here, and show their tables beside the published ones')
    .addArgument(
      new Argument('[tables...]', `of ${TABLE_NAMES.join(', ')} (default: all)`).argParser(
        Object.assign(tables, { choices: TABLE_NAMES }),
      ),
    )
    .option('--quick', 'move 64M instead of 1G, and measure less: all tables in minutes')
    .option('--seconds <seconds>', 'for each table, but six rounds in any case (default: 600; quick 12)', number)
    .action((tables: TableName[] | undefined, options: ReproduceArguments) => show(invocation, tables, options));
  addOutputOptions(command);
  addTraceOption(command);
  addExamples(command, {
    'reproduce --quick': 'All of them, in minutes',
    'reproduce cycles-per-page --json': 'One of them, for a program',
  });
}

async function show(
  invocation: Invocation,
  asked: TableName[] | undefined,
  options: ReproduceArguments,
): Promise<void> {
  const { quick, seconds } = options;
  await present('reproduce', invocation, options, {
    preparing: 'preparing',
    measure: async (control) => ({
      tables: await reproduce({ quick, seconds, ...(asked?.length && { tables: asked }) }, control),
    }),
    rows: ({ tables }) => reproducedRows(tables),
    parts: ({ tables }) => reproducedParts(tables),
  });
}
