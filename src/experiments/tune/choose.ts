import { isLess } from 'mtcopy';
import { type Ratio, ratioOf } from '../shared/ratio.js';

/** One setting of what is tuned, and how long it took. */
export interface Measured<Settings> {
  /** The setting. */
  readonly settings: Settings;
  /**
   * Nanoseconds of each round, for each thing that was measured. Rounds of the same thing and position were made side by side
   * with those of the other settings; a setting that left early has fewer.
   */
  readonly samplesNs: readonly (readonly number[])[];
}

/** What is best, and what to take. */
export interface Choice<Settings> {
  /** What to take. */
  readonly chosen: Settings;
  /** The fastest; `chosen` itself, or one that needs more. */
  readonly fastest: Settings;
  /** How many times as fast as the fastest the chosen one is; 1 if it is that. */
  readonly ofFastest: Ratio;
}

/** So many times as fast as the fastest is good enough. */
const ENOUGH = 0.97;
/**
 * By the median it is to be more, as far from what would be too little as from 1: a median that is just enough is too much as
 * often as not.
 */
const NEARLY = (1 + ENOUGH) / 2;

/**
 * The setting to take: of the fastest, and of those whose difference to it is within the noise, the one that costs least. Within
 * the noise is a ratio whose interval reaches 1, so that more was not shown to gain, and whose median is nearly 1, for where little
 * is known every interval reaches it.
 *
 * @param costOf what a setting costs, the most important first, such as its threads
 * @returns `undefined` if nothing was measured
 * @throws ErrnoError EINVAL for a time that is not above 0
 */
export function choose<Settings>(
  measured: readonly Measured<Settings>[],
  costOf: (settings: Settings) => readonly number[],
): Choice<Settings> | undefined {
  const known = measured.filter(({ samplesNs }) => rounds(samplesNs) > 0);
  if (known.length === 0) return undefined;
  const fastest = fastestOf(known);
  let chosen = fastest;
  for (const one of known) {
    const isNear = one === fastest || isWithinNoise(speedRatio(one, fastest));
    if (isNear && isLess(costOf(one.settings), costOf(chosen.settings))) chosen = one;
  }
  return {
    chosen: chosen.settings,
    fastest: fastest.settings,
    ofFastest: speedRatio(chosen, fastest) as Ratio,
  };
}

/** The fastest, by the median ratios to the one of which most is known. */
export function fastestOf<Settings>(measured: readonly Measured<Settings>[]): Measured<Settings> {
  const known = measured.reduce((best, one) => (rounds(one.samplesNs) > rounds(best.samplesNs) ? one : best));
  const speed = (one: Measured<Settings>) => speedRatio(one, known)?.median ?? 0;
  return measured.reduce((best, one) => (speed(one) > speed(best) ? one : best));
}

/**
 * How many times as fast as `other` one is; `undefined` if they were never measured side by side. Each thing that both were
 * measured with counts as much: who loses with one leaves there early, and has more rounds of those where it wins.
 */
export function speedRatio(one: Measured<unknown>, other: Measured<unknown>): Ratio | undefined {
  const both = one.samplesNs.map((samples, i) => Math.min(samples.length, other.samplesNs[i].length));
  const counts = both.filter((count) => count > 0);
  if (counts.length === 0) return undefined;
  const each = Math.min(...counts);
  const samplesOf = ({ samplesNs }: Measured<unknown>) =>
    samplesNs.flatMap((samples, i) => (both[i] > 0 ? samples.slice(0, each) : []));
  return ratioOf(samplesOf(other), samplesOf(one));
}

/** Whether what is so many times as fast as the fastest may be as fast. */
function isWithinNoise(ratio: Ratio | undefined): boolean {
  return ratio !== undefined && ratio.high >= 1 && ratio.median >= NEARLY;
}

function rounds(samplesNs: Measured<unknown>['samplesNs']): number {
  return samplesNs.reduce((sum, samples) => sum + samples.length, 0);
}

/** Something that settings differ in, whose choice is to be explained. */
export interface Dimension<Settings> {
  readonly name: string;
  readonly of: (settings: Settings) => string;
  /** Whether two settings that differ in it are alike enough in all else. */
  readonly isComparable: (a: Settings, b: Settings) => boolean;
}

/** What else could have been chosen, and how fast that is. */
export interface Alternative {
  /** What it differs in. */
  readonly setting: string;
  /** What was chosen of that. */
  readonly chosen: string;
  /** What else there was. */
  readonly instead: string;
  /** How many times as fast as what was chosen. */
  readonly ratio: Ratio;
}

/** The best of each other value of every dimension, against what was chosen. */
export function alternativesOf<Settings>(
  measured: readonly Measured<Settings>[],
  chosen: Settings,
  dimensions: readonly Dimension<Settings>[],
): Alternative[] {
  const own = measured.find(({ settings }) => settings === chosen);
  if (!own) return [];
  return dimensions.flatMap(({ name, of, isComparable }) => {
    const best = new Map<string, Ratio>();
    for (const one of measured) {
      const value = of(one.settings);
      if (value === of(chosen) || !isComparable(one.settings, chosen)) continue;
      const ratio = speedRatio(one, own);
      if (ratio && ratio.median > (best.get(value)?.median ?? 0)) best.set(value, ratio);
    }
    return Array.from(best, ([instead, ratio]) => ({ setting: name, chosen: of(chosen), instead, ratio }));
  });
}

/** What is enough for a batch of one size: whether threads gain there. */
export interface AtSize {
  readonly batchBytes: number;
  readonly gains: boolean;
}

/** Bytes of the smallest batch from which on all that were measured gain; `undefined` if the largest doesn't. */
export function leastBatch(sizes: readonly AtSize[]): number | undefined {
  const descending = sizes.toSorted((a, b) => b.batchBytes - a.batchBytes);
  const lost = descending.findIndex(({ gains }) => !gains);
  return (lost < 0 ? descending : descending.slice(0, lost)).at(-1)?.batchBytes;
}
