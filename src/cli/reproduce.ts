import { Argument, type Command } from 'commander';
import { ErrnoError, STORES, type Stores } from 'mtcopy';
import {
  EXPERIMENTS,
  type Experiment,
  type FailedTable,
  type Figure,
  failedText,
  type ReproducedTable,
  type Reproduction,
  reproduce,
  reproducedParts,
  reproducedRows,
  TABLE_NAMES,
  type TableName,
} from 'mtcopy/experiments';
import { natural, number, word } from './arguments.js';
import type { Comparable, Row } from './baseline.js';
import { addExamples } from './examples.js';
import { addBaselineOption, addOutputOptions, type Invocation, type OutputArguments, present } from './present.js';
import { addProfileOption, type ProfileArguments, tunedBy } from './profile.js';
import { addTraceOption } from './trace.js';

interface ReproduceArguments extends OutputArguments, ProfileArguments {
  quick?: boolean;
  seconds?: number;
  warmup?: number;
  seed?: number;
  stores?: Stores;
}

/** How long it takes; of 60 columns. */
const HOW_LONG = `
A table takes its seconds: 10 min each and 100 min for all
by default, about 2 min for all with --quick. Each part has
six rounds in any case; a line below a table says where the
time was over first. Most move less where six rounds would
not fit, and say so.`;

/** Tables in which CPUs draw pages. */
const DRAWING = TABLE_NAMES.filter((name) => (EXPERIMENTS[name] as Experiment<object, never>).drawsPages);
/** Tables in which a profile says anything. */
const TUNED = TABLE_NAMES.filter((name) => (EXPERIMENTS[name] as Experiment<object, never>).takesProfile);

/** Tables whose copies differ by their stores. */
const STORING = TABLE_NAMES.filter((name) => (EXPERIMENTS[name] as Experiment<object, never>).takesStores);

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
    .option('--warmup <rounds>', "rounds of each part that don't count (default: by what they move)", natural)
    .option('--seed <number>', `what CPUs draw pages by, in ${DRAWING.join(' and ')} (default: 0)`, natural)
    .option(
      '--stores <stores>',
      'copy all with auto, cached or streaming (default: cached where published)',
      word(...STORES),
    )
    .action((tables: TableName[] | undefined, options: ReproduceArguments) => show(invocation, tables, options));
  command.addHelpText('after', HOW_LONG);
  addProfileOption(command);
  addBaselineOption(command);
  addOutputOptions(command);
  addTraceOption(command);
  addExamples(command, {
    'reproduce --quick': 'All of them, in minutes',
    'reproduce folio-size': 'One of them thoroughly, in some ten minutes',
    'reproduce cycles-per-page --quick --json': 'One of them, for a program',
  });
}

/** A figure, and of which table. */
type FigureRow = Figure & { readonly table: string };

/** What is compared with an earlier run: figures of several runs, as an interval or a standard deviation shows. */
const COMPARABLE: Comparable = {
  context: ['quick', 'stores'],
  settings: ['table', 'row', 'variant', 'measure', 'unit'],
  figure: 'value',
  rowsOf: ({ tables }: { readonly tables?: readonly Partial<ReproducedTable>[] } & Row) =>
    tables?.flatMap(({ name, figures = [] }) =>
      figures
        .filter(({ value, low, deviation }) => value > 0 && (low !== undefined || deviation !== undefined))
        .map((figure) => ({ table: name, ...figure })),
    ),
};

async function show(
  invocation: Invocation,
  asked: TableName[] | undefined,
  options: ReproduceArguments,
): Promise<void> {
  const { quick, seconds, warmup, seed, stores, profile } = options;
  checkMeaning('--seed', seed, asked, DRAWING, 'where CPUs draw no pages');
  checkMeaning('--stores', stores, asked, STORING, 'whose copies are the same with all of them');
  checkMeaning('--profile', profile, asked, TUNED, 'whose settings are the published ones');
  const tuning = tunedBy(options, undefined) && { from: profile as string, force: options.forceProfile };
  const { failed, tables } = await present('reproduce', invocation, options, {
    preparing: 'preparing',
    measure: (control) =>
      reproduce(
        { quick, seconds, warmUps: warmup, seed, stores, profile: tuning, ...(asked?.length && { tables: asked }) },
        control,
      ),
    rows: (result: Reproduction & { readonly results?: readonly FigureRow[] }) => rowsOf(result),
    parts: reproducedParts,
    isCutShort: ({ tables, notBegun }) => notBegun.length > 0 || tables.some(({ cutShort }) => cutShort),
    comparable: COMPARABLE,
  });
  if (failed.length > 0) throw failureOf(failed, tables.length + failed.length);
}

/** @throws ErrnoError EINVAL for an option that means nothing to any table that is asked for */
function checkMeaning(
  option: string,
  value: unknown,
  asked: readonly TableName[] | undefined,
  meantFor: readonly TableName[],
  why: string,
): void {
  if (value === undefined || !asked?.length || asked.some((name) => meantFor.includes(name))) return;
  throw new ErrnoError('EINVAL', `${option}: means nothing to ${asked.join(', ')}, ${why}`);
}

/** Figures have what they were in an earlier run beside them, if there is one. */
function rowsOf(result: Reproduction & { readonly results?: readonly FigureRow[] }): object[] {
  const rows = reproducedRows(result);
  if (!result.results) return rows;
  const keyOf = ({ table, row, variant, measure }: Partial<FigureRow>) =>
    JSON.stringify([table, row, variant, measure]);
  const compared = new Map(result.results.map((row) => [keyOf(row), row]));
  return rows.map((row) => ({ ...row, ...compared.get(keyOf(row)) }));
}

/** An error whose exit status is 1, whatever has failed. */
function failureOf(failed: readonly FailedTable[], begun: number): Error {
  return new Error(`${failed.length} of ${begun} tables failed: ${failed.map(failedText).join('; ')}`);
}
