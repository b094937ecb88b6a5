import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { codeBlocks, DOCUMENTS } from '../support/markdown.js';
import { ROOT } from '../support/paths.js';
import { runNode } from '../support/process.js';

mkdirSync(join(ROOT, 'build'), { recursive: true });
/** In the project, where the name `mtcopy` leads to what was built. */
const folder = mkdtempSync(join(ROOT, 'build/docs-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Programs that bundlers.test.ts runs. */
const ELSEWHERE = new Set(['docs/bundlers.md']);

/** What a program says that it prints: the comment behind a console.log. */
function promisesOf(code: string): string[] {
  return Array.from(code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm), ([, printed]) => printed);
}

const PAGES = DOCUMENTS.map(({ path, text }) => ({
  path,
  programs: codeBlocks(text).filter(({ language }) => language === 'js'),
})).filter(({ path, programs }) => programs.length > 0 && !ELSEWHERE.has(path));

describe.each(PAGES)('$path', ({ path, programs }) => {
  for (const { file, code } of programs) if (file) writeFileSync(join(folder, file), code);

  it.each(programs.filter(({ file }) => !file).map(({ code }, i) => ({ number: i + 1, code })))(
    'program $number runs as it stands, and prints what it says',
    async ({ number, code }) => {
      const name = `${path.replaceAll(/\W/g, '-')}-${number}.mjs`;
      writeFileSync(join(folder, name), code);
      const { status, output, errors } = await runNode([name], { cwd: folder });
      expect({ status, errors }).toEqual({ status: 0, errors: '' });
      expect(output.split('\n')).toEqual(expect.arrayContaining(promisesOf(code)));
    },
  );
});

it('the documents have programs, and say what they print', () => {
  const programs = PAGES.flatMap((page) => page.programs);
  expect(programs.length).toBeGreaterThan(20);
  expect(programs.flatMap(({ code }) => promisesOf(code)).length).toBeGreaterThan(30);
});
