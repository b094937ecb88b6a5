import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import {
  above0,
  type Checks,
  checkOptions,
  ErrnoError,
  formatSize,
  KiB,
  listOf,
  MAX_THREADS,
  MiB,
  PhysicalMemory,
  type Profile,
  profileHost,
  wholeNumber,
  yesOrNo,
} from 'mtcopy';
import { count, folioSizes } from '../shared/checks.js';
import { combine } from '../shared/combine.js';
import type { Control } from '../shared/control.js';
import type { Ratio } from '../shared/ratio.js';
import { assembleProfile } from './assemble.js';
import { type Alternative, alternativesOf, choose, type Dimension, type Measured, speedRatio } from './choose.js';
import { COPY_DIMENSIONS, type CopyManner, copyCost, copyManners, METHOD_DIMENSION, raceCopies } from './copies.js';
import { startLoad } from './load.js';
import {
  MIGRATION_DIMENSIONS,
  type MigrationManner,
  migrationCost,
  migrationManners,
  raceMigrations,
} from './migrations.js';

/** What to tune for, and how thoroughly. */
export interface TuneOptions {
  /** Bytes of folios: powers of two from 4 KiB to 4 MiB. Default: 4 KiB and 2 MiB. */
  readonly folioBytes?: readonly number[] | undefined;
  /** Bytes of batches: whole folios of each size. Default: 2 MiB, as much as the kernel's largest batch of pages, and 32 MiB. */
  readonly batchBytes?: readonly number[] | undefined;
  /** Processes that never rest, beside which all is measured once more. Default: none, idle alone. */
  readonly load?: number | undefined;
  /** Numbers of worker threads to try, 1 to 64. Default: powers of two up to what the host can run at once, and that. */
  readonly threads?: readonly number[] | undefined;
  /** Seconds in all, above 0, not counting preparation and the seven rounds that are made in any case. Default: 100; quick 15. */
  readonly seconds?: number | undefined;
  /** Whether to know less of each ratio, and be done sooner. Default: false. */
  readonly quick?: boolean | undefined;
}

/** One setting that was tried. */
export interface Tried<Settings> {
  /** The setting. */
  readonly settings: Settings;
  /** Nanoseconds of each round: of a batch copied, or of all memory migrated. Fewer for those that left early. */
  readonly samplesNs: readonly number[];
  /** How many times as fast as the calling thread alone. */
  readonly ofAlone: Ratio;
}

/** What was chosen, of what, and why. */
export interface TunedChoice<Settings> {
  /** What is taken. */
  readonly chosen: Settings;
  /** The fastest; what is taken itself, or one that needs more. */
  readonly fastest: Settings;
  /** How many times as fast as the fastest what was chosen is. */
  readonly ofFastest: Ratio;
  /** How many times as fast as the calling thread alone. */
  readonly ofAlone: Ratio;
  /** What else there is for each setting. */
  readonly alternatives: readonly Alternative[];
  /** Every setting that was tried. */
  readonly tried: readonly Tried<Settings>[];
}

/** What was found for batches of one size, of folios of one size, beside so many busy processes. */
export interface TunedSize {
  /** Processes that never rest, which ran beside it; 0 is idle. */
  readonly load: number;
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Bytes of a batch. */
  readonly batchBytes: number;
  /** How to copy: 0 threads are the calling thread alone. */
  readonly copies: TunedChoice<CopyManner>;
  /** How to migrate; not there if it was cut short before. */
  readonly migrations?: TunedChoice<MigrationManner>;
}

/** What was found. */
export interface Tuned {
  /** Not there if it was cut short. */
  readonly profile?: Profile;
  /** What was found for each load and size that was measured. */
  readonly sizes: readonly TunedSize[];
}

const OPTIONS: Checks<TuneOptions> = {
  folioBytes: folioSizes,
  batchBytes: listOf(count),
  load: count,
  threads: listOf(wholeNumber(1, MAX_THREADS)),
  seconds: above0,
  quick: yesOrNo,
};
const FOLIO_BYTES = [4 * KiB, 2 * MiB];
const BATCH_BYTES = [2 * MiB, 32 * MiB];
const THOROUGH = { seconds: 100, bound: 0.01 } as const;
const QUICK = { seconds: 15, bound: 0.05 } as const;
/** Parts of the time that a size has, for what is measured of it. */
const SHARES = { copies: 4, methods: 1, migrations: 5 } as const;

/** Bytes of a folio and of a batch. */
interface Size {
  readonly folioBytes: number;
  readonly batchBytes: number;
}

/** Measures within a share of the time that is left. */
type Within = <T>(share: number, what: string, run: (seconds: number, control: Control) => Promise<T>) => Promise<T>;

/**
 * Finds the settings that are best on this machine, for folios and batches of some sizes: how to copy, and how to migrate. All
 * ways are measured in turns; those that are surely slower than the fastest leave, and of those that are left the one with the
 * fewest threads is chosen. Every run is verified.
 *
 * @throws ErrnoError EINVAL for options that are wrong; ENOMEM for more memory than there is; EIO if anything came out wrong
 * @returns what was measured and chosen; without a profile if the signal was aborted
 */
export async function tune(asked: TuneOptions = {}, control: Control = {}): Promise<Tuned> {
  const options = checkOptions(asked, OPTIONS);
  const { folioBytes = FOLIO_BYTES, batchBytes = BATCH_BYTES, load, threads = threadCounts(), quick = false } = options;
  const sizes = combine(distinct(folioBytes), distinct(batchBytes)).map(
    ([folio, batch]): Size => ({ folioBytes: folio, batchBytes: batch }),
  );
  for (const size of sizes) checkSize(size);
  const usual = quick ? QUICK : THOROUGH;
  const loads = load === undefined ? [0] : [0, load];
  const within = timeKeeper(options.seconds ?? usual.seconds, loads.length * sizes.length, control);
  const found: { measured: SizeFound; tuned: TunedSize }[] = [];
  for (const processes of loads) {
    if (control.signal?.aborted) break;
    const busy = await startLoad(processes);
    try {
      for (const size of sizes) {
        const one = await tuneSize(size, processes, distinct(threads), usual.bound, within, control);
        if (one) found.push(one);
        if (control.signal?.aborted) break;
      }
    } finally {
      await busy.end();
    }
  }
  const tuned = found.map((one) => one.tuned);
  if (control.signal?.aborted) return { sizes: tuned };
  const facts = { mtcopy: ownVersion(), date: new Date().toISOString(), host: profileHost() };
  return {
    profile: assembleProfile(
      found.map((one) => one.measured),
      facts,
    ),
    sizes: tuned,
  };
}

function distinct(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].toSorted((a, b) => a - b);
}

/** Powers of two up to what the host can run at once, and that. */
function threadCounts(): number[] {
  const most = Math.min(availableParallelism(), MAX_THREADS);
  const powers = Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, i) => 2 ** i);
  return distinct([...powers, most]);
}

/** @throws ErrnoError EINVAL unless a batch is whole folios; ENOMEM if two nodes have no room for it */
function checkSize({ folioBytes, batchBytes }: Size): void {
  if (batchBytes % folioBytes !== 0) {
    const problem = `must be whole folios of ${formatSize(folioBytes)}`;
    throw new ErrnoError('EINVAL', `batchBytes: ${problem}, got ${formatSize(batchBytes)}`);
  }
  // Now, and not once the smaller ones are measured.
  PhysicalMemory.create({ nodes: [batchBytes, batchBytes] });
}

/** Gives each part of each size its share of the time that is left when it begins. */
function timeKeeper(seconds: number, sizes: number, control: Control): Within {
  const until = performance.now() + seconds * 1000;
  let left = sizes * (SHARES.copies + SHARES.methods + SHARES.migrations);
  return (share, what, run) => {
    const own = (Math.max(0, until - performance.now()) / 1000) * (share / left);
    left -= share;
    const onProgress: Control['onProgress'] = (progress) =>
      control.onProgress?.({ ...progress, what: `${what}: ${progress.what}` });
    return run(own, { ...control, onProgress });
  };
}

type SizeFound = Parameters<typeof assembleProfile>[0][number];

/** @returns `undefined` if it was cut short before there was anything to choose from */
async function tuneSize(
  size: Size,
  load: number,
  threads: readonly number[],
  bound: number,
  within: Within,
  { signal }: Control,
): Promise<{ measured: SizeFound; tuned: TunedSize } | undefined> {
  const what = sizeText({ ...size, load });
  const copies = await within(SHARES.copies, `${what}, copying`, (seconds, control) =>
    raceCopies(copyManners(threads), size, { seconds, bound }, control),
  );
  const chosen = choose(copies, copyCost)?.chosen;
  if (!chosen) return undefined;
  const loops = [chosen, { ...chosen, method: 'typed-array' as const }];
  const methods = await within(SHARES.methods, `${what}, copying`, (seconds, control) =>
    raceCopies(loops, size, { seconds, bound }, control),
  );
  const migrations = await within(SHARES.migrations, `${what}, migrating`, (seconds, control) =>
    signal?.aborted
      ? Promise.resolve([])
      : raceMigrations(migrationManners(threads), size, { seconds, bound }, control),
  );
  const ofCopies = choiceOf(copies, copyCost, COPY_DIMENSIONS);
  const ofLoops = choiceOf(methods, copyCost, [METHOD_DIMENSION]);
  const ofMigrations = choiceOf(migrations, migrationCost, MIGRATION_DIMENSIONS);
  if (!ofCopies) return undefined;
  const tuned = {
    load,
    ...size,
    copies: {
      ...ofCopies,
      chosen: ofLoops?.chosen ?? chosen,
      alternatives: [...ofCopies.alternatives, ...(ofLoops?.alternatives ?? [])],
    },
    ...(ofMigrations && { migrations: ofMigrations }),
  };
  return { measured: { load, ...size, copies, methods, migrations }, tuned };
}

/** What was chosen, with its reasons; the first that was measured is the calling thread alone. */
function choiceOf<Settings>(
  measured: readonly Measured<Settings>[],
  costOf: (settings: Settings) => readonly number[],
  dimensions: readonly Dimension<Settings>[],
): TunedChoice<Settings> | undefined {
  const choice = choose(measured, costOf);
  if (!choice) return undefined;
  const [alone] = measured;
  const tried = measured.flatMap((one) => {
    const ofAlone = speedRatio(one, alone);
    return ofAlone ? [{ settings: one.settings, samplesNs: one.samplesNs[0], ofAlone }] : [];
  });
  const own = tried.find(({ settings }) => settings === choice.chosen);
  if (!own) return undefined;
  const alternatives = alternativesOf(measured, choice.chosen, dimensions);
  return { ...choice, ofAlone: own.ofAlone, alternatives, tried };
}

/** What was measured, in a few words. */
export function sizeText({ load, folioBytes, batchBytes }: Size & { readonly load: number }): string {
  const beside = load === 0 ? 'idle' : `beside ${load} busy ${load === 1 ? 'process' : 'processes'}`;
  return `${formatSize(batchBytes)} in folios of ${formatSize(folioBytes)}, ${beside}`;
}

function ownVersion(): string {
  return createRequire(import.meta.url)('mtcopy/package.json').version;
}
