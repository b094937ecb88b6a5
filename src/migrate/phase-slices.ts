import { LEVEL, type Recording, recording } from '../trace/recording.js';
import type { Migration } from './migration.js';
import type { Slice } from './resched.js';
import { KERNEL, type Phases } from './stats.js';

/*
 * What a trace shows of a migration. Each lane has a track: on it a slice a batch, in that a slice a phase, and in that the turns
 * of the event loop, which are in no phase. A slice and the phase's nanoseconds come of the same looks at the clock. Nobody
 * calls these while nothing is recorded.
 */

/** The name of the slice of folios that go through several phases one by one, between two turns of the event loop. */
const FOLIO_BY_FOLIO = 'folio by folio';

/** A phase of a slice's track begins, at `ms` of performance.now(). */
export function beginPhase(trace: Recording, { track }: Slice, phase: keyof Phases, ms: number): void {
  trace.begin(track, phase, ms, LEVEL.phase);
}

/** It ends, and has taken so many nanoseconds without the turns in it. */
export function endPhase(trace: Recording, { track }: Slice, phase: keyof Phases, ms: number, ns: number): void {
  trace.number(track, `${phase}Ns`, ns);
  trace.end(track, ms);
  trace.drain();
}

/** As {@link beginPhase}, for a phase that is in no batch: it has a lane for as long. */
export function beginLonePhase(trace: Recording, slice: Slice, phase: keyof Phases, ms: number): void {
  slice.track = trace.takeLane();
  beginPhase(trace, slice, phase, ms);
}

export function endLonePhase(trace: Recording, slice: Slice, phase: keyof Phases, ms: number, ns: number): void {
  endPhase(trace, slice, phase, ms, ns);
  trace.freeLane(slice.track);
  slice.track = -1;
}

/** Folios begin to go through several phases one by one. */
export function beginFolioByFolio(trace: Recording, { track }: Slice, ms: number): void {
  trace.begin(track, FOLIO_BY_FOLIO, ms, LEVEL.phase);
}

/** The event loop is to have a turn between two of them, or they are through. */
export function endFolioByFolio(trace: Recording, { track }: Slice, endedMs: number, phasesNs: Phases): void {
  for (const [phase, ns] of Object.entries(phasesNs)) if (ns > 0) trace.number(track, `${phase}Ns`, ns);
  trace.end(track, endedMs);
  trace.drain();
}

export function beginBatch(
  trace: Recording,
  { slice, batch, flow, reason, migrator }: Migration,
  folios: number,
): void {
  const { track } = slice;
  trace.number(track, 'batch', batch);
  trace.number(track, 'folios', folios);
  trace.text(track, 'reason', reason);
  trace.begin(track, `${flow}, ${migrator?.name ?? KERNEL}`, performance.now(), LEVEL.batch);
}

/** It ends, and the calling thread and the migrator have moved so many bytes of it. */
export function endBatch(trace: Recording, { track }: Slice, callerBytes: number, migratorBytes: number): void {
  trace.number(track, 'kernelBytes', callerBytes);
  trace.number(track, 'migratorBytes', migratorBytes);
  trace.end(track, performance.now());
}

/** Lanes for those parts of a call that have a batch in flight each, until they are given back. */
export function takeLanes(lanes: readonly Migration[]): void {
  if (recording) for (const { slice } of lanes) slice.track = recording.takeLane();
}

export function freeLanes(lanes: readonly Migration[]): void {
  if (recording) for (const { slice } of lanes) recording.freeLane(slice.track);
}
