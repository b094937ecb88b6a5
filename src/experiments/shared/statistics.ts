import { max, median, quantile } from 'simple-statistics';

/** Speeds of several runs, in 10^9 bytes a second. */
export interface Speeds {
  /** The fastest run's. */
  readonly best: number;
  /** The median of the runs. */
  readonly median: number;
  /** The quarter of the runs that were slowest were below this. */
  readonly lowerQuartile: number;
  /** The quarter that were fastest were above this. */
  readonly upperQuartile: number;
}

/** How fast runs were that moved `bytes` each, in so many nanoseconds. */
export function speedsOf(bytes: number, samplesNs: readonly number[]): Speeds {
  const speeds = samplesNs.map((ns) => bytes / ns);
  return {
    best: max(speeds),
    median: median(speeds),
    lowerQuartile: quantile(speeds, 0.25),
    upperQuartile: quantile(speeds, 0.75),
  };
}

/** Numbers under their names, or several such groups. */
export type Counts<T> = { readonly [Name in keyof T]: T[Name] extends number ? number : Counts<T[Name]> };

/** Counters that are made of two, one by one: `combineCounts(after, before, (a, b) => a - b)` is what they grew by. */
function combineCounts<T extends Counts<T>>(a: T, b: T, combine: (a: number, b: number) => number): T {
  const names = Object.keys(a) as (keyof T)[];
  const each = names.map((name) => {
    const [one, other] = [a[name] as unknown, b[name] as unknown];
    if (typeof one === 'number') return [name, combine(one, other as number)];
    return [name, combineCounts(one as Record<string, number>, other as Record<string, number>, combine)];
  });
  return Object.fromEntries(each);
}

/** By how much counters grew. */
export function growth<T extends Counts<T>>(after: T, before: T): T {
  return combineCounts(after, before, (a, b) => a - b);
}

/** Counters of several runs, added up. */
export function sumCounts<T extends Counts<T>>(runs: readonly T[]): T {
  return runs.reduce((sum, run) => combineCounts(sum, run, (a, b) => a + b));
}
