import { mean } from 'simple-statistics';

/** Times of one kind, by their names, such as a run's phases. */
type Times<T> = { readonly [Name in keyof T]: number };

/** How long a run took, in nanoseconds. */
interface Timed {
  readonly ns: number;
}

/**
 * The run whose time is the median, as one; with an even number the two in the middle. What they are made of adds up as each
 * run's does, which medians of each part, taken from different runs, don't.
 */
export function medianRuns<Run extends Timed>(runs: readonly Run[]): Run[] {
  const ordered = [...runs].sort((a, b) => a.ns - b.ns);
  return ordered.slice(Math.floor((runs.length - 1) / 2), Math.floor(runs.length / 2) + 1);
}

/** The mean of each of several times, rounded. */
export function meanTimes<T extends Times<T>>(all: readonly T[]): T {
  const names = Object.keys(all[0]) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, Math.round(mean(all.map((times) => times[name])))])) as T;
}
