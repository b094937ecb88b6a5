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

/** Has some settings measured in memory of their own: `measure` has a runner for each, in their order, until it returns. */
export type Place<Settings> = <T>(
  settings: readonly Settings[],
  measure: (runners: readonly Runner<Settings>[]) => Promise<T>,
) => Promise<T>;

/** How long a race lasts. */
export interface Race {
  /** Seconds after which no more heats are begun. */
  readonly seconds: number;
  /** Half the width of an interval, as a part of its ratio, that is narrow enough. */
  readonly bound: number;
  /** Rounds of each heat before the first that counts. */
  readonly warmUps: number;
}

/** The part that stays at least, unless it is surely slower: of a few rounds the order of the fastest is in part luck. */
const STAYING = 2 / 3;
/** Heats before which none is taken to be known well enough, however alike its rounds are: all of a heat are in one memory. */
const MIN_HEATS = 3;
/** Until then who is less than this slower for sure may be as fast in another memory. */
const MAY_BE_LUCK = 0.95;

/**
 * Finds who is fastest, in heats: all run in turns for some rounds, then some leave and the others go on, until one is left, each
 * is known well enough, or the time is over. Those leave that are surely slower than the fastest, and of the slowest third those
 * that cost no less than a faster one: whatever more rounds would say, the choice is hardly among them. So most rounds go to the
 * few that are hard to tell apart, side by side.
 *
 * Each heat is in another memory, with threads that were started for it: where the host has put pages, and threads, is luck which
 * lasts as long as they do. However many rounds are made in one memory, they say what is fastest in that.
 *
 * @param place is asked for each heat, with those who are left
 * @param costOf as `choose` has it
 * @returns what each measured, in the order of `settings`: fewer rounds of those that left early, or if the signal was aborted
 */
export async function race<Settings>(
  settings: readonly Settings[],
  place: Place<Settings>,
  costOf: (settings: Settings) => readonly number[],
  { seconds, bound, warmUps }: Race,
  control: Control,
): Promise<Measured<Settings>[]> {
  const all = settings.map((one) => ({ settings: one, samplesNs: [[] as number[]] }));
  const until = performance.now() + seconds * 1000;
  let left: readonly (typeof all)[number][] = all;
  for (let heats = 1; !control.signal?.aborted; heats++) {
    const rounds = await place(
      left.map((one) => one.settings),
      // No longer than the rounds that there must be: then some leave.
      (runners) => runInTurns(runners, (ns) => ns, { warmUps, seconds: 0, bound }, control),
    );
    for (const [
      i,
      {
        samplesNs: [own],
      },
    ] of left.entries())
      own.push(...rounds[i]);
    if (rounds[0].length < MIN_ROUNDS) break;
    const isEarly = heats < MIN_HEATS;
    const standings = standingsOf(left);
    const staying = stayingOf(standings, costOf, isEarly ? MAY_BE_LUCK : 1);
    left = left.filter((_, i) => staying.has(standings[i]));
    const isNarrow = Array.from(staying).every(
      ({ ratio }) => !ratio || (ratio.high - ratio.low) / 2 <= bound * ratio.median,
    );
    if (left.length === 1 || (isNarrow && !isEarly) || performance.now() >= until) break;
  }
  return all;
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

/** @param surely so many times as fast as the fastest, with its whole interval, is not enough to stay */
function stayingOf<Settings>(
  standings: readonly Standing<Settings>[],
  costOf: (settings: Settings) => readonly number[],
  surely: number,
): ReadonlySet<Standing<Settings>> {
  const speed = ({ ratio }: Standing<Settings>) => ratio?.median ?? Number.POSITIVE_INFINITY;
  const bySpeed = standings.toSorted((a, b) => speed(b) - speed(a));
  const staying = new Set<Standing<Settings>>();
  for (const [rank, one] of bySpeed.entries()) {
    if ((one.ratio?.high ?? 1) < surely) continue;
    const isCheaper = () => Array.from(staying).every((other) => isLess(costOf(one.settings), costOf(other.settings)));
    if (rank < Math.max(2, bySpeed.length * STAYING) || isCheaper()) staying.add(one);
  }
  return staying;
}
