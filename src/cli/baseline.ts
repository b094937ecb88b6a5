import { readFileSync } from 'node:fs';
import { ErrnoError } from 'mtcopy';
import { type HostFacts, hostFacts, inputSize, type Part } from 'mtcopy/experiments';

/** How rows of an earlier run are found again, and what of them is compared. */
export interface Comparable {
  /** Names of the members of the whole result, and of a row, that say what was measured. */
  readonly context: readonly string[];
  readonly settings: readonly string[];
  /** What is compared, of a result that is as it was printed. Default: its `results`. */
  readonly rowsOf?: (result: Row) => readonly Row[] | undefined;
  /** Where a row has what is compared, such as `gbps.median`: more is better. */
  readonly figure: string;
}

export type Row = Readonly<Record<string, unknown>>;

/** An earlier run. */
interface Baseline {
  readonly file: string;
  readonly date: string | undefined;
  readonly version: string | undefined;
  readonly host: Partial<HostFacts>;
  /** The figure of each row, by {@link keyOf}. */
  readonly figures: ReadonlyMap<string, number>;
}

/** What a row had in the earlier run, and this run's figure by that. */
interface Earlier {
  readonly figure: number;
  readonly ratio: number;
}

interface Compared {
  readonly results: readonly (Row & { readonly baseline?: Earlier })[];
  readonly baseline: Pick<Baseline, 'file' | 'date' | 'version'> & { readonly sameHost: boolean };
}

/** @throws ErrnoError ENOENT if the file isn't there; EINVAL if it isn't what that command printed with --json */
export function readBaseline(file: string, command: string, comparable: Comparable): Baseline {
  inputSize(file, 'baseline');
  const printed = parse(readFileSync(file, 'utf8'));
  if (!printed) throw wrong(file, 'is no JSON, or ends too soon');
  if (printed.command !== command) {
    const whose = typeof printed.command === 'string' ? `mtcopy ${printable(printed.command)}` : 'something else';
    throw wrong(file, `is of ${whose}, not of mtcopy ${command}`);
  }
  const { host, date, version } = printed as Row & {
    host?: Partial<HostFacts>;
    date?: string;
    version?: string;
  };
  const results = shapedOf(printed, comparable);
  if (!Array.isArray(results) || results.length === 0) throw wrong(file, 'has no results');
  const figures = results.map((row): [string, number] => {
    const figure = figureOf(row, comparable);
    if (!(figure > 0)) throw wrong(file, `has results without ${comparable.figure}`);
    return [keyOf(printed, row, comparable), figure];
  });
  return { file, date, version, host: host ?? {}, figures: new Map(figures) };
}

/** What is compared of a file's result, which may have any shape; `undefined` if it hasn't that of one. */
function shapedOf(printed: object, how: Comparable): unknown {
  try {
    return comparedOf(printed, how);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function comparedOf(result: object, { rowsOf }: Comparable): unknown {
  return rowsOf ? rowsOf(result as Row) : (result as Row).results;
}

function parse(text: string): Row | undefined {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function wrong(file: string, what: string): ErrnoError {
  return new ErrnoError('EINVAL', `baseline: must be what an earlier run printed with --json: ${file} ${what}`);
}

/** What was measured, as text that is the same in both runs. */
function keyOf(result: object, row: object, { context, settings }: Comparable): string {
  const pick = (from: object, names: readonly string[]) => names.map((name) => (from as Row)[name] ?? null);
  return JSON.stringify([pick(result, context), pick(row, settings)]);
}

function figureOf(row: unknown, { figure }: Comparable): number {
  const value = figure.split('.').reduce((from, name) => (from as Row | undefined)?.[name], row);
  return typeof value === 'number' ? value : Number.NaN;
}

/** The rows of this run that are compared, as its `results`, each with what it was in the earlier one, if it was measured there. */
export function compareRows(
  { figures, file, date, version, host }: Baseline,
  result: object,
  how: Comparable,
): Compared {
  const results = comparedOf(result, how) as readonly Row[];
  const now = hostFacts();
  const sameHost = (Object.keys(now) as (keyof HostFacts)[]).every((name) => host[name] === now[name]);
  return {
    baseline: { file, date, version, sameHost },
    results: results.map((row) => {
      const figure = figures.get(keyOf(result, row, how));
      return figure === undefined ? row : { ...row, baseline: { figure, ratio: figureOf(row, how) / figure } };
    }),
  };
}

/** The settings that tell rows apart, and how each row compares, with a word of caution. */
export function comparisonParts(
  { file, date, host }: Baseline,
  { results, baseline }: Compared,
  how: Comparable,
): Part[] {
  const heading = `Against ${file}${date === undefined ? '' : ` of ${printable(String(date))}`}, ${how.figure}:`;
  const known = results.flatMap((row) => (row.baseline ? [{ row, earlier: row.baseline }] : []));
  if (known.length === 0) return [`${heading} none of these was measured then with the same settings.`];
  const varying = how.settings.filter((name) => new Set(results.map((row) => row[name])).size > 1);
  const rows = known.map(({ row, earlier: { figure, ratio } }) => [
    ...(varying.length === 0 ? ['all'] : varying.map((name) => String(row[name] ?? ''))),
    ...[figure * ratio, figure].map((value) => Number(value.toPrecision(3)).toLocaleString('en-US')),
    ratio.toFixed(2),
  ]);
  const missing = results.length - known.length;
  return [
    heading,
    { texts: varying.length === 0 ? ['row'] : varying, numbers: ['now', 'then', 'ratio'], rows },
    ...(missing > 0 ? [`${missing} of ${results.length} rows were not measured then.`] : []),
    'Runs of different times differ by what else the machine did: only what runs in turns compares well.',
    ...(baseline.sameHost
      ? []
      : [`That was another host, or another Node.js: ${printable(hostText(host))}; this is ${hostText(hostFacts())}.`]),
  ];
}

function hostText({ cpu, cores, node }: Partial<HostFacts>): string {
  return `${cpu ?? 'unknown'}, ${cores ?? '?'} cores, Node.js ${node ?? '?'}`;
}

/** Without what a terminal obeys: the file may be anybody's. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\ufffd');
}
