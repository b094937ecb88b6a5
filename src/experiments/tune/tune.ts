import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import {
  above0,
  type Checks,
  CopyEngine,
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
import { count, folioSizes, seed as seedCheck, warmUps as warmUpsCheck } from '../shared/checks.js';
import { combine } from '../shared/combine.js';
import type { Control, Progress } from '../shared/control.js';
import type { Ratio } from '../shared/ratio.js';
import { assembleProfile } from './assemble.js';
import { type Alternative, alternativesOf, choose, type Dimension, type Measured, speedRatio } from './choose.js';
import {
  ALONE,
  COPY_DIMENSIONS,
  type CopyManner,
  copyCost,
  copyLoops,
  copyManners,
  METHOD_DIMENSION,
  withCopies,
} from './copies.js';
import { startLoad } from './load.js';
import {
  MIGRATION_DIMENSIONS,
  type MigrationManner,
  migrationCost,
  migrationManners,
  migrationStores,
  type Shape,
  STORES_DIMENSION,
  withMigrations,
} from './migrations.js';
import { type Place, race } from './race.js';

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
  /** Rounds of each search that don't count. Default: 1. */
  readonly warmUps?: number | undefined;
  /** Of the order of shuffled frames, and of the pattern that fills them: a whole number. Default: 1. */
  readonly seed?: number | undefined;
  /** Whether to know less of each ratio, and be done sooner. Default: false. */
  readonly quick?: boolean | undefined;
}

/** One setting that was tried. */
export interface Tried<Settings> {
  /** The setting. */
  readonly settings: Settings;
  /** Nanoseconds of each round: of a batch copied, or of all memory migrated. Fewer for those that left early. */
  readonly samplesNs: readonly number[];
  /** How many times as fast as the first that was tried: the calling thread alone, or of loops the default. */
  readonly ofFirst: Ratio;
}

/** What was chosen, of what, and why. */
export interface TunedChoice<Settings> {
  /** What is taken. */
  readonly chosen: Settings;
  /** The fastest; what is taken itself, or one that needs more. */
  readonly fastest: Settings;
  /** How many times as fast as the fastest what was chosen is. */
  readonly ofFastest: Ratio;
  /** How many times as fast as the first that was tried. */
  readonly ofFirst: Ratio;
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
  /** How to copy: 0 threads are the calling thread alone. All by the loop that is the default. */
  readonly copies: TunedChoice<CopyManner>;
  /** That by each loop that this machine has, the default first; not there if it was cut short before. */
  readonly methods?: TunedChoice<CopyManner>;
  /** How to migrate; not there if it was cut short before. */
  readonly migrations?: TunedChoice<MigrationManner>;
  /** That with each kind of stores, the default first; not there without the loop in C, or if it was cut short before. */
  readonly stores?: TunedChoice<MigrationManner>;
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
  warmUps: warmUpsCheck,
  seed: seedCheck,
  quick: yesOrNo,
};
const FOLIO_BYTES = [4 * KiB, 2 * MiB];
const BATCH_BYTES = [2 * MiB, 32 * MiB];
const THOROUGH = { seconds: 100, bound: 0.01 } as const;
const QUICK = { seconds: 15, bound: 0.05 } as const;
const WARM_UPS = 1;
/** Parts of the time that a size has, for what is measured of it. */
const SHARES = { copies: 4, methods: 1, migrations: 5, stores: 1 } as const;
const ALL_SHARES = Object.values(SHARES).reduce<number>((sum, share) => sum + share, 0);

/** Bytes of a folio and of a batch. */
interface Size {
  readonly folioBytes: number;
  readonly batchBytes: number;
}

/** How each size is measured. */
interface How {
  readonly threads: readonly number[];
  readonly bound: number;
  readonly warmUps: number;
  readonly seed: number | undefined;
  /** Whether there is a loop in C, whose stores go past the caches. */
  readonly streams: boolean;
  /** Seconds of a share of the time, of what is left of it. */
  readonly secondsOf: (share: number) => number;
}

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
  const { folioBytes = FOLIO_BYTES, batchBytes = BATCH_BYTES, load, threads = threadCounts() } = options;
  const { quick = false, warmUps = WARM_UPS, seed } = options;
  const sizes = combine(distinct(folioBytes), distinct(batchBytes)).map(
    ([folio, batch]): Size => ({ folioBytes: folio, batchBytes: batch }),
  );
  for (const size of sizes) checkSize(size);
  const { seconds, bound } = quick ? QUICK : THOROUGH;
  const loads = load === undefined ? [0] : [0, load];
  const streams = await canStream();
  const shares = loads.length * sizes.length * (streams ? ALL_SHARES : ALL_SHARES - SHARES.stores);
  const secondsOf = shareOut(options.seconds ?? seconds, shares);
  const how = { threads: distinct(threads), bound, warmUps, seed, streams, secondsOf };
  const found: { measured: SizeFound; tuned: TunedSize }[] = [];
  for (const processes of loads) {
    if (control.signal?.aborted) break;
    const busy = await startLoad(processes);
    const onProgress = (progress: Progress) => {
      busy.check();
      control.onProgress?.(progress);
    };
    try {
      for (const size of sizes) {
        const one = await tuneSize(size, processes, how, { ...control, onProgress });
        busy.check();
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

/** Whether this machine has the loop in C. */
async function canStream(): Promise<boolean> {
  const engine = await CopyEngine.create({ memory: MiB, threads: 1 });
  try {
    return engine.noStreaming === undefined;
  } finally {
    await engine.close();
  }
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
function shareOut(seconds: number, shares: number): How['secondsOf'] {
  const until = performance.now() + seconds * 1000;
  let left = shares;
  return (share) => {
    const own = (Math.max(0, until - performance.now()) / 1000) * (share / left);
    left -= share;
    return own;
  };
}

/** Says what is measured before each of its runs. */
function namedRuns({ onProgress, signal }: Control, what: string): Control {
  return { signal, onProgress: (progress) => onProgress?.({ ...progress, what: `${what}: ${progress.what}` }) };
}

type SizeFound = Parameters<typeof assembleProfile>[0][number];

/** @returns `undefined` if it was cut short before there was anything to choose from */
async function tuneSize(
  size: Size,
  load: number,
  { threads, bound, warmUps, seed, streams, secondsOf }: How,
  control: Control,
): Promise<{ measured: SizeFound; tuned: TunedSize } | undefined> {
  const what = sizeText({ ...size, load });
  const copied = { ...size, seed };
  const raceOf = <Settings>(
    manners: readonly Settings[],
    place: Place<Settings>,
    costOf: (settings: Settings) => readonly number[],
    part: keyof typeof SHARES,
  ) => {
    const named = part === 'copies' || part === 'methods' ? 'copying' : 'migrating';
    const length = { seconds: secondsOf(SHARES[part]), bound, warmUps };
    return race(manners, place, costOf, length, namedRuns(control, `${what}, ${named}`));
  };
  const copying: Place<CopyManner> = (manners, measure) => withCopies(manners, copied, measure);
  const copies = await raceOf(copyManners(threads), copying, copyCost, 'copies');
  const ofCopies = choiceOf(copies, copyCost, COPY_DIMENSIONS);
  if (!ofCopies) return undefined;
  const methods = await raceOf(copyLoops(ofCopies.chosen, streams), copying, copyCost, 'methods');
  const ofMethods = choiceOf(methods, copyCost, [METHOD_DIMENSION]);
  const measured = { load, ...size, copies, methods, migrations: [], stores: [] };
  const tuned = { load, ...size, copies: ofCopies, ...(ofMethods && { methods: ofMethods }) };
  const shape = shapeOf(copies);
  const migrating: Place<MigrationManner> = (manners, measure) => withMigrations(manners, copied, shape, measure);
  const migrations = await raceOf(migrationManners(threads), migrating, migrationCost, 'migrations');
  const ofMigrations = choiceOf(migrations, migrationCost, MIGRATION_DIMENSIONS);
  if (!ofMigrations) return { measured, tuned };
  const manners = migrationStores(ofMigrations.chosen);
  const stores = streams ? await raceOf(manners, migrating, migrationCost, 'stores') : [];
  const ofStores = choiceOf(stores, migrationCost, [STORES_DIMENSION]);
  return {
    measured: { ...measured, migrations, stores },
    tuned: { ...tuned, migrations: ofMigrations, ...(ofStores && { stores: ofStores }) },
  };
}

/** How threads are to share a batch out, by the copies of a size: a machine's threads have it from there. */
export function shapeOf(copies: readonly Measured<CopyManner>[]): Shape {
  const parallel = copies.filter(({ settings }) => settings.threads > 0);
  const { distribution, unitBytes } = choose(parallel, copyCost)?.chosen ?? ALONE;
  return { distribution, unitBytes };
}

/** What was chosen, with its reasons. */
function choiceOf<Settings>(
  measured: readonly Measured<Settings>[],
  costOf: (settings: Settings) => readonly number[],
  dimensions: readonly Dimension<Settings>[],
): TunedChoice<Settings> | undefined {
  const choice = choose(measured, costOf);
  if (!choice) return undefined;
  const [first] = measured;
  const tried = measured.flatMap((one) => {
    const ofFirst = speedRatio(one, first);
    return ofFirst ? [{ settings: one.settings, samplesNs: one.samplesNs[0], ofFirst }] : [];
  });
  const own = tried.find(({ settings }) => settings === choice.chosen);
  if (!own) return undefined;
  const alternatives = alternativesOf(measured, choice.chosen, dimensions);
  return { ...choice, ofFirst: own.ofFirst, alternatives, tried };
}

/** What was measured, in a few words. */
export function sizeText({ load, folioBytes, batchBytes }: Size & { readonly load: number }): string {
  const beside = load === 0 ? 'idle' : `beside ${load} busy ${load === 1 ? 'process' : 'processes'}`;
  return `${formatSize(batchBytes)} in folios of ${formatSize(folioBytes)}, ${beside}`;
}

function ownVersion(): string {
  return createRequire(import.meta.url)('mtcopy/package.json').version;
}
