import { quantile } from 'simple-statistics';
import type { TurnsTaken } from '../shared/control.js';

/** Samples of one way to run. */
export interface Sampled {
  /** Which way. */
  readonly name: string;
  /** One a run, in the order of the runs. */
  readonly samples: readonly number[];
  /** A quarter of them are less. */
  readonly lowerQuartile: number;
  /** Half of them are less. */
  readonly median: number;
  /** Three quarters of them are less. */
  readonly upperQuartile: number;
}

/** What was run in turns, with its samples: those of the same position were measured side by side. */
export interface SampledTurns extends Omit<TurnsTaken, 'variants'> {
  /** Each way to run, with its samples. */
  readonly variants: readonly Sampled[];
}

/** Parts that are named one by one. */
const NAMED = 3;

export function sampledTurns({ variants, ...turns }: TurnsTaken): SampledTurns {
  return {
    ...turns,
    variants: variants.map(({ name, samples }) => {
      const at = (part: number) => quantile([...samples], part);
      return { name, samples, lowerQuartile: at(0.25), median: at(0.5), upperQuartile: at(0.75) };
    }),
  };
}

/** Of which parts the time was over before their ratios were known as well as wanted; empty if of none. */
export function lateText(turns: readonly SampledTurns[], seconds: number, quick: boolean): string {
  const late = turns.filter(({ ended, variants }) => ended === 'time' && variants.length > 0);
  if (late.length === 0) return '';
  const within = quick ? '±10 %' : '±2 %';
  const rounds = late.map((one) => one.rounds);
  const [least, most] = [Math.min(...rounds), Math.max(...rounds)];
  const range = least === most ? `${least}` : `${least} to ${most}`;
  const head = `The ${seconds} s for this table were over before every ratio was within ${within}`;
  if (late.length > NAMED) return `${head}: in ${late.length} of ${turns.length} parts, which have ${range} rounds.`;
  return `${head}: ${late.map(partText).join('; ')}.`;
}

function partText({ rounds, variants: [first, ...others] }: SampledTurns): string {
  const more = others.length === 1 ? others[0].name : `${others.length} more`;
  return `${first.name} and ${more}, ${rounds} rounds`;
}
