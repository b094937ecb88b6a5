import { formatSize } from 'mtcopy';
import { type Control, isCutShort } from '../shared/control.js';
import { MIN_ROUNDS } from '../shared/in-turns.js';

/** What a table has moved. */
export interface Amounts {
  /** Bytes of a run; of the largest, where there are several. */
  readonly bytes: number;
  /** Bytes that were meant to be moved: more than there was time for, if it isn't the same. */
  readonly usualBytes: number;
}

/** Part of the usual bytes that is moved at least: of 1 GiB 64 MiB, several times what caches hold. */
export const LEAST_PART = 16;

/** Something that is run to see how much there is time for. */
export interface Trial {
  /** What the progress calls it. */
  readonly name: string;
  readonly run: () => Promise<unknown>;
  /** Whether its time counts. Default: it does. */
  readonly counts?: boolean;
}

/** Seconds that those trials take that count, or those of them that were made before the signal was aborted. */
export async function timeTrials(trials: readonly Trial[], control: Control): Promise<number> {
  let seconds = 0;
  for (const [done, { name, run, counts = true }] of trials.entries()) {
    if (isCutShort(control)) break;
    control.onProgress?.({ done, runs: trials.length, what: `how much there is time for, ${name}` });
    const began = performance.now();
    await run();
    if (counts) seconds += (performance.now() - began) / 1000;
  }
  return seconds;
}

/** The first of them once more, before all: it touches the memory first, which doesn't count. */
export function withWarmUp(trials: readonly Trial[]): Trial[] {
  return [...trials.slice(0, 1).map((one) => ({ ...one, counts: false })), ...trials];
}

/** What there is time for is asked about. */
export interface Question {
  /** What is usual. */
  readonly bytes: number;
  /** That a part has, of the largest amount. */
  readonly seconds: number;
  /** Seconds that a round of the least bytes takes. */
  readonly leastSeconds: number;
  /** Rounds of so many bytes that don't count. */
  readonly warmUpsOf: (bytes: number) => number;
}

/**
 * Bytes of which there is time for the rounds that are made in any case: what is usual, or half of that, or a half of that, and so
 * on, a {@link LEAST_PART}th at least.
 */
export function bytesThatFit({ bytes, seconds, leastSeconds, warmUpsOf }: Question): number {
  const least = bytes / LEAST_PART;
  const takes = (amount: number) => leastSeconds * (amount / least) * (MIN_ROUNDS + warmUpsOf(amount));
  let fits = bytes;
  while (fits > least && takes(fits) > seconds) fits /= 2;
  return fits;
}

/** What is said below a table that has moved less than is usual; nothing of others. */
export function lessText({ bytes, usualBytes }: Amounts): string[] {
  return bytes < usualBytes ? [`Not ${formatSize(usualBytes)}: there was no time for six rounds of so much.`] : [];
}

/** {@link lessText} of a table that leaves settings out too, where even the least takes too long with all. */
export function withLeftOut(less: string): string {
  return `${less} What is left out had none either.`;
}
