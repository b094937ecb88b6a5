import { tracingChannel } from 'node:diagnostics_channel';
import type { MigrateMode } from '../mm/migrate-mode.js';
import type { MigrateReason } from './reasons.js';
import type { Flow } from './settings.js';
import type { Phases } from './stats.js';

/**
 * What subscribers of the tracing channel `mtcopy:migrate` get: `start` as a phase of a batch begins, `end` as it ends. Where
 * a flow takes folios through several phases one by one, all of that is one phase to the channel, `move`, and `phasesNs`
 * tells them apart.
 */
export interface MigrateTrace {
  /**
   * Number of the batch, from 0. It starts anew, as does {@link phasesNs}, with every 8,192 pages of a call of move_pages and
   * every node that they go to, and with every pair of nodes of one of migrate_pages.
   */
  readonly batch: number;
  /** What begins, or has ended: a member of {@link phasesNs}. */
  readonly phase: 'unmap' | 'flush' | 'copy' | 'move' | 'putBack';
  /** In which order the batch goes through its steps. */
  readonly flow: Flow;
  /** How much the call may wait. */
  readonly mode: MigrateMode;
  /** Why the call was made. */
  readonly reason: MigrateReason;
  /** Name of the migrator. */
  readonly migrator: string;
  /** Folios that the phase has before it; the same in `end`. */
  readonly folios: number;
  /**
   * Nanoseconds so far, by phase: in `end` with this one's. With several batches in flight, of those that follow each
   * other.
   */
  readonly phasesNs: Phases;
}

const channel = tracingChannel<MigrateTrace>('mtcopy:migrate');

/** Whether anybody listens; while nobody does, a phase costs no more than this look. */
export function isTraced(): boolean {
  return channel.start.hasSubscribers || channel.end.hasSubscribers;
}

export function traceStart(trace: MigrateTrace): void {
  channel.start.publish(trace);
}

export function traceEnd(trace: MigrateTrace): void {
  channel.end.publish(trace);
}
