import { Argument, type Command } from 'commander';
import { reproduce, reproducedText, TABLE_NAMES, type TableName } from 'mtcopy/experiments';
import { number, word } from './arguments.js';
import { addJsonOption, present } from './present.js';

interface ReproduceArguments {
  quick?: boolean;
  seconds?: number;
  json?: boolean;
}

/** Adds `mtcopy reproduce`. */
export function addReproduceCommand(program: Command): void {
  const table = word(...TABLE_NAMES);
  const command = program
    .command('reproduce')
    .description('run the published experiments here, and show their tables beside the published ones')
    .addArgument(
      new Argument('[tables...]', `of ${TABLE_NAMES.join(', ')} (default: all)`).argParser(
        (text: string, before: TableName[] | undefined) => [...(before ?? []), table(text)],
      ),
    )
    .option('--quick', 'move 64M instead of 1G, and measure less: all tables in minutes')
    .option('--seconds <seconds>', 'measured for each table at most (default: 600; quick 12)', number)
    .action((tables: TableName[] | undefined, options: ReproduceArguments) => show(tables, options));
  addJsonOption(command);
}

async function show(asked: TableName[] | undefined, { json, ...options }: ReproduceArguments): Promise<void> {
  await present('reproduce', json, {
    preparing: 'preparing',
    measure: async (control) => {
      const tables = await reproduce({ ...options, ...(asked?.length && { tables: asked }) }, control);
      return { tables };
    },
    text: ({ tables }) => reproducedText(tables),
  });
}
