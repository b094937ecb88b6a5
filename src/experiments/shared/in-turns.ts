import { type Control, isCutShort, type TurnsTaken } from './control.js';
import { ratioOf } from './ratio.js';

/** One of several things that are measured against the first of them. */
export interface Variant<Sample> {
  /** What the progress calls it. */
  readonly name: string;
  /** Runs once, and verifies what it did outside of what it times. */
  readonly run: () => Promise<Sample>;
}

/** How long to measure. */
export interface Turns {
  /** Rounds that are not counted. */
  readonly warmUps: number;
  /** Seconds after which no more blocks are begun, once there are {@link MIN_ROUNDS}. */
  readonly seconds: number;
  /** Half the width of an interval, as a part of its ratio, that is narrow enough: 0.03 is ±3 %. */
  readonly bound: number;
  /** What samples are compared by, and in what unit. Default: nanoseconds. */
  readonly measure?: string;
}

/** Rounds that count at least: with fewer pairs there is no interval of 95 %. */
export const MIN_ROUNDS = 6;
/** By what part there are more rounds when the intervals are looked at again. */
const LOOK_AGAIN = 1.1;

/**
 * Runs every variant once a round, and every other round backwards (A B, B A), for the speed of a machine drifts, and who comes
 * after whom matters too. Ends with a whole block of two rounds, once every ratio to the first variant is known well enough, or
 * the time is over.
 *
 * As that looks at the intervals to know when to end, they hold the true ratio somewhat less often than their 95 %: 93 to 94 times
 * in 100 of runs that differ by 10 %. Where that matters, a bound of 0 and a time make the number of rounds another's choice.
 *
 * @param weigh what a sample is compared by, above 0, such as its nanoseconds
 * @returns the samples of each variant; those of the same position were measured side by side. Fewer than
 * {@link MIN_ROUNDS}, or none, if the signal was aborted.
 * @throws ErrnoError EINVAL for a weight that is not above 0. Whatever a run throws
 */
export async function runInTurns<Sample>(
  variants: readonly Variant<Sample>[],
  weigh: (sample: Sample) => number,
  { warmUps, seconds, bound, measure = 'ns' }: Turns,
  control: Control = {},
): Promise<Sample[][]> {
  const samples = variants.map((): Sample[] => []);
  const backwards = variants.map((_, i) => variants.length - 1 - i);
  const started = performance.now();
  let runs = (warmUps + MIN_ROUNDS) * variants.length;
  let done = 0;
  let nextLook = MIN_ROUNDS;
  let ended: TurnsTaken['ended'] | undefined;
  const look = (rounds: number) => {
    if (rounds < MIN_ROUNDS || rounds % 2 !== 0) return;
    const isLate = performance.now() - started >= seconds * 1000;
    if (!isLate && rounds < nextLook) return;
    // All pairs of rounds are looked at: seldom, or of short runs most of the time would go into that.
    nextLook = rounds * LOOK_AGAIN;
    if (isNarrow(samples, weigh, bound)) ended = 'narrow';
    else if (isLate) ended = 'time';
  };
  for (let round = -warmUps; !ended; round++) {
    // What it will be in the end nobody knows: one more block.
    if (done === runs) runs += 2 * variants.length;
    for (const which of round % 2 === 0 ? backwards.toReversed() : backwards) {
      if (isCutShort(control)) {
        ended = 'signal';
        break;
      }
      control.onProgress?.({ done: done++, runs, what: variants[which].name });
      const sample = await variants[which].run();
      if (round >= 0) samples[which].push(sample);
    }
    if (!ended) look(round + 1);
  }
  const whole = wholeRounds(samples);
  control.onTurns?.({
    rounds: whole[0].length,
    ended,
    measure,
    variants: variants.map(({ name }, i) => ({ name, samples: whole[i].map(weigh) })),
  });
  return whole;
}

/** Whether the ratio of every variant to the first has an interval that is narrow enough. */
function isNarrow<Sample>(samples: readonly Sample[][], weigh: (sample: Sample) => number, bound: number): boolean {
  const [baseline, ...others] = samples.map((list) => list.map(weigh));
  return others.every((values) => {
    const { median, low, high } = ratioOf(values, baseline);
    return (high - low) / 2 <= bound * median;
  });
}

/** Leaves out the round that was cut short. */
function wholeRounds<Sample>(samples: readonly Sample[][]): Sample[][] {
  const rounds = Math.min(...samples.map((list) => list.length));
  return samples.map((list) => list.slice(0, rounds));
}
