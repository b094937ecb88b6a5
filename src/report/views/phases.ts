import type { Phases } from 'mtcopy';
import type { StackChart } from '../model/chart.js';
import { type PartOf, timeStack } from './stack.js';

/** Where the time of something went. */
export interface Phased {
  readonly label: string;
  /** Nanoseconds a page of 4 KiB, by phase. */
  readonly pageNs: Phases;
  /** Time in no phase, likewise. */
  readonly elseNs?: number;
}

/** Phases of a migration in their order, each with its colour in every chart. */
const PHASES: readonly PartOf<Phased>[] = [
  { name: 'isolate', colour: 6, of: ({ pageNs }) => pageNs.isolate },
  { name: 'unmap', colour: 0, of: ({ pageNs }) => pageNs.unmap },
  { name: 'flush', colour: 5, of: ({ pageNs }) => pageNs.flush },
  { name: 'copy', colour: 2, of: ({ pageNs }) => pageNs.copy },
  { name: 'move', colour: 1, of: ({ pageNs }) => pageNs.move },
  { name: 'put back', colour: 4, of: ({ pageNs }) => pageNs.putBack },
];
const ELSE: PartOf<Phased> = { name: 'else', colour: 7, of: ({ elseNs = 0 }) => Math.max(0, elseNs) };

/** A bar for each, of its phases: nanoseconds a page; shares of its time where some are many times as slow as others. */
export function phasesChart(title: string, caption: string, rows: readonly Phased[]): StackChart {
  const parts = rows.every(({ elseNs }) => elseNs !== undefined) ? [...PHASES, ELSE] : PHASES;
  const labelOf = ({ label }: Phased) => label;
  return timeStack(rows, parts, {
    ...{ title, category: 'flow', labelOf },
    caption: `, by phase. ${caption}`,
    whole: 'a migrated page',
  });
}

/** Of so many pages of 4 KiB what each took. */
export function perPage(phasesNs: Phases, pages: number): Phases {
  return Object.fromEntries(Object.entries(phasesNs).map(([name, ns]) => [name, ns / pages])) as unknown as Phases;
}
