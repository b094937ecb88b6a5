import { ErrnoError } from 'mtcopy';
import type {
  CopyMeasurement,
  FlowComparison,
  HostFacts,
  MigrateMeasurement,
  PmbenchMeasurement,
  Reproduction,
  Tuned,
} from 'mtcopy/experiments';
import packageJson from '../../../package.json' with { type: 'json' };
import { printable } from '../escape.js';
import { misshapen, shortText } from './shape.js';
import { HEAD, MEASURED, SHAPES } from './shapes.js';

interface Head {
  /** Of the mtcopy that printed it. */
  readonly version: string;
  /** As `Date.prototype.toISOString` has it. */
  readonly date: string;
  /** Of the command line. */
  readonly arguments: readonly string[];
  /** Where it ran. */
  readonly host: HostFacts;
  /** Whether it was ended before every run was made. Default: every run was. */
  readonly cutShort?: boolean;
}

/** What `mtcopy copy --json` prints. */
export interface CopyResult extends Head {
  /** Which command printed it. */
  readonly command: 'copy';
  /** A row for each combination that was measured. */
  readonly results: readonly CopyMeasurement[];
}

/** What `mtcopy migrate --json` prints. */
export interface MigrateResult extends Head {
  /** Which command printed it. */
  readonly command: 'migrate';
  /** A row for each combination that was measured. */
  readonly results: readonly MigrateMeasurement[];
}

/** What `mtcopy pmbench --json` prints. */
export interface PmbenchResult extends Head {
  /** Which command printed it. */
  readonly command: 'pmbench';
  /** A row for each combination that was measured. */
  readonly results: readonly PmbenchMeasurement[];
  /** Of `vanilla` and `serial`. Default: they weren't both measured. */
  readonly comparison?: FlowComparison;
}

/** What `mtcopy reproduce --json` prints. */
export interface ReproduceResult extends Head, Reproduction {
  /** Which command printed it. */
  readonly command: 'reproduce';
}

/** What `mtcopy tune --json` prints. */
export interface TuneResult extends Head, Tuned {
  /** Which command printed it. */
  readonly command: 'tune';
}

/** What `mtcopy sysfs --json` prints. */
export interface SysfsResult extends Head {
  /** Which command printed it. */
  readonly command: 'sysfs';
  /** Every file of the tree. */
  readonly files: readonly {
    /** From the root of the tree on. */
    readonly path: string;
    /** What is read from it, without its line end. */
    readonly value: string;
    /** Whether it can be written. */
    readonly writable: boolean;
    /** What it sets or says. */
    readonly doc: string;
  }[];
}

/** What a command printed with `--json`. */
export type Result = CopyResult | MigrateResult | PmbenchResult | ReproduceResult | TuneResult | SysfsResult;

/** Results of other versions may have other members: as long as it is 0, the second number says so. */
const READ = packageJson.version.replace(/\.\d+$/, '');

/**
 * Reads what a command printed with `--json`.
 *
 * @param name of the file, for errors
 * @throws ErrnoError EIO for a text that is no such JSON, or ends too soon, or is of a version that isn't known
 */
export function readResult(text: string, name: string): Result {
  const fail = (why: string, options?: ErrorOptions) =>
    new ErrnoError('EIO', printable(`report: ${name} ${why}`), options);
  const value = parse(text, fail) as Partial<Result>;
  const command = value?.command;
  if (typeof command !== 'string' || !Object.hasOwn(SHAPES, command)) {
    throw fail(`is not what a command of mtcopy printed with --json: its command is ${shortText(command, 'missing')}`);
  }
  if (typeof value.version !== 'string' || !value.version.startsWith(`${READ}.`)) {
    throw fail(`is of version ${shortText(value.version, 'unknown')}: this mtcopy reads results of ${READ}`);
  }
  const why = misshapen(value, HEAD, '') ?? misshapen(value, SHAPES[command], '') ?? misshapenTables(value);
  if (why !== undefined) throw fail(`is not what mtcopy ${command} prints: ${why}`);
  return value as Result;
}

/** Of a result whose tables have names. */
function misshapenTables(value: Partial<Result>): string | undefined {
  if (value.command !== 'reproduce') return undefined;
  for (const [i, { name, measured }] of (value.tables ?? []).entries()) {
    const why = misshapen(measured, MEASURED[name], `tables[${i}].measured`);
    if (why !== undefined) return why;
  }
  return undefined;
}

function parse(text: string, fail: (why: string, options: ErrorOptions) => ErrnoError): unknown {
  try {
    // JSON has null for what is no number, such as a mean of nothing; 1e999 is none either.
    return JSON.parse(text, (_, value) =>
      value === null || value === Infinity || value === -Infinity ? Number.NaN : value,
    );
  } catch (cause) {
    throw fail(`is no JSON, or ends too soon: ${(cause as Error).message}`, { cause });
  }
}
