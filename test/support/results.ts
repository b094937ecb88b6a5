import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NamedResult, readResult } from 'mtcopy/report';
import { ROOT } from './paths.js';

/** Where results lie that commands printed with --json. */
export const FIXTURES = join(ROOT, 'test/report/fixtures');

export const FIXTURE_FILES = readdirSync(FIXTURES).map((name) => join(FIXTURES, name));

/** The text of one of them. */
export function fixtureText(name: string): string {
  return readFileSync(join(FIXTURES, name), 'utf8');
}

/** What JSON is, a test knows. */
// biome-ignore lint/suspicious/noExplicitAny: it is a test's to say.
export type Printed = any;

/** One of them as it was printed: what a test looks its figures up in. */
export function printed(name: string): Printed {
  return JSON.parse(fixtureText(name));
}

/** One of them as a report reads it, with changes to what was printed. */
export function named(name: string, change: (result: Printed) => void = () => {}): NamedResult {
  const result = printed(name);
  change(result);
  return { name, result: readResult(JSON.stringify(result), name) };
}
