import { setImmediate } from 'node:timers/promises';
import type { MigrateMode } from './migrate-mode.js';
import type { Migration } from './migration.js';

/** How long a migration keeps the event loop waiting, in milliseconds, before it gives it a turn. */
export const SLICE_MS = 2;

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
