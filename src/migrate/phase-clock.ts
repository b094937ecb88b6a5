import { resume } from '../copy/cpu-account.js';
import { recording } from '../trace/recording.js';
import type { Pfn } from '../units.js';
import type { Migration } from './migration.js';
import {
  beginFolioByFolio,
  beginLonePhase,
  beginPhase,
  endFolioByFolio,
  endLonePhase,
  endPhase,
} from './phase-slices.js';
import { resched, SLICE_MS, type Slice } from './resched.js';
import { createPhases, KERNEL, type Phases } from './stats.js';
import { isTraced, type MigrateTrace, traceEnd, traceStart } from './trace.js';

/** Adds the time since `started`, of performance.now(), to a phase. Returns the time now. */
export function lap(phases: Phases, phase: keyof Phases, started: number): number {
  const now = performance.now();
  phases[phase] += (now - started) * 1e6;
  return now;
}

/**
 * One in so many small folios is timed where each goes through several phases: a look at the clock takes 40 ns here, a
 * tenth of a page's migration.
 */
const SAMPLED = 8;
/** Folios of this order and above are all timed. */
const TIMED_ORDER = 4;

/**
 * Tells the phases apart of folios that go through several of them one by one. The whole time is measured, and shared out as
 * it was among the folios that were timed.
 */
export class PhaseSampler {
  readonly #migration: Migration;
  readonly #sampled = createPhases();
  /** Flushes that CPUs were interrupted for when the sampling began: if there are more, each folio may wait for longer. */
  readonly #flushes: number;
  #started: number;
  #before = 0;
  #isTimed = false;

  constructor(migration: Migration) {
    this.#migration = migration;
    this.#flushes = migration.manager.vmstat.nr_tlb_remote_flush;
    resume(migration.slice.account);
    this.#started = performance.now();
    if (recording) beginFolioByFolio(recording, migration.slice, this.#started);
  }

  /** Starts with the folio at `pfn`, at position `at` of its batch. */
  start(at: number, pfn: Pfn): void {
    const { memory, vmstat } = this.#migration.manager;
    this.#isTimed =
      at % SAMPLED === 0 || memory.page.order[pfn] >= TIMED_ORDER || vmstat.nr_tlb_remote_flush !== this.#flushes;
    if (this.#isTimed) this.#before = performance.now();
  }

  /** Ends a phase of the folio. */
  lap(phase: keyof Phases): void {
    if (this.#isTimed) this.#before = lap(this.#sampled, phase, this.#before);
  }

  /** Whether the event loop should have a turn, as far as the last timed folio tells. */
  get isLong(): boolean {
    return this.#isTimed && this.#before - this.#migration.slice.turnedAt > SLICE_MS;
  }

  /** Gives the event loop a turn, which is nobody's time. */
  async pause(): Promise<void> {
    this.finish();
    const { slice } = this.#migration;
    await resched(slice);
    this.#started = performance.now();
    if (recording) beginFolioByFolio(recording, slice, this.#started);
  }

  /** Shares out the time since the start, or since the last pause; all of it is `move` if no folio was timed. */
  finish(): void {
    const { stats, slice } = this.#migration;
    const { phasesNs } = stats;
    const sampled = this.#sampled;
    const names = Object.keys(sampled) as (keyof Phases)[];
    const sum = names.reduce((ns, name) => ns + sampled[name], 0);
    const now = performance.now();
    const elapsed = (now - this.#started) * 1e6;
    if (sum === 0) sampled.move = elapsed;
    for (const name of names) {
      if (sum > 0) sampled[name] *= elapsed / sum;
      phasesNs[name] += sampled[name];
    }
    if (recording) endFolioByFolio(recording, slice, now, sampled);
    for (const name of names) sampled[name] = 0;
  }
}

/** A step of a batch: at once, or a promise for its end. */
type Step = () => Promise<void> | undefined;

/**
 * Runs a step of a batch as a phase that times itself, and tells whoever listens to `mtcopy:migrate` of its begin and end.
 *
 * @param folios that the phase has before it. Default: those that are unmapped.
 */
export function traced(
  migration: Migration,
  phase: MigrateTrace['phase'],
  run: Step,
  folios = migration.unmapped.count,
): Promise<void> | undefined {
  if (!isTraced()) return run();
  traceStart(describe(migration, phase, folios));
  return andThen(run, () => traceEnd(describe(migration, phase, folios)));
}

/** As {@link traced}, and times the step, all of which is that phase, but for the turns that it gives the event loop. */
export function timed(
  migration: Migration,
  phase: MigrateTrace['phase'],
  run: Step,
  folios = migration.unmapped.count,
): Promise<void> | undefined {
  const step = () => {
    const { stats, slice } = migration;
    resume(slice.account);
    const now = performance.now();
    const started = now - slice.pausedMs;
    if (recording) beginPhase(recording, slice, phase, now);
    return andThen(run, () => {
      const ended = lap(stats.phasesNs, phase, started + slice.pausedMs);
      if (recording) endPhase(recording, slice, phase, ended, (ended - slice.pausedMs - started) * 1e6);
    });
  };
  return traced(migration, phase, step, folios);
}

/**
 * Runs what is a phase and in no batch, and adds the nanoseconds that it took without the turns of its slice, also if it throws.
 */
export async function timedAlone(
  phases: Phases,
  phase: 'isolate' | 'putBack',
  slice: Slice,
  run: () => Promise<void>,
): Promise<void> {
  const begun = performance.now();
  const started = begun - slice.pausedMs;
  if (recording) beginLonePhase(recording, slice, phase, begun);
  try {
    await run();
  } finally {
    const ended = performance.now();
    const ns = Math.round((ended - slice.pausedMs - started) * 1e6);
    phases[phase] += ns;
    if (recording) endLonePhase(recording, slice, phase, ended, ns);
  }
}

/** Runs a step, and `after` at its end. */
function andThen(run: Step, after: () => void): Promise<void> | undefined {
  const slow = run();
  if (slow) return slow.finally(after);
  after();
  return undefined;
}

function describe(migration: Migration, phase: MigrateTrace['phase'], folios: number): MigrateTrace {
  const { stats, batch, flow, mode, reason, migrator } = migration;
  return {
    batch,
    phase,
    flow,
    mode,
    reason,
    migrator: migrator?.name ?? KERNEL,
    folios,
    phasesNs: { ...stats.phasesNs },
  };
}
