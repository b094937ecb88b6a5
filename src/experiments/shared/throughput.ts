import { formatSize, MiB, type Stores } from 'mtcopy';
import { collectGarbage } from './collect-garbage.js';
import { type Control, isCutShort } from './control.js';
import { runInTurns } from './in-turns.js';
import type { MigrationRun } from './moved-memory.js';
import { BASELINE, bootMoved, type Mover, moveBy, moverText } from './movers.js';
import { type Ratio, ratioOf } from './ratio.js';
import { shareTime } from './share-time.js';
import { type Spread, spreadOf } from './spread.js';

/** What one mover made of some folios. */
export interface ThroughputRow extends Mover {
  /** Bytes of a folio. */
  readonly folioBytes: number;
  /** Folios that a run moves. */
  readonly folios: number;
  /** Runs that counted. */
  readonly runs: number;
  /** 10^9 bytes a second. */
  readonly gbps: Spread;
  /** Speed against the baseline, of pairs of runs: above 1 is faster. */
  readonly againstBaseline: Ratio;
}

/** What to move, and how well to know it. */
export interface ThroughputScale {
  readonly bytes: number;
  readonly folioBytes: number;
  /** Seconds for all movers together, with what prepares them; see `Turns`. */
  readonly seconds: number;
  readonly bound: number;
  /** Rounds that don't count. Default: as many as move 32 MiB, 16 at most. */
  readonly warmUps?: number | undefined;
  /** To copy with, instead of what each way has. */
  readonly stores?: Stores | undefined;
}

/** Bytes that each moves before anything counts: by then the code is compiled, and its threads have been started. */
const WARM_UP_BYTES = 32 * MiB;
const MAX_WARM_UPS = 16;

/**
 * Moves folios of one size there and back in several ways, in turns with the baseline.
 *
 * @param groups of movers, one after the other, each with a baseline of its own: threads of another schedule start anew, which
 * is not to fall between two runs that are compared
 * @returns a row for each that was measured before the signal was aborted, the baseline first
 */
export async function measureThroughput(
  groups: readonly (readonly Mover[])[],
  { bytes, folioBytes, seconds, bound, warmUps, stores }: ThroughputScale,
  control: Control,
): Promise<ThroughputRow[]> {
  const nextSeconds = shareTime(seconds, groups.length);
  const memory = await bootMoved(bytes, folioBytes);
  const folios = bytes / folioBytes;
  const rows: ThroughputRow[] = [];
  try {
    for (const group of groups) {
      if (isCutShort(control)) break;
      const movers = [BASELINE, ...group];
      const variants = movers.map((mover) => ({
        name: `${folios} of ${formatSize(folioBytes)}, ${moverText(mover)}`,
        run: () => moveBy(memory, mover, stores),
      }));
      const turns = { warmUps: warmUps ?? usualWarmUps(bytes), seconds: nextSeconds(), bound };
      const samples = await runInTurns(variants, ({ ns }) => ns, turns, control);
      if (samples[0].length === 0) break;
      const measured = movers.map((mover, i) => summarize(mover, folios, folioBytes, samples[i], samples[0]));
      rows.push(...(rows.length === 0 ? measured : measured.slice(1)));
    }
    return rows;
  } finally {
    await memory.machine.close();
    collectGarbage();
  }
}

/** Rounds that don't count, of so many bytes each. */
export function usualWarmUps(bytes: number): number {
  return Math.min(MAX_WARM_UPS, Math.ceil(WARM_UP_BYTES / bytes));
}

function summarize(
  mover: Mover,
  folios: number,
  folioBytes: number,
  runs: readonly MigrationRun[],
  baseline: readonly MigrationRun[],
): ThroughputRow {
  const times = (list: readonly MigrationRun[]) => list.map(({ ns }) => ns);
  return {
    ...mover,
    folioBytes,
    folios,
    runs: runs.length,
    gbps: spreadOf(runs.map(({ ns }) => (folios * folioBytes) / ns)),
    againstBaseline: ratioOf(times(baseline), times(runs)),
  };
}
