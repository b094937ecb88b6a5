import { hasFigures } from './model/chart.js';
import type { Section } from './model/section.js';
import { pageHtml } from './page/page.js';
import type { Result } from './read/result.js';
import type { Source } from './read/source.js';
import { copySection } from './views/copy.js';
import { migrateSection } from './views/migrate.js';
import { pmbenchSection } from './views/pmbench.js';
import { reproduceSections } from './views/reproduce/reproduce.js';
import { sysfsSection } from './views/sysfs.js';
import { tuneSection } from './views/tune.js';

/** A result, and the name of the file that it is from. */
export interface NamedResult {
  /** Of the file: what the page calls it. */
  readonly name: string;
  /** What {@link readResult} made of its text. */
  readonly result: Result;
}

/**
 * One HTML document with charts and tables of all results, which needs no network and no other file.
 *
 * @param results those of one command stand side by side, whichever machines they are of
 * @throws ErrnoError EIO for a result that lacks what its command prints
 */
export function reportOf(results: readonly NamedResult[]): string {
  return pageHtml(sourcesOf(results), sectionsOf(results));
}

function sourcesOf(results: readonly NamedResult[]): Source[] {
  return results.map(({ name, result }, i) => ({ label: labelOf(i), name, result }));
}

/**
 * What a report shows: of each command, in one order whatever the order of the results, its charts and its tables.
 *
 * @throws as {@link reportOf}
 */
export function sectionsOf(results: readonly NamedResult[]): Section[] {
  const sources = sourcesOf(results);
  const of = <C extends Result['command']>(command: C) =>
    sources.filter(({ result }) => result.command === command) as unknown as Source<Extract<Result, { command: C }>>[];
  const shown = (section: Section): Section => ({ ...section, charts: section.charts.filter(hasFigures) });
  const one = <R extends Result>(list: readonly Source<R>[], section: (list: readonly Source<R>[]) => Section) =>
    list.length === 0 ? [] : [section(list)];
  return [
    ...one(of('copy'), copySection),
    ...one(of('migrate'), migrateSection),
    ...one(of('pmbench'), pmbenchSection),
    ...reproduceSections(of('reproduce')),
    ...one(of('tune'), tuneSection),
    ...one(of('sysfs'), sysfsSection),
  ].map(shown);
}

/** A, B … Z, AA, AB and so on. */
function labelOf(i: number): string {
  const letter = String.fromCharCode(65 + (i % 26));
  return i < 26 ? letter : labelOf(Math.floor(i / 26) - 1) + letter;
}
