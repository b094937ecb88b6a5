import {
  type DmaSetup,
  type DmaWait,
  ErrnoError,
  type Flow,
  listOf,
  Machine,
  type MigrateReason,
  type MigratorName,
  parseReasonMask,
} from 'mtcopy';
import type { SweepCaller } from './callers.js';
import type { Control } from './control.js';

/** A file of a machine's sysfs and what to write to it, as `machine.sysfs.write` takes them. */
export interface SysfsSetting {
  /** The file, with or without `/sys/`: `'kernel/cpu_mt/threads'`. */
  readonly path: string;
  /** What is written to it. */
  readonly value: string;
}

/** What a file was told that it can't be, or a file that can't be told: with the kernel's code, as sysfs has it. */
export class SettingError extends ErrnoError {}

/** What a sweep and a file of sysfs may both say, as the sweep calls it. */
export type Decided =
  | 'threads'
  | 'caller'
  | 'flow'
  | 'migrator'
  | 'channels'
  | 'dmaSetup'
  | 'cpuShare'
  | 'dmaWait'
  | 'queueDepth'
  | 'batchLimit';

/** What copies in an experiment, of which some may be sysfs's to say. */
export interface Copiers {
  /** Those that are measured. */
  readonly migrators: readonly MigratorName[];
  /** The one whose reason mask counts; `'kernel'` where each call names its migrator, or none is registered. */
  readonly registered: MigratorName;
}

/** Called once that is known, before anything is measured. What it throws ends the experiment. */
export type OnCopiers = (copiers: Copiers) => void;

/** {@link Control} of an experiment whose migrators sysfs may name. */
export interface SweepControl extends Control {
  /** Called once it is known what copies. Default: nobody hears of it. */
  readonly onCopiers?: OnCopiers | undefined;
}

/** By the name of the file, whichever driver's it is. */
const DECIDED_BY: Readonly<Record<string, Decided>> = {
  threads: 'threads',
  caller: 'caller',
  flow: 'flow',
  nr_dma_chan: 'channels',
  setup: 'dmaSetup',
  cpu_share: 'cpuShare',
  wait: 'dmaWait',
  queue_depth: 'queueDepth',
  max_batch: 'batchLimit',
  offload_migrator: 'migrator',
  offloading: 'migrator',
};
/** Whose fault these are: the setting's, not the machine's. */
const WRONG = new Set(['EINVAL', 'ERANGE', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EBUSY']);
/** Bytes of each node of a machine that only takes settings. */
const SMALL_NODE = '4M';

/** Checks a list of settings. */
export const checkSet = listOf((name, value) => {
  const { path, value: text } = (value ?? {}) as Partial<SysfsSetting>;
  if (typeof path === 'string' && typeof text === 'string') return;
  throw new ErrnoError('EINVAL', `${name}: must be a list of { path, value }, of strings`);
});

/** What these settings decide, so that a sweep can't. */
export function decidedBy(set: readonly SysfsSetting[] = []): ReadonlySet<Decided> {
  return new Set(set.map(({ path }) => whatIsDecidedBy(path)).filter((name) => name !== undefined));
}

function whatIsDecidedBy(path: string): Decided | undefined {
  const file = path.split('/').findLast((step) => step !== '') ?? '';
  return Object.hasOwn(DECIDED_BY, file) ? DECIDED_BY[file] : undefined;
}

/** @throws ErrnoError EINVAL if a setting decides what the sweep says by itself */
export function checkUndecided(set: readonly SysfsSetting[] = [], says: { [Name in Decided]?: unknown }): void {
  for (const { path } of set) {
    const name = whatIsDecidedBy(path);
    if (name === undefined || says[name] === undefined) continue;
    throw new ErrnoError('EINVAL', `${name}: must not be given beside ${path}, which says it too`);
  }
}

/** Writes settings to a machine's sysfs, one after the other. @throws SettingError for one that is wrong */
export async function applySettings(machine: Machine, set: readonly SysfsSetting[] = []): Promise<void> {
  for (const { path, value } of set) {
    try {
      await machine.sysfs.write(path, value);
    } catch (error) {
      if (!(error instanceof ErrnoError && WRONG.has(error.code))) throw error;
      throw new SettingError(error.code, error.message.slice(`${error.code}: `.length), { cause: error });
    }
  }
}

/** What a machine has for what a sweep may leave to it. */
interface MachineSays {
  readonly threads: number;
  readonly caller: SweepCaller;
  readonly flow: Flow;
  readonly migrator: MigratorName;
  readonly channels: number;
  readonly dmaSetup: DmaSetup;
  readonly cpuShare: number | 'auto';
  readonly dmaWait: DmaWait;
  readonly queueDepth: number;
  readonly batchLimit: number;
}

/**
 * What these settings decide, and how: what a small machine has once it is told them. And what they have registered.
 *
 * @param reason what would be migrated for. Default: for a system call
 * @throws SettingError for one that is wrong
 */
export async function decide(
  set: readonly SysfsSetting[] | undefined,
  reason?: MigrateReason,
): Promise<Partial<MachineSays> & Pick<Copiers, 'registered'>> {
  if (!set) return { registered: 'kernel' };
  // One thread for what is registered: none of them copies anything.
  const machine = await Machine.boot({ nodes: [SMALL_NODE], cpus: 0, threads: 1 });
  try {
    await applySettings(machine, set);
    const { threads, caller, flow, batchLimit, dcbm, offload } = machine;
    // Migrations don't block: with 'auto' their callers wait.
    const says = {
      threads,
      caller: caller === 'helps' ? 'helps' : 'waits',
      flow,
      migrator: migratorOf(machine, reason),
      channels: dcbm.nrDmaChan,
      dmaSetup: dcbm.setup,
      cpuShare: dcbm.cpuShare,
      dmaWait: dcbm.wait,
      queueDepth: dcbm.queueDepth,
      batchLimit,
    };
    const decided: Partial<MachineSays> = Object.fromEntries(Array.from(decidedBy(set), (name) => [name, says[name]]));
    return { ...decided, registered: (offload.active?.name ?? 'kernel') as MigratorName };
  } finally {
    await machine.close();
  }
}

/** What copies on a machine for a reason, where no migrator is named. */
export function migratorOf(
  { offload: { active, reasonMask } }: Machine,
  reason: MigrateReason = 'syscall_or_cpuset',
): MigratorName {
  const isOffloaded = (reasonMask & parseReasonMask(reason)) !== 0;
  return active && isOffloaded ? (active.name as MigratorName) : 'kernel';
}
