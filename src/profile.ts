import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { type Check, MAX_THREADS, oneOf, wholeNumber } from './check.js';
import { ErrnoError, invalid } from './errno.js';
import { orderOf, parseSize } from './units.js';
import {
  CALLER_MODES,
  type CallerMode,
  COPY_METHODS,
  type CopyMethod,
  checkUnitBytes,
  DISTRIBUTIONS,
  type Distribution,
  FLOWS,
  type Flow,
  MAX_DMA_CHANNELS,
  MIGRATOR_NAMES,
  type MigratorName,
  SCHEDULES,
  type Schedule,
  STORES,
  type Stores,
} from './words.js';

/*
 * Profiles: what was found to be best on a machine, kept in a file.
 */

/** What a profile's `schema` says. */
export const PROFILE_SCHEMA = 'mtcopy-profile';
/** The `version` of the schema that this library writes and reads. */
export const PROFILE_VERSION = 2;

/** By what a machine is known again: another one has other settings that are best. */
export interface ProfileHost {
  /** The model of its first CPU, as the operating system says it. */
  readonly cpu: string;
  /** Threads that it can run at once. */
  readonly cores: number;
  /** `process.arch`. */
  readonly arch: string;
  /** `process.platform`. */
  readonly platform: string;
  /** The first number of Node.js's version. */
  readonly nodeMajor: number;
}

/** What is best for a `CopyEngine`: values of its options of the same names. */
export interface EngineSettings {
  /** Worker threads, 1 to 64. */
  readonly threads: number;
  /** How they share a batch. */
  readonly schedule: Schedule;
  /** How the lists of a static schedule are made. */
  readonly distribution: Distribution;
  /** Bytes of what a thread claims at once with the dynamic one. */
  readonly unitBytes: number | 'auto';
  /** Whether the calling thread copies too. */
  readonly caller: CallerMode;
  /** Bytes; `'never'` where the calling thread alone was at least as fast, however much was copied. */
  readonly minParallelBytes: number | 'never';
  /** Which loop copies the bytes. */
  readonly method: CopyMethod;
  /** Whether what is written is kept in the caches, where `method` is `'auto'`. */
  readonly stores: Stores;
}

/** What is best for a `Machine`: values of its options of the same names, but for the last two. */
export interface MachineSettings {
  /** What copies. */
  readonly migrator: MigratorName;
  /** In which order a batch goes through its steps. */
  readonly flow: Flow;
  /** Whether what is copied is kept in the caches. */
  readonly stores: Stores;
  /** Worker threads of `'mtcopy'`, 1 to 64. */
  readonly threads: number;
  /** How they share a batch. */
  readonly schedule: Schedule;
  /** Whether the calling thread copies beside them. */
  readonly caller: CallerMode;
  /** Bytes of the smallest batch that `'mtcopy'`, or `'dcbm'` if that is the migrator, takes: `min_bytes` of sysfs. */
  readonly minBytes: number;
  /** Channels of `'dcbm'`: `nr_dma_chan` of sysfs. */
  readonly channels: number;
}

/** What is best for batches of one size, of folios of one size, beside so many busy processes. */
export interface ProfileSize {
  /** Processes that never rest, which ran meanwhile; 0 is idle. */
  readonly load: number;
  /** Bytes of a folio: a power of two from 4 KiB to 4 MiB. */
  readonly folioBytes: number;
  /** Bytes of a batch. */
  readonly batchBytes: number;
  /** What is best for an engine then. */
  readonly engine: EngineSettings;
  /** What is best for a machine then. */
  readonly machine: MachineSettings;
}

/** What `mtcopy tune` found, as it is kept in a file, as JSON. */
export interface Profile {
  /** By which it is known for one. */
  readonly schema: 'mtcopy-profile';
  /** Of the schema: another one is EINVAL. */
  readonly version: 2;
  /** The version of mtcopy that measured. */
  readonly mtcopy: string;
  /** When it measured: ISO 8601, UTC. */
  readonly date: string;
  /** The machine that it was measured on, where alone it holds. */
  readonly host: ProfileHost;
  /** What is best for an engine over all sizes, on an idle machine. */
  readonly engine: EngineSettings;
  /** What is best for a machine, likewise. */
  readonly machine: MachineSettings;
  /** What is best for each size, one at least. */
  readonly sizes: readonly ProfileSize[];
}

/** What to take from which profile. */
export interface ProfileUse {
  /** The path of its file, or what {@link readProfile} returned. */
  readonly from: string | Profile;
  /** Bytes of the folios that will be copied, or a string such as `'2M'`. Default: what is best over all sizes. */
  readonly folioSize?: number | string | undefined;
  /** Bytes of the batches, or a string such as `'64M'`. Default: what is best over all sizes. */
  readonly batch?: number | string | undefined;
  /** Busy processes beside it. Default: 0. */
  readonly load?: number | undefined;
  /** Whether it is taken although another machine's. Default: false. */
  readonly force?: boolean | undefined;
}

/** A profile, by the path of its file, or what to take from which. */
export type ProfileOption = string | Profile | ProfileUse;

/** What a profile says of an engine, and of a machine. */
export type TunedSettings = Pick<ProfileSize, 'engine' | 'machine'>;

/** Takes what somebody gave as `name`: checks it, and returns what was checked. */
type Take<T> = (name: string, value: unknown) => T;
type Takes<T> = { readonly [Name in keyof T]-?: Take<T[Name]> };

const LOAD = wholeNumber(0, Number.POSITIVE_INFINITY);
const BYTES = wholeNumber(1, Number.POSITIVE_INFINITY);
const WHAT_TO_DO = "make another with 'mtcopy tune'";

function checked<T>(check: Check): Take<T> {
  return (name, value) => {
    check(name, value);
    return value as T;
  };
}

/** Its own value or the word, whose meaning a number doesn't have. */
function orWord<T>(word: string, check: Check): Take<T> {
  return checked((name, value) => {
    if (value === word) return;
    if (typeof value !== 'number') throw invalid(name, `must be a number or '${word}'`, value);
    check(name, value);
  });
}

/** An object of exactly these members, each of which is read once. */
function members<T extends object>(takes: Takes<T>): Take<T> {
  const names = Object.keys(takes) as (keyof T & string)[];
  return (name, value) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw invalid(name, 'must be an object', value);
    }
    const unknown = Object.keys(value).find((key) => !Object.hasOwn(takes, key));
    if (unknown !== undefined) throw invalid(name, `must have ${names.join(', ')}`, unknown);
    const taken = names.map((key) => [key, takes[key](`${name}.${key}`, (value as T)[key])] as const);
    return Object.fromEntries(taken) as unknown as T;
  };
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw invalid(name, 'must be a string with something in it', value);
}

function isoDate(name: string, value: unknown): string {
  const date = new Date(text(name, value));
  if (!Number.isNaN(date.getTime()) && date.toISOString() === value) return value;
  throw invalid(name, 'must be a date such as 2026-11-22T03:33:13.000Z', value);
}

const ENGINE = members<EngineSettings>({
  threads: checked(wholeNumber(1, MAX_THREADS)),
  schedule: checked(oneOf(SCHEDULES)),
  distribution: checked(oneOf(DISTRIBUTIONS)),
  unitBytes: orWord('auto', checkUnitBytes),
  caller: checked(oneOf(CALLER_MODES)),
  minParallelBytes: orWord('never', wholeNumber(0, Number.POSITIVE_INFINITY)),
  method: checked(oneOf(COPY_METHODS)),
  stores: checked(oneOf(STORES)),
});
const MACHINE = members<MachineSettings>({
  migrator: checked(oneOf(MIGRATOR_NAMES)),
  flow: checked(oneOf(FLOWS)),
  stores: checked(oneOf(STORES)),
  threads: checked(wholeNumber(1, MAX_THREADS)),
  schedule: checked(oneOf(SCHEDULES)),
  caller: checked(oneOf(CALLER_MODES)),
  minBytes: checked(wholeNumber(0, Number.POSITIVE_INFINITY)),
  channels: checked(wholeNumber(1, MAX_DMA_CHANNELS)),
});
const SIZE = members<ProfileSize>({
  load: checked(LOAD),
  folioBytes: checked((name, value) => {
    BYTES(name, value);
    orderOf(value as number);
  }),
  batchBytes: checked(BYTES),
  engine: ENGINE,
  machine: MACHINE,
});
const HOST = members<ProfileHost>({
  cpu: text,
  cores: checked(BYTES),
  arch: text,
  platform: text,
  nodeMajor: checked(BYTES),
});
const PROFILE = members<Profile>({
  schema: checked(oneOf([PROFILE_SCHEMA])),
  version: checked(checkVersion),
  mtcopy: text,
  date: isoDate,
  host: HOST,
  engine: ENGINE,
  machine: MACHINE,
  sizes(name, value) {
    if (!Array.isArray(value) || value.length === 0) throw invalid(name, 'must be a list with something in it', value);
    return Array.from(value, (size, i) => SIZE(`${name}[${i}]`, size));
  },
});
const USE: Takes<ProfileUse> = {
  from: (_, value) => value as string | Profile,
  folioSize: optional((_, value) => {
    const bytes = parseSize(value as number | string, 'profile.folioSize');
    orderOf(bytes);
    return bytes;
  }),
  batch: optional((_, value) => {
    const bytes = parseSize(value as number | string, 'profile.batch');
    BYTES('profile.batch', bytes);
    return bytes;
  }),
  load: optional(checked<number>(LOAD)),
  force: optional(
    checked<boolean>((name, value) => {
      if (typeof value !== 'boolean') throw invalid(name, 'must be true or false', value);
    }),
  ),
};
const takeUse = members<ProfileUse>(USE);

function optional<T>(take: Take<T>): Take<T | undefined> {
  return (name, value) => (value === undefined ? undefined : take(name, value));
}

function checkVersion(name: string, value: unknown): void {
  if (value === PROFILE_VERSION) return;
  throw invalid(
    name,
    `must be ${PROFILE_VERSION}, which is all that this mtcopy reads, with --force-profile too: ${WHAT_TO_DO}`,
    value,
  );
}

/**
 * A profile, checked: each member is there, of its type, and in its range, and there are no others.
 *
 * @param name what an error calls it
 * @returns a copy of it
 * @throws ErrnoError EINVAL for anything else
 */
export function checkProfile(value: unknown, name = 'profile'): Profile {
  text('name', name);
  const { schema, version } = (value ?? {}) as Partial<Profile>;
  // First: of what is something else, or of another version, all other members may be wrong.
  if (schema !== PROFILE_SCHEMA) {
    throw invalid(`${name}.schema`, `must be '${PROFILE_SCHEMA}', as in what 'mtcopy tune' writes`, schema);
  }
  checkVersion(`${name}.version`, version);
  return PROFILE(name, value);
}

/**
 * Reads a profile from its file. It may be another machine's: {@link hostDifferences} tells.
 *
 * @throws ErrnoError ENOENT if there is no such file; EISDIR, EACCES, EIO if it can't be read; EINVAL for what is no path, or no
 * profile
 */
export function readProfile(path: string): Profile {
  // A number would be that of an open file.
  if (typeof path !== 'string' || path.includes('\0')) throw invalid('profile', 'must be the path of a file', path);
  return checkProfile(parse(path, readText(path)), path);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new ErrnoError('ENOENT', `profile: there is no ${path}: 'mtcopy tune' writes one`, { cause: error });
    }
    if (code === 'EISDIR') throw new ErrnoError('EISDIR', `profile: ${path} is a directory`, { cause: error });
    if (code === 'EACCES') throw new ErrnoError('EACCES', `profile: ${path} can't be read`, { cause: error });
    throw new ErrnoError('EIO', `profile: ${path} can't be read (${code})`, { cause: error });
  }
}

function parse(path: string, json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    const problem = `is no JSON, or not all of it: ${WHAT_TO_DO} (${(error as Error).message})`;
    throw new ErrnoError('EINVAL', `${path}: ${problem}`, { cause: error });
  }
}

/** This machine, as a profile knows it. */
export function profileHost(): ProfileHost {
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: availableParallelism(),
    arch: process.arch,
    platform: process.platform,
    nodeMajor: Number.parseInt(process.versions.node, 10),
  };
}

/**
 * What differs between a profile's machine and this one, such as `cores 64, here 2`; empty for the same.
 *
 * @param here the machine to compare it with. Default: this one
 * @throws ErrnoError EINVAL for what is no profile, or no machine
 */
export function hostDifferences(profile: Profile, here = profileHost()): string[] {
  const theirs = HOST('profile.host', profile?.host);
  const ours = HOST('here', here);
  const names = Object.keys(ours) as (keyof ProfileHost)[];
  const different = names.filter((name) => theirs[name] !== ours[name]);
  return different.map((name) => `${name} ${theirs[name]}, here ${ours[name]}`);
}

/**
 * What a profile says for what is to be copied: of folios, batches or a load that are named, for the nearest that was measured,
 * the load first; otherwise over all sizes.
 *
 * @throws ErrnoError EINVAL for what is no profile, another machine's unless it is forced, or a wrong `ProfileUse`; what
 * {@link readProfile} throws
 */
export function settingsOf(option: ProfileOption): TunedSettings {
  const { from, force, ...asked } = useOf(option);
  if (typeof from !== 'string' && (from === null || typeof from !== 'object')) {
    throw invalid('profile', 'must be the path of a file, or what readProfile() returned', from);
  }
  const profile = typeof from === 'string' ? readProfile(from) : checkProfile(from);
  const differences = hostDifferences(profile);
  if (differences.length > 0 && !force) {
    const which = typeof from === 'string' ? `${from} ` : '';
    const problem = `${which}is another machine's (${differences.join('; ')})`;
    const instead = `make one here with 'mtcopy tune', or force it: --force-profile, or { from, force: true }`;
    throw new ErrnoError('EINVAL', `profile: ${problem}: ${instead}`);
  }
  return nearest(profile, asked);
}

function useOf(option: ProfileOption): ProfileUse {
  const isUse = option !== null && typeof option === 'object' && 'from' in option;
  return isUse ? takeUse('profile', option) : { from: option };
}

function nearest(profile: Profile, { folioSize, batch, load }: Omit<ProfileUse, 'from' | 'force'>): TunedSettings {
  if (folioSize === undefined && batch === undefined && load === undefined) return profile;
  const distance = (size: ProfileSize) => [
    Math.abs(size.load - (load ?? 0)),
    octaves(size.folioBytes, folioSize) + octaves(size.batchBytes, batch),
    // Of two that are as near: the one with more to gain.
    -size.batchBytes,
  ];
  return profile.sizes.reduce((best, size) => (isLess(distance(size), distance(best)) ? size : best));
}

/** How many times one must be doubled to be the other; 0 if it doesn't matter. */
function octaves(bytes: number, asked: number | string | undefined): number {
  return asked === undefined ? 0 : Math.abs(Math.log2(bytes / (asked as number)));
}

/**
 * Whether one comes before another: the first number that differs says.
 *
 * @internal
 */
export function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && a[at] < b[at];
}
