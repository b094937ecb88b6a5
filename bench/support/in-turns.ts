import { median, quantile } from 'simple-statistics';

/** One thing to measure: runs once and says what that took, as a rule in nanoseconds. */
export type Contestant<Figure = number> = () => Promise<Figure> | Figure;

/**
 * Runs every contestant once a round, in turns: the machine's bandwidth can double from one second to the next, and only
 * runs side by side compare. Every other round runs backwards, for who comes after whom matters too. The first round
 * warms up and is not counted.
 *
 * @returns what each round took, by contestant
 */
export async function inTurns<Name extends string, Figure = number>(
  contestants: Record<Name, Contestant<Figure>>,
  rounds: number,
): Promise<Record<Name, Figure[]>> {
  const names = Object.keys(contestants) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as Figure[]])) as Record<Name, Figure[]>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const figure = await contestants[name]();
      if (round > 0) figures[name].push(figure);
    }
  }
  return figures;
}

export interface Ratio {
  readonly median: number;
  /** The first and third quartile. */
  readonly quartiles: readonly [number, number];
}

/** How many times faster `b` was than `a`, round by round: above 1 where `b` won. */
export function ratio(a: readonly number[], b: readonly number[]): Ratio {
  const ratios = a.map((ns, round) => ns / b[round]);
  return { median: median(ratios), quartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)] };
}

/** A ratio as tables show it: median, then the quartiles. */
export function showRatio({ median: middle, quartiles: [low, high] }: Ratio): string {
  return `${middle.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}
