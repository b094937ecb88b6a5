import { setImmediate } from 'node:timers/promises';
import { awaiting, type CpuAccount, resume } from '../copy/cpu-account.js';
import type { MigrateMode } from '../mm/migrate-mode.js';
import { LEVEL, recording } from '../trace/recording.js';
import type { MigrateStats } from './stats.js';

/** How long work keeps the event loop waiting, in milliseconds, before it gives it a turn. */
export const SLICE_MS = 1;
/** Pages that are dealt with, or copied, between two turns at most, however fast. */
export const PAGES_A_SLICE = 4096;
/** Pages between two looks at the clock, of which one takes 40 ns. */
const PAGES_A_LOOK = 64;

/** What a trace calls such a turn. */
const TURN = "event loop's turn";

/** What was done since the event loop's last turn. */
export interface Slice {
  /** When it had that, of performance.now(). */
  turnedAt: number;
  /** Pages dealt with since then. */
  pages: number;
  /** How many they were when the clock was last looked at. */
  seen: number;
  /** Milliseconds that turns have taken, which are nobody's time. */
  pausedMs: number;
  /** Whose CPU time the work is. */
  readonly account: CpuAccount;
  /** Where a trace shows the work; -1 for nowhere. */
  track: number;
}

/** @param account in a stretch whenever the slice is worked in */
export function createSlice(account: CpuAccount): Slice {
  return { turnedAt: performance.now(), pages: 0, seen: 0, pausedMs: 0, account, track: -1 };
}

/** Whether the event loop has waited long enough for a turn (need_resched), with so many more pages done, or about to be. */
export function needResched(slice: Slice, pages = PAGES_A_LOOK): boolean {
  slice.pages += pages;
  if (slice.pages - slice.seen < PAGES_A_LOOK) return false;
  slice.seen = slice.pages;
  resume(slice.account);
  return slice.pages >= PAGES_A_SLICE || performance.now() - slice.turnedAt > SLICE_MS;
}

/** Whether a loop over pages, at the i-th, has passed so many that {@link needResched} should be asked. */
export function isLookDue(i: number): boolean {
  return i % PAGES_A_LOOK === PAGES_A_LOOK - 1;
}

/** Gives the event loop a turn (cond_resched). */
export async function resched(slice: Slice): Promise<void> {
  const left = performance.now();
  if (recording) recording.begin(slice.track, TURN, left, LEVEL.turn);
  await awaiting(slice.account, setImmediate);
  slice.turnedAt = performance.now();
  if (recording) recording.end(slice.track, slice.turnedAt);
  slice.pages = 0;
  slice.seen = 0;
  slice.pausedMs += slice.turnedAt - left;
}

/**
 * Makes `count` rounds, with cond_resched where a turn of the event loop is due.
 *
 * @param run makes rounds from the one that it is given on until a turn is due, and returns how far it came; a loop of its
 * own, for one that awaits is slower
 */
export async function withResched(slice: Slice, count: number, run: (next: number) => number): Promise<void> {
  for (let next = run(0); next < count; next = run(next)) await resched(slice);
}

/** Counts what a migration tries again, and unless it must not wait gives others a turn to let go of it. */
export async function beforeRetry(
  { stats, slice }: { readonly stats: MigrateStats; readonly slice: Slice },
  mode: MigrateMode,
  folios: number,
): Promise<void> {
  stats.retries += folios;
  if (mode !== 'MIGRATE_ASYNC') await resched(slice);
}
