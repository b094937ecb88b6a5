import {
  type CallerMode,
  ErrnoError,
  type Flow,
  Machine,
  type MachineSettings,
  type MigratorName,
  MTCOPY_MIN_BYTES,
  type Schedule,
  type Stores,
} from 'mtcopy';
import { type MigrationRun, type MovedMemory, mapMovedMemory, moveAcross } from './moved-memory.js';

/** A way to move memory, and how its drivers are set. */
export interface Way {
  /** What copies. */
  readonly migrator: MigratorName;
  /** In which order a batch goes through its steps. */
  readonly flow: Flow;
  /** Whether what is copied is kept in the caches. */
  readonly stores: Stores;
  /** How threads share a batch; it means nothing but to `'mtcopy'`, as the caller doesn't. */
  readonly schedule?: Schedule;
  /** Whether the calling thread copies beside them. */
  readonly caller?: CallerMode;
  /** Bytes of the smallest batch that the migrator gets. */
  readonly minBytes?: number;
}

/** The name of one of {@link WAYS}. */
export type WayName = 'baseline' | 'mtcopy' | 'mtcopy-defaults' | 'dcbm' | 'dcbm-pre-copy';

/**
 * What the published throughput tables compare. `baseline`: the kernel before the series. `mtcopy`: the driver as published,
 * with a fixed list for each thread, a caller that waits, threads for every batch, and memcpy, so with stores that the caches
 * keep, as all that is published. `mtcopy-defaults`: with this project's defaults, in the same flow. `dcbm`: channels, with the
 * copy after all metadata (V3). `dcbm-pre-copy`: with the copy before the moves (V4).
 */
export const WAYS: Readonly<Record<WayName, Way>> = {
  baseline: { migrator: 'kernel', flow: 'vanilla', stores: 'cached' },
  mtcopy: {
    migrator: 'mtcopy',
    flow: 'batch-move',
    stores: 'cached',
    schedule: 'static',
    caller: 'waits',
    minBytes: 0,
  },
  'mtcopy-defaults': {
    migrator: 'mtcopy',
    flow: 'batch-move',
    stores: 'auto',
    schedule: 'dynamic',
    caller: 'auto',
    minBytes: MTCOPY_MIN_BYTES,
  },
  dcbm: { migrator: 'dcbm', flow: 'batch-move', stores: 'cached' },
  'dcbm-pre-copy': { migrator: 'dcbm', flow: 'pre-copy', stores: 'cached' },
};

/** The names of {@link WAYS}. */
export const WAY_NAMES = Object.keys(WAYS) as WayName[];

/** A way with so many threads or channels; 0 of the baseline, which has none. */
export interface Mover {
  /** The way: one of {@link WAYS}, or what a profile says. */
  readonly way: WayName | 'tuned';
  /** Its threads or channels. */
  readonly count: number;
  /** Whether the calling thread copies too, instead of what the way has. */
  readonly caller?: CallerMode;
  /** There for `'tuned'` alone: what the profile says. */
  readonly tuned?: Way;
}

/** What others are measured against. */
export const BASELINE: Mover = { way: 'baseline', count: 0 };

/** What a profile has a machine do. */
export function tunedMover({ threads, channels, ...tuned }: MachineSettings): Mover {
  const count = { kernel: 0, mtcopy: threads, dcbm: channels }[tuned.migrator];
  return { way: 'tuned', count, tuned };
}

function wayOf({ way, tuned }: Mover): Way {
  if (way !== 'tuned') return WAYS[way];
  if (!tuned) throw new ErrnoError('EINVAL', 'tuned: must say how, where the way is tuned');
  return tuned;
}

/** `mtcopy×2`; `baseline`, which has no threads of its own. */
export function moverText({ way, count, tuned }: Mover): string {
  if (way === 'baseline') return way;
  if (tuned) return `${tuned.migrator}${count > 0 ? `×${count}` : ''} tuned`;
  const [name, ...of] = way.split('-');
  return [`${name}×${count}`, of.join('-')].filter((text) => text !== '').join(' ');
}

/** Boots a machine with memory in folios of one size on node 0, and just as much room on node 1. The caller closes it. */
export async function bootMoved(bytes: number, folioBytes: number): Promise<MovedMemory> {
  // Freed folios come back in the order in which they were freed: the memory lies as it did, in every run.
  const machine = await Machine.boot({ nodes: [bytes, bytes], cpus: 0, pcpHigh: Number.POSITIVE_INFINITY });
  try {
    return mapMovedMemory(machine, bytes, folioBytes);
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** Sets a machine's drivers as a way has them. Those of `'mtcopy'` start anew when the schedule is another than before. */
export async function setDrivers(machine: Machine, mover: Mover): Promise<void> {
  const { count } = mover;
  const { migrator, schedule, minBytes, ...way } = wayOf(mover);
  const caller = mover.caller ?? way.caller;
  if (migrator === 'dcbm') {
    machine.dcbm.nrDmaChan = count;
    await machine.sysfs.write('kernel/dcbm/min_bytes', String(minBytes ?? 0));
  }
  if (migrator !== 'mtcopy') return;
  if (schedule !== undefined) machine.schedule = schedule;
  if (caller !== undefined) machine.caller = caller;
  if (minBytes !== undefined) await machine.sysfs.write('kernel/cpu_mt/min_bytes', String(minBytes));
  machine.threads = count;
}

/**
 * Moves everything to the other node, and verifies it. The baseline counts pages, as the kernel before the series; the others
 * folios, as the published benchmarks did.
 *
 * @param asked stores to copy with instead of the way's
 * @throws ErrnoError EIO if anything came out wrong
 */
export async function moveBy(memory: MovedMemory, mover: Mover, asked?: Stores): Promise<MigrationRun> {
  const { migrator, flow, stores: own } = wayOf(mover);
  const stores = asked ?? own;
  const manner = { migrator, flow, stores, batchUnit: mover.way === 'baseline' ? 'pages' : 'folios' } as const;
  await setDrivers(memory.machine, mover);
  return moveAcross(memory, manner);
}
