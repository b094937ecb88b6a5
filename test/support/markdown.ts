import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.js';

/** The documents that users read, by their path from the project's folder. */
export const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']
  .concat(readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`))
  .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

/** A fenced block of code: ```js file=NAME or ```js. */
export interface CodeBlock {
  readonly language: string;
  /** The name that it is to be saved under; `undefined` for a program of its own. */
  readonly file: string | undefined;
  readonly code: string;
}

export function codeBlocks(text: string): CodeBlock[] {
  return Array.from(text.matchAll(/^ *```(\w+)(?: file=(\S+))?\n(.*?)^ *```$/gms), ([, language, file, code]) => ({
    language,
    file,
    code,
  }));
}
