import type { Phases } from 'mtcopy';
import type { StackChart } from '../model/chart.js';
import { isFarApart } from './charts.js';

/** Phases of a migration in their order, each with its colour in every chart. */
const PHASES: readonly { readonly name: keyof Phases; readonly text: string; readonly colour: number }[] = [
  { name: 'isolate', text: 'isolate', colour: 6 },
  { name: 'unmap', text: 'unmap', colour: 0 },
  { name: 'flush', text: 'flush', colour: 5 },
  { name: 'copy', text: 'copy', colour: 2 },
  { name: 'move', text: 'move', colour: 1 },
  { name: 'putBack', text: 'put back', colour: 4 },
];

/** Where the time of something went. */
export interface Phased {
  readonly label: string;
  /** Nanoseconds a page of 4 KiB, by phase. */
  readonly pageNs: Phases;
  /** Time in no phase, likewise. */
  readonly elseNs?: number;
}

/** A bar for each, of its phases: nanoseconds a page; shares of its time where some are many times as slow as others. */
export function phasesChart(title: string, caption: string, rows: readonly Phased[]): StackChart {
  const values = rows.map(({ pageNs, elseNs }) => [
    ...PHASES.map(({ name }) => pageNs[name]),
    ...(elseNs === undefined ? [] : [Math.max(0, elseNs)]),
  ]);
  const sums = values.map((list) => list.reduce((sum, ns) => sum + ns, 0));
  const isShare = isFarApart(sums);
  const shown = isShare ? values.map((list, i) => list.map((ns) => (100 * ns) / (sums[i] || 1))) : values;
  const parts = [...PHASES, ...(rows.every(({ elseNs }) => elseNs !== undefined) ? [ELSE] : [])];
  return {
    kind: 'stack',
    title,
    caption: `${isShare ? '% of the time of a migrated page' : 'Nanoseconds for each page of 4 KiB'}, by phase. ${caption}`,
    categories: { name: 'flow', labels: rows.map(({ label }) => label) },
    values: isShare ? { name: '% of its time', end: 100 } : { name: 'ns a page' },
    parts: parts.map(({ text, colour }, i) => ({ name: text, colour, values: shown.map((list) => list[i]) })),
  };
}

const ELSE = { text: 'else', colour: 7 };
