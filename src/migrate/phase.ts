import { setImmediate } from 'node:timers/promises';
import type { Migration } from './migration.js';
import type { MigrateMode } from './modes.js';
import type { Phases } from './stats.js';
import { isTraced, type MigrateTrace, traceEnd, traceStart } from './trace.js';

/** How long a migration keeps the event loop waiting, in milliseconds, before it gives it a turn. */
const SLICE_MS = 2;

/** Adds the time since `started`, of performance.now(), to a phase. Returns the time now. */
export function lap(phases: Phases, phase: keyof Phases, started: number): number {
  const now = performance.now();
  phases[phase] += (now - started) * 1e6;
  return now;
}

/** Runs a step of a batch as a phase that times itself, and tells whoever listens to `mtcopy:migrate` of its begin and end. */
export async function traced(
  migration: Migration,
  phase: MigrateTrace['phase'],
  run: () => Promise<void> | undefined,
): Promise<void> {
  const isHeard = isTraced();
  if (isHeard) traceStart(describe(migration, phase));
  try {
    const slow = run();
    if (slow) await slow;
  } finally {
    if (isHeard) traceEnd(describe(migration, phase));
  }
}

/** As {@link traced}, and times the step, all of which is that phase. */
export async function timed(
  migration: Migration,
  phase: MigrateTrace['phase'],
  run: () => Promise<void> | undefined,
): Promise<void> {
  const { phasesNs } = migration.stats;
  await traced(migration, phase, async () => {
    const started = performance.now();
    try {
      const slow = run();
      if (slow) await slow;
    } finally {
      lap(phasesNs, phase, started);
    }
  });
}

/** Whether the event loop has waited long enough for a turn (need_resched). */
export function needResched(migration: Migration, now: number): boolean {
  return now - migration.turnedAt > SLICE_MS;
}

/** Gives the event loop a turn (cond_resched). */
export async function resched(migration: Migration): Promise<void> {
  await setImmediate();
  migration.turnedAt = performance.now();
}

/** Counts what is tried again, and unless the migration must not wait gives others a turn to let go of it. */
export async function beforeRetry(migration: Migration, mode: MigrateMode, folios: number): Promise<void> {
  migration.stats.retries += folios;
  if (mode !== 'MIGRATE_ASYNC') await resched(migration);
}

function describe({ stats, flow, migrator, unmapped }: Migration, phase: MigrateTrace['phase']): MigrateTrace {
  const { batches, phasesNs } = stats;
  const folios = unmapped.count;
  return { batch: batches - 1, phase, flow, migrator: migrator.name, folios, phasesNs: { ...phasesNs } };
}
