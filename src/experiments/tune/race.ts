import { isLess } from 'mtcopy';
import type { Control } from '../shared/control.js';
import { MIN_ROUNDS, runInTurns } from '../shared/in-turns.js';
import type { Ratio } from '../shared/ratio.js';
import { fastestOf, type Measured, speedRatio } from './choose.js';

/** One that takes part. */
export interface Runner<Settings> {
  /** What its figures are listed under. */
  readonly name: string;
  /** What it runs with. */
  readonly settings: Settings;
  /** Runs once, verifies what it did outside of what it times, and says how many nanoseconds it took. */
  readonly run: () => Promise<number>;
}

/** How long a race lasts. */
export interface Race {
  /** Seconds after which no more rounds are begun, once there were {@link MIN_ROUNDS}. */
  readonly seconds: number;
  /** Half the width of an interval, as a part of its ratio, that is narrow enough. */
  readonly bound: number;
  /** Rounds before the first that counts. */
  readonly warmUps: number;
}

/** The part that stays at least, unless it is surely slower: of a few rounds the order of the fastest is in part luck. */
const STAYING = 2 / 3;

/**
 * Finds who is fastest: all run in turns for some rounds, then some leave and the others go on, until one is left, each is known
 * well enough, or the time is over. Those leave that are surely slower than the fastest, and of the slowest third those that cost
 * no less than a faster one: whatever more rounds would say, the choice is hardly among them. So most rounds go to the few that
 * are hard to tell apart, side by side.
 *
 * @param costOf as `choose` has it
 * @returns what each measured, in the order of `runners`: fewer rounds of those that left early, or if the signal was aborted
 */
export async function race<Settings>(
  runners: readonly Runner<Settings>[],
  costOf: (settings: Settings) => readonly number[],
  { seconds, bound, warmUps: first }: Race,
  control: Control,
): Promise<Measured<Settings>[]> {
  const samples = new Map(runners.map((runner): [Runner<Settings>, number[]] => [runner, []]));
  const measuredOf = (runner: Runner<Settings>): Measured<Settings> => ({
    settings: runner.settings,
    samplesNs: [samples.get(runner) ?? []],
  });
  const until = performance.now() + seconds * 1000;
  let left: readonly Runner<Settings>[] = runners;
  for (let warmUps = first; !control.signal?.aborted; warmUps = 0) {
    // No longer than the rounds that there must be: then some leave.
    const rounds = await runInTurns(left, (ns) => ns, { warmUps, seconds: 0, bound }, control);
    for (const [i, runner] of left.entries()) samples.get(runner)?.push(...rounds[i]);
    if (rounds[0].length < MIN_ROUNDS) break;
    const standings = standingsOf(left.map(measuredOf));
    const staying = stayingOf(standings, costOf);
    left = left.filter((_, i) => staying.has(standings[i]));
    const isNarrow = Array.from(staying).every(
      ({ ratio }) => !ratio || (ratio.high - ratio.low) / 2 <= bound * ratio.median,
    );
    if (left.length === 1 || isNarrow || performance.now() >= until) break;
  }
  return runners.map(measuredOf);
}

/** Where one stands. */
interface Standing<Settings> {
  readonly settings: Settings;
  /** How many times as fast as the fastest; `undefined` for that one. */
  readonly ratio: Ratio | undefined;
}

function standingsOf<Settings>(measured: readonly Measured<Settings>[]): Standing<Settings>[] {
  const fastest = fastestOf(measured);
  return measured.map((one) => ({
    settings: one.settings,
    ratio: one === fastest ? undefined : speedRatio(one, fastest),
  }));
}

function stayingOf<Settings>(
  standings: readonly Standing<Settings>[],
  costOf: (settings: Settings) => readonly number[],
): ReadonlySet<Standing<Settings>> {
  const speed = ({ ratio }: Standing<Settings>) => ratio?.median ?? Number.POSITIVE_INFINITY;
  const bySpeed = standings.toSorted((a, b) => speed(b) - speed(a));
  const staying = new Set<Standing<Settings>>();
  for (const [rank, one] of bySpeed.entries()) {
    if ((one.ratio?.high ?? 1) < 1) continue;
    const isCheaper = () => Array.from(staying).every((other) => isLess(costOf(one.settings), costOf(other.settings)));
    if (rank < Math.max(2, bySpeed.length * STAYING) || isCheaper()) staying.add(one);
  }
  return staying;
}
