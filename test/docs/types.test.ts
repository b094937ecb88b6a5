import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, expect, it } from 'vitest';
import { codeBlocks, DOCSTRINGS, DOCUMENTS } from '../support/markdown.js';
import { ROOT } from '../support/paths.js';

mkdirSync(join(ROOT, 'build'), { recursive: true });
/** In the project, where the name `mtcopy` leads to what was built. */
const folder = mkdtempSync(join(ROOT, 'build/types-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * What of strict TypeScript a program in JavaScript can't say: of which type parameters are, what is caught, and that
 * something is there.
 */
const UNSAID: ts.CompilerOptions = {
  noImplicitAny: false,
  useUnknownInCatchVariables: false,
  strictNullChecks: false,
};
/** Programs in which types of Node.js's own would have to be said: of tracing channels, and of a server address. */
const OF_NODE = /^js\/(README-md\/program-2|docs-copying-md\/program-8|docs-migration-md\/program-14)\.ts:/;
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.es2024.sharedmemory.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
  module: ts.ModuleKind.NodeNext,
  types: ['node'],
  skipLibCheck: true,
};

/** Programs of other programs' set-ups: what they import isn't installed here. */
const ELSEWHERE = new Set(['docs/bundlers.md']);

/** Saves the blocks of a language, a page a folder, as TypeScript. */
function save(language: string): string[] {
  return [...DOCUMENTS, ...DOCSTRINGS].flatMap(({ path, text }) => {
    const blocks = codeBlocks(text).filter((block) => block.language === language);
    if (blocks.length === 0 || ELSEWHERE.has(path)) return [];
    const own = join(folder, language, path.replaceAll(/\W/g, '-'));
    mkdirSync(own, { recursive: true });
    return blocks.map(({ file, code }, i) => {
      const name = join(own, file ? file.replace(/\.m?js$/, '.ts') : `program-${i + 1}.ts`);
      // Each is a module, whatever it imports.
      writeFileSync(name, `${code}\nexport {};\n`);
      return name;
    });
  });
}

function errorsOf(files: readonly string[], options: ts.CompilerOptions): string[] {
  const program = ts.createProgram(files, options);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText, code }) => {
    const line = file ? file.text.slice(0, start).split('\n').length : 0;
    const place = file?.fileName.slice(folder.length + 1) ?? '';
    return `${place}:${line}: TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}

it('programs of the documents are right by the types, as strict as JavaScript can be', () => {
  const files = save('js');
  expect(files.length).toBeGreaterThan(20);
  const errors = errorsOf(files, { ...OPTIONS, ...UNSAID });
  expect(errors.filter((error) => !OF_NODE.test(error))).toEqual([]);
});

it('programs of the documents in TypeScript are right by strict types', () => {
  const files = save('ts');
  expect(files.length).toBeGreaterThan(0);
  expect(errorsOf(files, OPTIONS)).toEqual([]);
});
