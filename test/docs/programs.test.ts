import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { codeBlocks, DOCSTRINGS, DOCUMENTS } from '../support/markdown.js';
import { ROOT } from '../support/paths.js';
import { runNode } from '../support/process.js';

mkdirSync(join(ROOT, 'build'), { recursive: true });
/** In the project, where the name `mtcopy` leads to what was built. */
const folder = mkdtempSync(join(ROOT, 'build/docs-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Programs that bundlers.test.ts runs: it saves every file of the page, and runs the page's commands. */
const ELSEWHERE = new Set(['docs/bundlers.md']);
/** How a block says what it is: a program, and what nobody runs. */
const INFO = /^(js( file=[\w.-]+)?|ts|sh|text|json file=[\w.-]+)$/;
const TEXTS = [...DOCUMENTS, ...DOCSTRINGS];

/** What a program says that it prints: the comment behind a console.log. */
function promisesOf(code: string): string[] {
  return Array.from(code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm), ([, printed]) => printed);
}

const PAGES = TEXTS.map(({ path, text }) => ({
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

describe('no program is forgotten:', () => {
  const blocks = TEXTS.flatMap(({ path, text }) => codeBlocks(text).map((block) => ({ path, ...block })));

  it('what looks like code is a block', () => {
    // Each has two fences; what is indented like code would be code to whoever renders it.
    const fences = TEXTS.map(({ text }) => text.match(/^ *(```|~~~)/gm)?.length ?? 0);
    expect(fences.reduce((sum, count) => sum + count, 0)).toBe(2 * blocks.length);
    const indented = DOCSTRINGS.filter(({ text }) => /^ {4,}\S/m.test(text.replaceAll(/^ *```.*?^ *```$/gms, '')));
    expect(indented.map(({ path }) => path)).toEqual([]);
  });

  it('a block says whether it is run', () => {
    expect(blocks.filter(({ info }) => !INFO.test(info)).map(({ path, info }) => `${path}: ${info}`)).toEqual([]);
  });

  it('what has a file name is what another block needs', () => {
    const unused = blocks.filter(({ path, file, code }) => {
      if (file === undefined)
        return ELSEWHERE.has(path) && blocks.some((one) => one.code === code && one.language === 'js');
      return !ELSEWHERE.has(path) && !blocks.some((one) => one.path === path && one.code.includes(`'./${file}'`));
    });
    expect(unused.map(({ path, file, code }) => `${path}: ${file ?? code}`)).toEqual([]);
  });
});

it('the documents have programs, and say what they print', () => {
  const programs = PAGES.flatMap((page) => page.programs);
  expect(programs.length).toBeGreaterThan(20);
  expect(programs.flatMap(({ code }) => promisesOf(code)).length).toBeGreaterThan(30);
});
