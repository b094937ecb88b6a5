import { ErrnoError, type Flow, type Frames, type MigratorName, PAGE_SIZE, type Schedule } from 'mtcopy';
import type { Copiers, SysfsSetting } from 'mtcopy/experiments';

/** The migrators that an option means something to, where those are not all: whichever command has it. */
const MEANT_FOR: Readonly<Record<string, readonly MigratorName[]>> = {
  inFlight: ['mtcopy', 'dcbm'],
  threads: ['mtcopy'],
  caller: ['mtcopy'],
  channels: ['dcbm'],
  dmaSetup: ['dcbm'],
  device: ['dcbm'],
  iommu: ['dcbm'],
  queueDepth: ['dcbm'],
  bandwidth: ['dcbm'],
  descriptorNs: ['dcbm'],
  cpuShare: ['dcbm'],
  dmaWait: ['dcbm'],
};
/** The migrator that the files of a directory of sysfs are about. */
const DRIVERS = new Map<string | undefined, MigratorName>([
  ['cpu_mt', 'mtcopy'],
  ['dcbm', 'dcbm'],
]);

/**
 * Refuses what would change nothing of what is measured. The experiments themselves let it pass: whoever sweeps by a program
 * says `threads` whatever copies.
 *
 * @param options those that were given, without defaults
 * @throws ErrnoError EINVAL for an option, or a driver's file, that means nothing to what copies
 */
export function checkEffects(options: { readonly set?: readonly SysfsSetting[] | undefined }, copiers: Copiers): void {
  for (const [name, meantFor] of Object.entries(MEANT_FOR)) {
    if (Object.hasOwn(options, name)) checkEffect(optionOf(name), meantFor, copiers.migrators);
  }
  for (const { path } of options.set ?? []) checkFile(path, copiers);
}

/** @param path a file that there is */
function checkFile(path: string, { migrators, registered }: Copiers): void {
  const [directory, file] = path
    .split('/')
    .filter((step) => step !== '')
    .slice(-2);
  const migrator = DRIVERS.get(directory);
  // What turns a driver on or off says what copies, whatever it comes to.
  if (!migrator || file === 'offloading') return;
  const name = `--set ${path}`;
  if (file === 'reason_mask') {
    // Also one that leaves the reason out, so that another copies.
    checkEffect(name, [migrator], [registered], `--set kernel/mm/migration/offload_migrator=${migrator}`);
  } else {
    checkEffect(name, [migrator], migrators);
  }
}

/** @throws ErrnoError EINVAL unless one that it is meant for is there */
function checkEffect(
  name: string,
  meantFor: readonly MigratorName[],
  there: readonly MigratorName[],
  needed = `--migrator ${meantFor.join(' or ')}`,
): void {
  if (there.some((migrator) => meantFor.includes(migrator))) return;
  throw new ErrnoError('EINVAL', `${name}: means nothing without ${needed}`);
}

/** @throws ErrnoError EINVAL for a seed where nothing is drawn: a file fills memory whose frames are in order */
export function checkSeed(seed: number | undefined, input: string | undefined, frames: readonly Frames[]): void {
  if (seed === undefined || input === undefined || frames.includes('shuffled')) return;
  throw new ErrnoError('EINVAL', '--seed: means nothing with --input, but with --frames shuffled');
}

/** What batches are of. */
interface Batches {
  /** Those that are measured; none where sysfs says which. */
  readonly flows: readonly Flow[] | undefined;
  readonly folioSizes: readonly number[];
}

/**
 * @param options those that were given, without defaults
 * @throws ErrnoError EINVAL for batches of a flow that has none, or a unit where a folio is a page
 */
export function checkBatches(
  { batchLimit, batchUnit }: { readonly batchLimit?: unknown; readonly batchUnit?: unknown },
  { flows, folioSizes }: Batches,
): void {
  const given = Object.entries({ batchLimit, batchUnit }).filter(([, value]) => value !== undefined);
  if (given.length > 0 && flows?.every((flow) => flow === 'serial')) {
    throw new ErrnoError(
      'EINVAL',
      `${optionOf(given[0][0])}: means nothing to serial, which takes folio by folio: add another --flow`,
    );
  }
  if (batchUnit !== undefined && folioSizes.every((bytes) => bytes === PAGE_SIZE)) {
    throw new ErrnoError(
      'EINVAL',
      '--batch-unit: means nothing with folios of 4K, each of which is a page: add another --folio-size',
    );
  }
}

/** Flows in which a whole batch is copied at once, by whoever copies. */
const WHOLE: ReadonlySet<Flow> = new Set(['batch-move', 'pre-copy']);

/**
 * @param options those that were given, without defaults
 * @param flows those that are measured; none where sysfs says which
 * @throws ErrnoError EINVAL for stores where all copies are the same: a device's, and the calling thread's of folio by folio
 */
export function checkStores(
  { stores }: { readonly stores?: unknown },
  flows: readonly Flow[] | undefined,
  { migrators }: Copiers,
): void {
  const copiesWhole = migrators.includes('kernel') && (!flows || flows.some((flow) => WHOLE.has(flow)));
  if (stores === undefined || copiesWhole || migrators.includes('mtcopy')) return;
  throw new ErrnoError(
    'EINVAL',
    `--stores: means nothing to ${migrators.join(' and ')} in ${flows?.join(' and ') ?? 'any flow'}: add --migrator mtcopy, or kernel with --flow pre-copy`,
  );
}

/** What of a schedule's own was given, and which schedules there are. @throws ErrnoError EINVAL for what is of none of them */
export function checkShapes(
  { distribution, unit }: { readonly distribution?: unknown; readonly unit?: unknown },
  schedules: readonly Schedule[],
): void {
  const refuse = (option: string, schedule: Schedule) => {
    throw new ErrnoError('EINVAL', `${option}: means nothing without --schedule ${schedule}`);
  };
  if (distribution !== undefined && !schedules.includes('static')) refuse('--distribution', 'static');
  if (unit !== undefined && !schedules.includes('dynamic')) refuse('--unit', 'dynamic');
}

function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
