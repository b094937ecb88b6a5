import {
  type EngineSettings,
  type MachineSettings,
  MTCOPY_MIN_BYTES,
  PROFILE_SCHEMA,
  PROFILE_VERSION,
  type Profile,
  type ProfileHost,
  type ProfileSize,
} from 'mtcopy';
import { settingsOfLoop } from '../shared/loops.js';
import { choose, leastBatch, type Measured } from './choose.js';
import { ALONE, type CopyManner, copyCost } from './copies.js';
import { KERNEL, type MigrationManner, migrationCost } from './migrations.js';

/** What was measured of batches of one size, of folios of one size, beside so many busy processes. */
export interface SizeMeasured {
  readonly load: number;
  readonly folioBytes: number;
  readonly batchBytes: number;
  readonly copies: readonly Measured<CopyManner>[];
  /** The chosen manner of copying with each loop. */
  readonly methods: readonly Measured<CopyManner>[];
  readonly migrations: readonly Measured<MigrationManner>[];
  /** The chosen manner of migrating with each kind of stores; none where they are all alike. */
  readonly stores: readonly Measured<MigrationManner>[];
}

/** What a profile says beside its settings. */
export type ProfileFacts = Pick<Profile, 'mtcopy' | 'date'> & { readonly host: ProfileHost };

/**
 * The profile that measurements come to.
 *
 * @param sizes one at least, each complete, idle ones among them
 */
export function assembleProfile(sizes: readonly SizeMeasured[], { mtcopy, date, host }: ProfileFacts): Profile {
  const idle = sizes.filter(({ load }) => load === 0);
  return {
    schema: PROFILE_SCHEMA,
    version: PROFILE_VERSION,
    mtcopy,
    date,
    host,
    engine: engineSettings(idle),
    machine: machineSettings(idle),
    sizes: sizes.map((size): ProfileSize => {
      const { load, folioBytes, batchBytes } = size;
      // Larger ones say only from where on there is something to gain.
      const alike = sizes.filter((other) => other.load === load && other.folioBytes === folioBytes);
      return {
        load,
        folioBytes,
        batchBytes,
        engine: { ...engineSettings([size]), minParallelBytes: leastParallel(size, alike) },
        machine: machineSettings([size], alike),
      };
    }),
  };
}

const sharesCopy = ({ copies }: SizeMeasured) => (choose(copies, copyCost)?.chosen ?? ALONE).threads > 0;
const isOffloaded = ({ migrations }: SizeMeasured) => choose(migrations, migrationCost)?.chosen.migrator !== 'kernel';

/** What is best over several sizes: of threads, where they gain at all. */
function engineSettings(sizes: readonly SizeMeasured[]): EngineSettings {
  const gaining = sizes.filter(sharesCopy);
  const pooled = pool(
    (gaining.length > 0 ? gaining : sizes).map(({ copies }) => copies),
    nameOf,
  );
  const parallel = pooled.filter(({ settings }) => settings.threads > 0);
  const { threads, schedule, distribution, unitBytes, caller } = choose(parallel, copyCost)?.chosen ?? ALONE;
  const loops = pool(
    sizes.map(({ methods }) => methods.map((one) => ({ ...one, settings: { ...ALONE, method: one.settings.method } }))),
    nameOf,
  );
  const loop = settingsOfLoop(choose(loops, copyCost)?.chosen.method ?? 'auto');
  const atBatches = byBatch(sizes).map(([batchBytes, same]) => {
    const both = pool(
      same.map(({ copies }) => copies),
      nameOf,
    ).filter(
      ({ settings }) =>
        settings.threads === 0 ||
        nameOf(settings) === nameOf({ ...settings, threads, schedule, distribution, unitBytes, caller }),
    );
    return { batchBytes, gains: (choose(both, copyCost)?.chosen.threads ?? 0) > 0 };
  });
  const minParallelBytes = leastBatch(atBatches) ?? 'never';
  return { threads: Math.max(1, threads), schedule, distribution, unitBytes, caller, minParallelBytes, ...loop };
}

function leastParallel(size: SizeMeasured, alike: readonly SizeMeasured[]): EngineSettings['minParallelBytes'] {
  const upTo = sharesCopy(size) ? alike.filter(({ batchBytes }) => batchBytes <= size.batchBytes) : alike;
  return leastBatch(upTo.map((one) => ({ batchBytes: one.batchBytes, gains: sharesCopy(one) }))) ?? 'never';
}

/** @param alike those of the same folios and load, which say from which batch on it is worth it. Default: the same */
function machineSettings(sizes: readonly SizeMeasured[], alike = sizes): MachineSettings {
  const gaining = sizes.filter(isOffloaded);
  const pooled = pool(
    (gaining.length > 0 ? gaining : sizes).map(({ migrations }) => migrations),
    nameOf,
  );
  const others = pooled.filter(({ settings }) => settings.migrator !== 'kernel');
  const threaded = choose(
    pooled.filter(({ settings }) => settings.migrator === 'mtcopy'),
    migrationCost,
  )?.chosen;
  const offloaded = choose(others, migrationCost)?.chosen;
  const best = choose(pooled, migrationCost)?.chosen;
  const kernel =
    best?.migrator === 'kernel'
      ? best
      : choose(
          pooled.filter(({ settings }) => settings.migrator === 'kernel'),
          migrationCost,
        )?.chosen;
  const kept = pool(
    sizes.map((size) => size.stores.map((one) => ({ ...one, settings: { ...KERNEL, stores: one.settings.stores } }))),
    nameOf,
  );
  const stores = choose(kept, migrationCost)?.chosen.stores ?? 'auto';
  const ofThreads = {
    threads: threaded?.threads ?? 1,
    schedule: threaded?.schedule ?? 'dynamic',
    caller: threaded?.caller ?? 'auto',
  } as const;
  const least = gaining.length > 0 && offloaded ? leastOffloaded(offloaded, sizes, alike) : undefined;
  if (least === undefined || !offloaded) {
    return {
      migrator: 'kernel',
      flow: kernel?.flow ?? 'vanilla',
      stores,
      ...ofThreads,
      // For calls that name mtcopy where it isn't chosen.
      minBytes: MTCOPY_MIN_BYTES,
      channels: 1,
    };
  }
  const { migrator, flow, channels } = offloaded;
  return { migrator, flow, stores, ...ofThreads, minBytes: least, channels };
}

/** Bytes of the smallest batch from which on, up to the largest of `sizes`, a migrator gains on the calling thread. */
function leastOffloaded(
  offloaded: MigrationManner,
  sizes: readonly SizeMeasured[],
  alike: readonly SizeMeasured[],
): number | undefined {
  const largest = Math.max(...sizes.map(({ batchBytes }) => batchBytes));
  const upTo = alike.filter(({ batchBytes }) => batchBytes <= largest);
  return leastBatch(
    byBatch(upTo).map(([batchBytes, same]) => {
      const both = pool(
        same.map(({ migrations }) => migrations),
        nameOf,
      ).filter(({ settings }) => settings.migrator === 'kernel' || nameOf(settings) === nameOf(offloaded));
      return { batchBytes, gains: choose(both, migrationCost)?.chosen.migrator !== 'kernel' };
    }),
  );
}

function byBatch(sizes: readonly SizeMeasured[]): [number, SizeMeasured[]][] {
  const batches = new Set(sizes.map(({ batchBytes }) => batchBytes));
  return Array.from(batches, (bytes) => [bytes, sizes.filter(({ batchBytes }) => batchBytes === bytes)]);
}

/** The same settings measured of several sizes, as one. */
function pool<Settings>(
  sizes: readonly (readonly Measured<Settings>[])[],
  name: (settings: Settings) => string,
): Measured<Settings>[] {
  const [first = []] = sizes;
  return first.map(({ settings }) => ({
    settings,
    samplesNs: sizes.flatMap((list) => list.find((one) => name(one.settings) === name(settings))?.samplesNs ?? [[]]),
  }));
}

function nameOf(settings: CopyManner | MigrationManner): string {
  return JSON.stringify(Object.entries(settings).toSorted());
}
