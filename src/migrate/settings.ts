import { type Checks, oneOf, wholeNumber } from '../check.js';
import { FLOWS, type Flow, MIGRATOR_NAMES, type MigratorName, STORES, type Stores } from '../words.js';
import { checkMigrator, type Migrator } from './migrator.js';

export { FLOWS, type Flow, MIGRATOR_NAMES, type MigratorName };

/** Pages, or folios, that a batch has at most (the kernel's NR_MAX_BATCHED_MIGRATION). */
export const NR_MAX_BATCHED_MIGRATION = 512;

/** The largest batch limit. */
export const MAX_BATCH_LIMIT = 2 ** 20;

/** What a batch limit counts: names of {@link BatchUnit}. */
export const BATCH_UNITS = ['pages', 'folios'] as const;
/** What the batch limit counts: pages, as the mainline kernel, or folios, as the published benchmarks. */
export type BatchUnit = (typeof BATCH_UNITS)[number];

/** How migrations are made: a machine's settings, which a call may replace. */
export interface MigrationSettings {
  /**
   * What copies the folios: a name, or a migrator of your own. A machine's is registered as it boots, for the reasons that
   * are a driver's at first; one that a call names is used whatever is registered. Default: `'kernel'`; of a call what is
   * registered for its reason.
   */
  migrator?: MigratorName | Migrator | undefined;
  /** In which order a batch goes through its steps. Default: `'vanilla'`. */
  flow?: Flow | undefined;
  /**
   * Pages or folios of a batch, 1 to 2^20: it ends with the folio that reaches them. Default: 512
   * (NR_MAX_BATCHED_MIGRATION).
   */
  batchLimit?: number | undefined;
  /**
   * What the limit counts: `'pages'`, as the mainline kernel, or `'folios'`, as the published benchmarks. Default:
   * `'pages'`.
   */
  batchUnit?: BatchUnit | undefined;
  /**
   * Batches that are under way at once, 1 to 4. With 2 the threads of `'mtcopy'` copy one batch while the calling thread
   * unmaps the next, which the published series doesn't do: faster, but more pages wait, and phases overlap in time, so
   * that their sum exceeds the call's. Default: 1.
   */
  batchesInFlight?: number | undefined;
  /**
   * Whether the bytes that a migration copies are kept in the caches, where the calling thread copies whole batches, or the
   * threads of `'mtcopy'` do: `'cached'`; past them, `'streaming'`; or `'auto'`, past them if sources and targets of what the
   * call has moved and of the folios at hand, up to 8,192 pages of move_pages(2), are more than the L3 cache of this machine has
   * (32 MiB if it doesn't tell). A machine without the loop in C keeps them. Default: `'auto'`; for the reason `'demotion'`
   * {@link MachineOptions.demotionStores}.
   */
  stores?: Stores | undefined;
}

/** All of them but the migrator. */
export type Manner = { [Name in Exclude<keyof MigrationSettings, 'migrator'>]-?: NonNullable<MigrationSettings[Name]> };

/** What a machine has of them, and what takes their place for some reasons. */
export type MachineManner = Manner & {
  /** The `stores` of a migration for the reason `'demotion'`. */
  demotionStores: Stores;
};

/** The engine has room for this many batches at once, and more gain nothing. */
const MAX_IN_FLIGHT = 4;

/** For {@link checkOptions}. */
export const MIGRATION_SETTINGS: Checks<MigrationSettings> = {
  migrator: checkNamed,
  flow: oneOf(FLOWS),
  batchLimit: wholeNumber(1, MAX_BATCH_LIMIT),
  batchUnit: oneOf(BATCH_UNITS),
  batchesInFlight: wholeNumber(1, MAX_IN_FLIGHT),
  stores: oneOf(STORES),
};

const DEFAULTS: Manner = {
  flow: 'vanilla',
  batchLimit: NR_MAX_BATCHED_MIGRATION,
  batchUnit: 'pages',
  batchesInFlight: 1,
  stores: 'auto',
};

/** The manner that a call or a machine was given, checked before, and else that of `base`. */
export function mannerOf(given: MigrationSettings, base = DEFAULTS): Manner {
  return {
    flow: given.flow ?? base.flow,
    batchLimit: given.batchLimit ?? base.batchLimit,
    batchUnit: given.batchUnit ?? base.batchUnit,
    batchesInFlight: given.batchesInFlight ?? base.batchesInFlight,
    stores: given.stores ?? base.stores,
  };
}

function checkNamed(name: string, value: unknown): void {
  if (MIGRATOR_NAMES.includes(value as MigratorName)) return;
  checkMigrator(name, value, `${MIGRATOR_NAMES.map((one) => `'${one}'`).join(', ')} or a Migrator`);
}
