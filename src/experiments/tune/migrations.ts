import { type CallerMode, type Flow, Machine, MiB, type MigratorName, orderOf, PAGE_SIZE, type Schedule } from 'mtcopy';
import { ageNodes } from '../shared/age-node.js';
import { collectGarbage } from '../shared/collect-garbage.js';
import { combine } from '../shared/combine.js';
import type { Control } from '../shared/control.js';
import { type MovedMemory, mapMovedMemory, moveAcross } from '../shared/moved-memory.js';
import type { Dimension, Measured } from './choose.js';
import { type Race, type Runner, race } from './race.js';

/** How a machine migrates. */
export interface MigrationManner {
  /** What copies. */
  readonly migrator: MigratorName;
  /** In which order a batch goes through its steps. */
  readonly flow: Flow;
  /** Worker threads of `'mtcopy'`; they mean nothing to others. */
  readonly threads: number;
  /** How they share a batch, likewise. */
  readonly schedule: Schedule;
  /** Whether the calling thread helps, likewise. */
  readonly caller: Exclude<CallerMode, 'waits'>;
  /** Channels of `'dcbm'`. */
  readonly channels: number;
}

const KERNEL: MigrationManner = {
  migrator: 'kernel',
  flow: 'vanilla',
  threads: 1,
  schedule: 'dynamic',
  caller: 'auto',
  channels: 1,
};
const CHANNELS = [1, 2];
/** Bytes that a run moves, and its batches at most. */
const RUN_BYTES = 16 * MiB;
const RUN_BATCHES = 16;

/** Every way to migrate that a search looks at: what copies whole batches needs a flow that has them. */
export function migrationManners(threads: readonly number[]): MigrationManner[] {
  const pre = { ...KERNEL, flow: 'pre-copy' } as const;
  const settings = combine(threads, combine(['auto', 'helps'] as const, ['dynamic', 'static'] as const));
  return [
    KERNEL,
    pre,
    ...settings.map(
      ([count, [caller, schedule]]) => ({ ...pre, migrator: 'mtcopy', threads: count, caller, schedule }) as const,
    ),
    ...CHANNELS.map((channels) => ({ ...pre, migrator: 'dcbm', channels }) as const),
  ];
}

/** Fewer threads first, those of channels too; then what has the caller free, then what is default. */
export function migrationCost({ migrator, flow, threads, schedule, caller, channels }: MigrationManner): number[] {
  const own = { kernel: 0, mtcopy: threads, dcbm: channels }[migrator];
  const other = Number(schedule !== 'dynamic') + Number(flow !== 'vanilla') + Number(migrator === 'dcbm');
  return [own, Number(caller === 'helps'), other];
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

/** For the progress. */
export function migrationText({ migrator, flow, threads, schedule, caller, channels }: MigrationManner): string {
  if (migrator === 'kernel') return `${migrator}, ${flow}`;
  if (migrator === 'dcbm') return `${migrator}×${channels}, ${flow}`;
  return `${migrator}×${threads}, caller ${caller}, ${schedule}, ${flow}`;
}

/**
 * Measures manners of migrating shuffled folios between two nodes, in batches of one size.
 *
 * @throws ErrnoError ENOMEM for more memory than there is; EIO if anything came out wrong
 */
export async function raceMigrations(
  manners: readonly MigrationManner[],
  { folioBytes, batchBytes }: { readonly folioBytes: number; readonly batchBytes: number },
  length: Race,
  control: Control,
): Promise<Measured<MigrationManner>[]> {
  const bytes = Math.min(RUN_BATCHES, Math.ceil(RUN_BYTES / batchBytes)) * batchBytes;
  const machine = await Machine.boot({ nodes: [bytes, bytes], cpus: 0, pcpHigh: Number.POSITIVE_INFINITY });
  try {
    // However small a batch is, the threads that are asked for copy it.
    await machine.sysfs.write('kernel/cpu_mt/min_bytes', '0');
    ageNodes(machine.memory, orderOf(folioBytes));
    const memory = mapMovedMemory(machine, bytes, folioBytes);
    const batchLimit = Math.max(1, batchBytes / PAGE_SIZE);
    const runners: Runner<MigrationManner>[] = manners.map((manner) => ({
      name: migrationText(manner),
      settings: manner,
      run: () => runOnce(memory, manner, batchLimit),
    }));
    return await race(runners, migrationCost, length, control);
  } finally {
    await machine.close();
    collectGarbage();
  }
}

async function runOnce(memory: MovedMemory, manner: MigrationManner, batchLimit: number): Promise<number> {
  const { migrator, flow, threads, schedule, caller, channels } = manner;
  memory.machine.schedule = schedule;
  memory.machine.caller = caller;
  const { ns } = await moveAcross(memory, { migrator, flow, threads, channels, batchLimit });
  return ns;
}
