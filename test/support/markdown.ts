import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.js';

/** A text, by its path from the project's folder. */
interface Page {
  readonly path: string;
  readonly text: string;
}

function pageAt(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** The documents that users read. */
export const DOCUMENTS: readonly Page[] = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']
  .concat(
    readdirSync(join(ROOT, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  )
  .map(pageAt);

/** The doc comments of a file, without their stars. */
function docstringsOf({ path, text }: Page): Page {
  const comments = text.match(/^ *\/\*\*$.*?^ *\*\/$/gms) ?? [];
  return { path, text: comments.join('\n').replaceAll(/^ *\* ?/gm, '') };
}

/** What the source says of itself, file by file: the reference of the API is made of it. */
export const DOCSTRINGS: readonly Page[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => docstringsOf(pageAt(`src/${name.replaceAll('\\', '/')}`)));

/** A fenced block of code: ```js file=NAME or ```js. */
export interface CodeBlock {
  /** Whatever stands behind the fence. */
  readonly info: string;
  readonly language: string;
  /** The name that it is to be saved under; `undefined` for a program of its own. */
  readonly file: string | undefined;
  readonly code: string;
}

export function codeBlocks(text: string): CodeBlock[] {
  return Array.from(text.matchAll(/^ *```([^`\n]*)\n(.*?)^ *```$/gms), ([, info, code]) => {
    const [, language = '', file] = /^(\w*)(?: file=(\S+))?/.exec(info) ?? [];
    return { info, language, file, code };
  });
}
