import type { MigrationWaits } from 'mtcopy';

/** Waits of a CPU at migration entries. They are counted by powers of two: each was shorter than the figure, and at least half of it. */
export interface Waits {
  /** Waits. */
  readonly count: number;
  /** Half of the waits were shorter than this, in nanoseconds. */
  readonly medianBelowNs: number;
  /** Likewise 99 %; all of them where there are fewer than 100. */
  readonly p99BelowNs: number;
}

/** Waits by the power of two below them, in nanoseconds. */
export type WaitCounts = ReadonlyMap<number, number>;

/** What counters grew by. */
export function waitsSince({ buckets }: MigrationWaits, before: MigrationWaits): WaitCounts {
  const earlier = new Map(before.buckets.map(({ fromNs, count }) => [fromNs, count]));
  return new Map(buckets.map(({ fromNs, count }) => [fromNs, count - (earlier.get(fromNs) ?? 0)]));
}

/** The waits of several runs together. */
export function waitsOf(runs: readonly WaitCounts[]): Waits {
  const sums = new Map<number, number>();
  for (const run of runs) for (const [fromNs, count] of run) sums.set(fromNs, (sums.get(fromNs) ?? 0) + count);
  const sorted = [...sums].sort(([a], [b]) => a - b);
  const count = sorted.reduce((sum, [, waits]) => sum + waits, 0);
  const below = (part: number) => {
    let passed = 0;
    for (const [fromNs, waits] of sorted) {
      passed += waits;
      if (passed >= part * count && passed > 0) return 2 * fromNs;
    }
    return 0;
  };
  return { count, medianBelowNs: below(0.5), p99BelowNs: below(0.99) };
}
