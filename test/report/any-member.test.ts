import { basename } from 'node:path';
import fc from 'fast-check';
import { readResult, reportOf } from 'mtcopy/report';
import { expect, it } from 'vitest';
import { FIXTURE_FILES, fixtureText, type Printed } from '../support/results.js';

type Path = readonly (string | number)[];

/** The place of every member of something, at whatever depth: one of each list that are alike. */
function placesIn(value: Printed, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  const members = Array.isArray(value) ? [...value.entries()].slice(0, 2) : Object.entries(value);
  return members.flatMap(([name, one]) => [[...path, name], ...placesIn(one, [...path, name])]);
}

/** With a member of a fixture deleted, or another value in its place. */
function changed(text: string, path: Path, value: Printed): string {
  const result = JSON.parse(text);
  let at = result;
  for (const step of path.slice(0, -1)) at = at[step];
  const name = path[path.length - 1];
  if (value !== undefined) at[name] = value;
  else if (Array.isArray(at)) at.splice(Number(name), 1);
  else delete at[name];
  return JSON.stringify(result);
}

const figures = fc.oneof(
  fc.constantFrom(0, -1, 1, 0.5, 1e9, 5e-324, -5e-324, 1e21, 1e300, 1e308, 2 ** 53),
  fc.double({ noNaN: true }),
);
const values = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 4, arbitrary: figures },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
);
/** What no page may say, nor draw. */
const NONSENSE = /.{0,60}(\bundefined\b|\bNaN\b|\bInfinity\b|\[object Object\]).{0,30}/;

const errors = new Set<string>();

it.each(FIXTURE_FILES.map((path) => basename(path)))(
  'a page without a word of what is missing, or an error that names the file, whatever a member of %s is',
  (name) => {
    const text = fixtureText(name);
    const places = placesIn(JSON.parse(text));
    fc.assert(
      fc.property(fc.constantFrom(...places), values, (path, value) => {
        let html: string;
        try {
          html = reportOf([{ name, result: readResult(changed(text, path, value), name) }]);
        } catch (error) {
          const { code, message } = error as Error & { code?: string };
          expect({ message, code }).toEqual({
            message: expect.stringContaining(`EIO: report: ${name} is `),
            code: 'EIO',
          });
          errors.add(message);
          return;
        }
        // What a file says itself, it may say.
        if (!NONSENSE.test(JSON.stringify(value ?? ''))) expect(NONSENSE.exec(html)?.[0]).toBeUndefined();
      }),
      { numRuns: 10 },
    );
  },
);

it('errors, of some of those', () => expect(errors.size).toBeGreaterThan(0));
