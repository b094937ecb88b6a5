import { type ErrnoCode, ErrnoError } from 'mtcopy';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { codesOf, EXPORTS, type Exported } from '../support/exports.js';

/** What a doc comment links to, and what that links to, and so on: `as {@link copy}` says what that says. */
function told(one: Exported, found = new Set<Exported>()): string {
  found.add(one);
  const [owner] = one.name.split('.');
  for (const [, link] of one.doc.matchAll(/\{@link ([\w.]+)\}/g)) {
    const named = EXPORTS.find(({ name }) => name === link || name === `${owner}.${link}`);
    if (named && !found.has(named)) told(named, found);
  }
  return Array.from(found, ({ doc }) => doc).join('\n');
}

/** `x?: T | undefined` is an option, which may be left out; `x?: T` is in some results and not in others. */
function isOption({ node }: Exported): boolean {
  if (!ts.isPropertySignature(node) || !node.questionToken || !node.type || !ts.isUnionTypeNode(node.type))
    return false;
  return node.type.types.some(({ kind }) => kind === ts.SyntaxKind.UndefinedKeyword);
}

it('every export, and every member of one, says what it is', () => {
  expect(EXPORTS.length).toBeGreaterThan(1000);
  const silent = EXPORTS.filter(({ node, doc }) => doc === '' && !ts.isConstructorDeclaration(node));
  expect(silent.map(({ name }) => name)).toEqual([]);
});

it('an option says what it is if it is left out', () => {
  const options = EXPORTS.filter(isOption);
  expect(options.length).toBeGreaterThan(80);
  expect(options.filter(({ doc }) => !/Default:\s/.test(doc)).map(({ name }) => name)).toEqual([]);
});

it('a function names the code of every error that it throws itself', () => {
  const throwing = EXPORTS.map((one) => ({ one, codes: [...codesOf(one.node)] })).filter(
    ({ codes }) => codes.length > 0,
  );
  expect(throwing.length).toBeGreaterThan(60);
  const silent = throwing.flatMap(({ one, codes }) => {
    const missing = codes.filter((code) => !told(one).includes(code));
    return missing.length > 0 ? [`${one.name}: ${missing.join(', ')}`] : [];
  });
  expect(silent).toEqual([]);
});

it('what is said to be thrown has a code that there is', () => {
  const named = EXPORTS.flatMap(({ doc }) => {
    const [, throws = ''] = doc.split('@throws');
    return throws.match(/\bE[A-Z0-9]{2,}\b/g) ?? [];
  });
  expect(named.length).toBeGreaterThan(150);
  const unknown = named.filter((code) => Number.isNaN(new ErrnoError(code as ErrnoCode, '').errno));
  expect(unknown).toEqual([]);
});
