import { type Command, Option } from 'commander';
import { type Control, hostFacts, markdownOf, type Part, textOf } from 'mtcopy/experiments';
import { type Comparable, compareRows, comparisonParts, readBaseline } from './baseline.js';
import { csvOf } from './csv.js';
import { startProgress } from './progress.js';
import { columnsOf, type Shell, write } from './shell.js';
import { type TraceArguments, withTrace } from './trace.js';

/** A command line that is run. */
export interface Invocation extends Shell {
  readonly args: readonly string[];
  readonly version: string;
}

/** Options of every command that measures. */
export interface OutputArguments extends TraceArguments {
  json?: boolean;
  csv?: boolean;
  markdown?: boolean;
  progress?: boolean;
  baseline?: string;
}

/** How a command measures, and what it shows. */
export interface Presentation<Result extends object> {
  /** Shown until the first run. */
  readonly preparing: string;
  readonly measure: (control: Control) => Promise<Result>;
  /** What was measured: a line of CSV each. */
  readonly rows: (result: Result) => readonly object[];
  /** The result, with one row at least, for a person. */
  readonly parts: (result: Result) => readonly Part[];
  /** Whether runs were left out, for the signal was aborted. Default: if it was. */
  readonly isCutShort?: (result: Result) => boolean;
  /** How its `results` are compared with those of an earlier run; it has no --baseline without. */
  readonly comparable?: Comparable;
}

const NOTHING = 'Nothing was measured: it was cut short before a run had ended.';
const CUT_SHORT = 'Cut short: not every run was made.';

/** Has a command print its result in other ways on demand. */
export function addOutputOptions(command: Command): void {
  const formats = {
    json: 'one JSON object',
    csv: 'comma-separated values, a line a row',
    markdown: 'tables of Markdown',
  };
  for (const [name, what] of Object.entries(formats)) {
    const others = Object.keys(formats).filter((other) => other !== name);
    command.addOption(new Option(`--${name}`, `print ${what} and nothing else`).conflicts(others));
  }
  command.option('--progress', 'say now and then on standard error how far it is, also if that is no terminal');
}

/** Has a command compare what it measures with an earlier run. */
export function addBaselineOption(command: Command): void {
  command.option('--baseline <file>', 'compare with an earlier run of this command: what it printed with --json');
}

/**
 * Measures, with progress on standard error if that is a terminal, and prints the result, as it was asked for. Once the signal is
 * aborted, measuring ends after the run at hand, and what was measured by then is printed.
 *
 * @throws ErrnoError EINVAL for a baseline that is none, ENOENT for one that isn't there. OutputError if the output can't be
 * written. What `measure` and {@link withTrace} throw; once the result is printed, EIO if its trace couldn't all be written
 */
export async function present<Result extends object>(
  command: string,
  invocation: Invocation,
  asked: OutputArguments,
  {
    preparing,
    measure,
    rows,
    parts,
    isCutShort: isCut = () => invocation.signal.aborted,
    comparable,
  }: Presentation<Result>,
): Promise<Result> {
  const { stdout, stderr, signal, args, version } = invocation;
  const baseline =
    asked.baseline === undefined || !comparable ? undefined : readBaseline(asked.baseline, command, comparable);
  const date = new Date().toISOString();
  const progress = startProgress(stderr, signal, preparing, asked.progress);
  const control = { signal, onProgress: progress.show };
  const { result, failure } = await withTrace(command, asked, stderr, () => measure(control)).finally(progress.stop);
  const cutShort = isCut(result) && { cutShort: true };
  const compared = baseline && comparable && compareRows(baseline, result, comparable);
  const all = { ...result, ...compared };
  const isEmpty = rows(all).length === 0;
  const shown = [
    ...(isEmpty ? [] : parts(result)),
    ...(compared && baseline && !isEmpty ? comparisonParts(baseline, compared, comparable) : []),
    ...(cutShort ? [isEmpty ? NOTHING : CUT_SHORT] : []),
  ];
  if (asked.json) {
    const head = { command, version, date, arguments: args, host: hostFacts() };
    await write(stdout, `${JSON.stringify({ ...head, ...cutShort, ...all })}\n`);
  } else if (asked.csv) {
    await write(stdout, csvOf(rows(all)));
    if (cutShort) stderr.write(`mtcopy: ${isEmpty ? NOTHING : CUT_SHORT}\n`);
  } else if (asked.markdown) {
    await write(stdout, `${markdownOf(shown)}\n`);
  } else {
    await write(stdout, `${textOf(shown, columnsOf(stdout))}\n`);
  }
  if (failure !== undefined) throw failure;
  return result;
}
