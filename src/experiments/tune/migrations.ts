import {
  type CallerMode,
  type Distribution,
  type Flow,
  Machine,
  type MachineOptions,
  MiB,
  type MigratorName,
  orderOf,
  PAGE_SIZE,
  type Schedule,
  STORES,
  type Stores,
  takeAll,
} from 'mtcopy';
import { ageNodes } from '../shared/age-node.js';
import { collectGarbage } from '../shared/collect-garbage.js';
import { combine } from '../shared/combine.js';
import { type MovedMemory, mapSteps, moveThereAndBack } from '../shared/moved-memory.js';
import type { Dimension } from './choose.js';
import type { Copied } from './copies.js';
import type { Runner } from './race.js';

/** How a machine migrates. */
export interface MigrationManner {
  /** What copies. */
  readonly migrator: MigratorName;
  /** In which order a batch goes through its steps. */
  readonly flow: Flow;
  /** Whether what is copied is kept in the caches. */
  readonly stores: Stores;
  /** Worker threads of `'mtcopy'`; they mean nothing to others. */
  readonly threads: number;
  /** How they share a batch, likewise. */
  readonly schedule: Schedule;
  /** Whether the calling thread helps, likewise. */
  readonly caller: Exclude<CallerMode, 'waits'>;
  /** Channels of `'dcbm'`. */
  readonly channels: number;
}

/** How an engine shares a batch out: lists of a static schedule, units of a dynamic one. */
export interface Shape {
  /** How lists of the static schedule are made. */
  readonly distribution: Distribution;
  /** Bytes of a unit of the dynamic schedule. */
  readonly unitBytes: number | 'auto';
}

/** The calling thread alone. */
export const KERNEL: MigrationManner = {
  migrator: 'kernel',
  flow: 'vanilla',
  stores: 'auto',
  threads: 1,
  schedule: 'dynamic',
  caller: 'auto',
  channels: 1,
};
const CHANNELS = [1, 2];
/** Bytes that a run moves there and back, and its batches at most. */
const RUN_BYTES = 16 * MiB;
const RUN_BATCHES = 16;

/**
 * Every way to migrate that a search looks at: what copies whole batches needs a flow that has them. Stores are looked at by
 * themselves.
 */
export function migrationManners(threads: readonly number[]): MigrationManner[] {
  const pre = { ...KERNEL, flow: 'pre-copy' } as const;
  // Those of one schedule after each other: one that is told another starts its threads anew.
  const settings = combine(['dynamic', 'static'] as const, combine(threads, ['auto', 'helps'] as const));
  return [
    KERNEL,
    pre,
    ...settings.map(
      ([schedule, [count, caller]]) => ({ ...pre, migrator: 'mtcopy', threads: count, caller, schedule }) as const,
    ),
    ...CHANNELS.map((channels) => ({ ...pre, migrator: 'dcbm', channels }) as const),
  ];
}

/** A manner with all kinds of stores, itself first: for a machine that has the loop in C, or they are all alike. */
export function migrationStores(manner: MigrationManner): MigrationManner[] {
  return [manner, ...STORES.filter((one) => one !== manner.stores).map((stores) => ({ ...manner, stores }))];
}

/** Fewer threads first, those of channels too; then what has the caller free, then what is default. */
export function migrationCost({
  migrator,
  flow,
  stores,
  threads,
  schedule,
  caller,
  channels,
}: MigrationManner): number[] {
  const own = { kernel: 0, mtcopy: threads, dcbm: channels }[migrator];
  const other = Number(schedule !== 'dynamic') + Number(flow !== 'vanilla') + Number(migrator === 'dcbm');
  return [own, Number(caller === 'helps'), other, Number(stores !== 'auto')];
}

const bothThreads = (a: MigrationManner, b: MigrationManner) => a.migrator === 'mtcopy' && b.migrator === 'mtcopy';

/** What is explained of a choice. */
export const MIGRATION_DIMENSIONS: readonly Dimension<MigrationManner>[] = [
  { name: 'migrator', of: ({ migrator }) => migrator, isComparable: () => true },
  { name: 'flow', of: ({ flow }) => flow, isComparable: (a, b) => a.migrator === b.migrator },
  {
    name: 'threads',
    of: ({ threads }) => String(threads),
    isComparable: (a, b) => bothThreads(a, b) && a.caller === b.caller && a.schedule === b.schedule,
  },
  {
    name: 'schedule',
    of: ({ schedule }) => schedule,
    isComparable: (a, b) => bothThreads(a, b) && a.caller === b.caller && a.threads === b.threads,
  },
  {
    name: 'caller',
    of: ({ caller }) => caller,
    isComparable: (a, b) => bothThreads(a, b) && a.schedule === b.schedule && a.threads === b.threads,
  },
  {
    name: 'channels',
    of: ({ channels }) => String(channels),
    isComparable: (a, b) => a.migrator === 'dcbm' && b.migrator === 'dcbm',
  },
];

/** Of stores, which are looked at once all else is chosen. */
export const STORES_DIMENSION: Dimension<MigrationManner> = {
  name: 'stores',
  of: ({ stores }) => stores,
  isComparable: () => true,
};

/** For the progress. */
export function migrationText({ migrator, flow, stores, ...others }: MigrationManner): string {
  const kept = stores === 'auto' ? '' : `, stores ${stores}`;
  return `${copierText({ migrator, ...others })}, ${flow}${kept}`;
}

function copierText({
  migrator,
  threads,
  schedule,
  caller,
  channels,
}: Omit<MigrationManner, 'flow' | 'stores'>): string {
  if (migrator === 'kernel') return migrator;
  return migrator === 'dcbm' ? `${migrator}×${channels}` : `${migrator}×${threads}, caller ${caller}, ${schedule}`;
}

/**
 * Has manners of migrating shuffled folios between two nodes measured, in batches of one size, in memory of its own.
 *
 * @param shape how the threads of `'mtcopy'` share a batch out, beside what the manners say
 * @param measure gets one for each manner, in their order, and has them until it returns. A run says the nanoseconds that it
 * takes to migrate all of the memory
 * @throws ErrnoError ENOMEM for more memory than there is; EIO if anything came out wrong
 */
export async function withMigrations<T>(
  manners: readonly MigrationManner[],
  { folioBytes, batchBytes, seed }: Copied,
  shape: Shape,
  measure: (runners: readonly Runner<MigrationManner>[]) => Promise<T>,
): Promise<T> {
  const bytes = Math.min(RUN_BATCHES, Math.ceil(RUN_BYTES / batchBytes)) * batchBytes;
  const batchLimit = Math.max(1, batchBytes / PAGE_SIZE);
  // One memory for all: where the host has put its pages is luck, which lasts as long as it does.
  const memory = await bootAged(bytes, folioBytes, seed, shape);
  try {
    return await measure(
      manners.map((manner) => ({
        name: migrationText(manner),
        settings: manner,
        run: () => runOnce(memory, manner, batchLimit),
      })),
    );
  } finally {
    await memory.machine.close();
    collectGarbage();
  }
}

async function bootAged(
  bytes: number,
  folioBytes: number,
  seed: number | undefined,
  options: MachineOptions,
): Promise<MovedMemory> {
  const machine = await Machine.boot({
    nodes: [bytes, bytes],
    cpus: 0,
    pcpHigh: Number.POSITIVE_INFINITY,
    ...options,
  });
  try {
    // However small a batch is, the threads that are asked for copy it.
    await machine.sysfs.write('kernel/cpu_mt/min_bytes', '0');
    ageNodes(machine.memory, orderOf(folioBytes), seed);
    return takeAll(mapSteps(machine, bytes, folioBytes, undefined, seed));
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/**
 * Threads that had another schedule have ended by the time that counts, and those that have this one have moved all of the memory:
 * whoever comes after another schedule in its round would be measured with threads that have just started, and no other.
 */
async function runOnce(memory: MovedMemory, manner: MigrationManner, batchLimit: number): Promise<number> {
  const { machine } = memory;
  const { schedule, caller, ...own } = manner;
  const startsThreads = own.migrator === 'mtcopy' && machine.schedule !== schedule;
  if (startsThreads) machine.schedule = schedule;
  machine.caller = caller;
  if (startsThreads) await moveThereAndBack(memory, { ...own, batchLimit });
  return moveThereAndBack(memory, { ...own, batchLimit });
}
