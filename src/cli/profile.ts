import type { Command } from 'commander';
import {
  ErrnoError,
  type MachineSettings,
  MIGRATOR_NAMES,
  type MigratorName,
  NR_MAX_BATCHED_MIGRATION,
  PAGE_SIZE,
  type Stores,
  settingsOf,
  type TunedSettings,
} from 'mtcopy';
import { decidedBy, type SysfsSetting } from 'mtcopy/experiments';

/** Bytes of the largest batch of pages. */
const BATCH_BYTES = NR_MAX_BATCHED_MIGRATION * PAGE_SIZE;

/** What the command line says of a profile. */
export interface ProfileArguments {
  profile?: string;
  forceProfile?: boolean;
}

/** Lets a command take from a profile what its other options don't say. */
export function addProfileOption(command: Command): Command {
  return command
    .option('--profile <file>', 'take what no other option says from a profile of mtcopy tune')
    .option('--force-profile', "take it although it is another machine's");
}

/**
 * What the profile that was asked for says, for folios of one size if it is one.
 *
 * @param batch bytes of a batch, which count for folios of one size. Default: the largest that was measured
 * @returns `undefined` if none was asked for
 * @throws ErrnoError EINVAL for `--force-profile` alone; what `settingsOf` throws
 */
export function tunedBy(
  { profile, forceProfile }: ProfileArguments,
  folioSizes: readonly number[] | undefined,
  batch?: number,
): TunedSettings | undefined {
  if (profile === undefined) {
    if (forceProfile === undefined) return undefined;
    throw new ErrnoError('EINVAL', '--force-profile: means nothing without --profile');
  }
  // Of several sizes none is the nearest: what is best over all.
  const near = folioSizes?.length === 1 ? { folioSize: folioSizes[0], batch } : {};
  return settingsOf({ from: profile, force: forceProfile, ...near });
}

/** What of a machine an option of the command line says too, and the file of sysfs that says it. */
interface MachineArguments extends ProfileArguments {
  readonly set?: readonly SysfsSetting[] | undefined;
  readonly migrator?: MigratorName | readonly MigratorName[] | undefined;
}

/**
 * What sysfs is to be told: what a profile says and neither another option nor `--set` does, and then that.
 *
 * @param migrators whose settings mean something. Default: those that copy
 * @throws ErrnoError as {@link tunedBy}; EINVAL for a profile of which nothing is left
 */
export function setByProfile<Options extends MachineArguments>(
  options: Options,
  folioSizes: readonly number[] | undefined,
  migrators?: readonly MigratorName[],
): readonly SysfsSetting[] | undefined {
  const { set } = options;
  const machine = tunedBy(options, folioSizes, BATCH_BYTES)?.machine;
  if (!machine) return set;
  const decided: ReadonlySet<string> = decidedBy(set);
  const copying = migrators ?? options.migrator ?? (decided.has('migrator') ? MIGRATOR_NAMES : machine.migrator);
  const files = [...filesOf(machine, [copying].flat())].filter(
    ({ option }) => option === undefined || !(decided.has(option) || Object.hasOwn(options, option)),
  );
  if (files.length === 0) {
    throw new ErrnoError('EINVAL', '--profile: means nothing, for other options say all that it does');
  }
  return [...files.map(({ path, value }) => ({ path, value: String(value) })), ...(set ?? [])];
}

/**
 * What a profile says of stores, which no file of sysfs does: nothing where it is what is default, and so depends on the reason.
 *
 * @throws ErrnoError as {@link tunedBy}
 */
export function storesByProfile(
  options: ProfileArguments,
  folioSizes: readonly number[] | undefined,
): { readonly stores?: Stores } {
  const stores = tunedBy(options, folioSizes, BATCH_BYTES)?.machine.stores ?? 'auto';
  return stores === 'auto' ? {} : { stores };
}

/** What a profile says of a machine, as far as it means something to those that copy. */
function* filesOf(machine: MachineSettings, migrators: readonly MigratorName[]) {
  const { migrator, flow, threads, schedule, caller, minBytes, channels } = machine;
  yield { option: 'flow', path: 'kernel/mm/migration/flow', value: flow };
  if (migrators.includes('mtcopy')) {
    yield { option: 'threads', path: 'kernel/cpu_mt/threads', value: threads };
    yield { option: 'caller', path: 'kernel/cpu_mt/caller', value: caller };
    yield { option: undefined, path: 'kernel/cpu_mt/schedule', value: schedule };
    if (migrator !== 'dcbm') yield { option: undefined, path: 'kernel/cpu_mt/min_bytes', value: minBytes };
  }
  if (migrators.includes('dcbm') && migrator === 'dcbm') {
    yield { option: 'channels', path: 'kernel/dcbm/nr_dma_chan', value: channels };
    yield { option: undefined, path: 'kernel/dcbm/min_bytes', value: minBytes };
  }
  yield { option: 'migrator', path: 'kernel/mm/migration/offload_migrator', value: migrator };
}
