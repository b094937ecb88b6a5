import { availableParallelism } from 'node:os';
import {
  type MachineOptions,
  type MachineSettings,
  NR_MAX_BATCHED_MIGRATION,
  PAGE_SIZE,
  type ProfileUse,
  settingsOf,
} from 'mtcopy';

/** A profile, and whether it is forced. */
export type Tuning = Pick<ProfileUse, 'from' | 'force'>;

/** Bytes of the batches in which folios are migrated, of 4 KiB or less than 2 MiB. */
const BATCH_BYTES = NR_MAX_BATCHED_MIGRATION * PAGE_SIZE;
/** Threads where no profile says how many. */
const DEFAULT_THREADS = 4;

/** What a profile says of a machine that migrates folios of one size. @throws as `settingsOf` */
export function tunedMachine(profile: Tuning, folioSize: number): MachineSettings {
  return settingsOf({ ...profile, folioSize, batch: BATCH_BYTES }).machine;
}

/**
 * How the threads of `'mtcopy'` copy folios of one size: by a profile, or as many as this machine has cores, up to 4. Which
 * batches they get a profile doesn't say here.
 *
 * @throws as `settingsOf`
 */
export function copyThreads(
  profile: Tuning | undefined,
  folioSize: number,
): Pick<MachineOptions, 'schedule' | 'caller' | 'distribution' | 'unitBytes' | 'stores'> & {
  readonly threads: number;
} {
  if (!profile) return { threads: Math.min(DEFAULT_THREADS, availableParallelism()) };
  const { machine, engine } = settingsOf({ ...profile, folioSize, batch: BATCH_BYTES });
  const { threads, schedule, caller, stores } = machine;
  const { distribution, unitBytes } = engine;
  return { threads, schedule, caller, stores, distribution, unitBytes };
}
