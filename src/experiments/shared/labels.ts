import {
  type Distribution,
  type Flow,
  formatSize,
  type MigratorName,
  type Phases,
  type Schedule,
  type Stores,
} from 'mtcopy';
import type { SweepCaller } from './callers.js';

/** The phases of a migration in their order, and what a column of each is called. */
export const PHASES: readonly { readonly head: string; readonly name: keyof Phases }[] = [
  { head: 'isolate', name: 'isolate' },
  { head: 'unmap', name: 'unmap' },
  { head: 'flush', name: 'flush' },
  { head: 'copy', name: 'copy' },
  { head: 'move', name: 'move' },
  { head: 'put\nback', name: 'putBack' },
];

/** Threads that copied: `2` workers, or `2+1` where the caller helped them. */
export function threadsText({ threads, caller }: { threads: number; caller?: SweepCaller }): string {
  return caller === 'helps' ? `${threads}+1` : String(threads);
}

/** What copied, with its threads or channels: `kernel` has none of its own. */
export function migratorText(row: {
  migrator: MigratorName;
  threads: number;
  caller?: SweepCaller;
  channels?: number;
}): string {
  if (row.migrator === 'kernel') return row.migrator;
  return `${row.migrator}×${row.migrator === 'dcbm' ? row.channels : threadsText(row)}`;
}

/** How a batch is shared out: `static chunks`, `dynamic 256K`, or the schedule alone with what is default. */
export function scheduleText({
  schedule,
  distribution = 'auto',
  unitBytes = 'auto',
}: {
  readonly schedule: Schedule;
  readonly distribution?: Distribution | undefined;
  readonly unitBytes?: number | 'auto' | undefined;
}): string {
  const shape =
    schedule === 'static' ? distribution : typeof unitBytes === 'number' ? formatSize(unitBytes) : unitBytes;
  return shape === 'auto' ? schedule : `${schedule} ${shape}`;
}

/** Which loop copied for whom, and why that didn't stream. */
export function loopText(
  rows: readonly {
    readonly migrator: MigratorName;
    readonly flow: Flow;
    readonly stores?: Stores | undefined;
    readonly copiedWith: string;
    readonly noStreaming?: string | undefined;
  }[],
): string {
  const users = new Map<string, Set<string>>();
  for (const { migrator, flow, stores, copiedWith, noStreaming } of rows) {
    const loop = noStreaming === undefined ? copiedWith : `${copiedWith}, for ${noStreaming}`;
    const who = [migrator, flow, stores].filter((word) => word !== undefined).join(' ');
    users.set(loop, (users.get(loop) ?? new Set()).add(who));
  }
  return Array.from(users, ([loop, names]) => `Copied with ${loop}: ${[...names].join('; ')}.`).join('\n');
}
