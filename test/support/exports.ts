import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './paths.js';

/** A declaration that an entry point exports, or a member of one, as it stands in the source. */
export interface Exported {
  /** `CopyEngine.copy`. */
  readonly name: string;
  readonly node: ts.Node;
  /** Its doc comment as it stands there; empty if it has none. */
  readonly doc: string;
}

const ENTRY_POINTS = ['src/index.ts', 'src/experiments/index.ts', 'src/report/index.ts'].map((path) =>
  join(ROOT, path),
);

function createProgram(): ts.Program {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  return ts.createProgram(ENTRY_POINTS, options);
}

const program = createProgram();
const checker = program.getTypeChecker();

function docOf(node: ts.Node): string {
  // Of a constant the comment stands before the statement.
  const commented = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  return ts
    .getJSDocCommentsAndTags(commented)
    .filter(ts.isJSDoc)
    .map((doc) => doc.getText())
    .join('\n');
}

function isInternal(node: ts.Node): boolean {
  return docOf(node).includes('@internal');
}

function isPrivate(member: ts.ClassElement): boolean {
  if (ts.isClassStaticBlockDeclaration(member)) return true;
  const isHidden = (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Private) !== 0;
  return isHidden || (member.name !== undefined && ts.isPrivateIdentifier(member.name));
}

/** The members of a class, an interface, or a type that is written out, those of types within it too. */
function membersOf(node: ts.Node): readonly (ts.ClassElement | ts.TypeElement)[] {
  if (ts.isClassDeclaration(node)) return node.members.filter((member) => !isPrivate(member));
  if (ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node)) return [...node.members];
  if (ts.isTypeAliasDeclaration(node)) return membersOf(node.type);
  return ts.isPropertySignature(node) && node.type ? membersOf(node.type) : [];
}

function withMembers(node: ts.Node, name: string): Exported[] {
  if (isInternal(node)) return [];
  const members = membersOf(node).flatMap((member) => {
    const own = ts.isConstructorDeclaration(member) ? 'constructor' : (member.name?.getText() ?? '');
    return withMembers(member, `${name}.${own}`);
  });
  return [{ name, node, doc: docOf(node) }, ...members];
}

function exportsOf(path: string): Exported[] {
  const file = program.getSourceFile(path);
  const module = file && checker.getSymbolAtLocation(file);
  if (!module) throw new Error(`${path} exports nothing`);
  return checker.getExportsOfModule(module).flatMap((symbol) => {
    const [specifier] = symbol.declarations ?? [];
    const statement = ts.isExportSpecifier(specifier) ? specifier.parent.parent : specifier;
    if (ts.getJSDocTags(statement).some(({ tagName }) => tagName.text === 'internal')) return [];
    const declared = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return (declared.declarations ?? []).flatMap((node) => withMembers(node, symbol.name));
  });
}

/** Everything that both entry points export, but for what is internal. */
export const EXPORTS: readonly Exported[] = ENTRY_POINTS.flatMap(exportsOf);

/** The function that a call calls, if it is written out in the same file: what others throw is theirs to say. */
function calledHere(call: ts.CallExpression): ts.Node | undefined {
  const at = ts.isPropertyAccessExpression(call.expression) ? call.expression.name : call.expression;
  const declaration = checker.getSymbolAtLocation(at)?.valueDeclaration;
  if (declaration?.getSourceFile() !== call.getSourceFile()) return undefined;
  const isFunction = ts.isFunctionDeclaration(declaration) || ts.isMethodDeclaration(declaration);
  return isFunction ? declaration.body : undefined;
}

/** Whether it is one of check.ts, which throw EINVAL, or was made by one of them. */
function isCheck(callee: ts.Expression): boolean {
  if (ts.isCallExpression(callee)) return isCheck(callee.expression);
  let symbol = checker.getSymbolAtLocation(callee);
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
  const declaration = symbol?.valueDeclaration;
  if (!declaration) return false;
  if (ts.isVariableDeclaration(declaration)) return declaration.initializer ? isCheck(declaration.initializer) : false;
  return ts.isFunctionDeclaration(declaration) && declaration.getSourceFile().fileName.endsWith('/src/check.ts');
}

function codeOf(node: ts.Node): string | undefined {
  if (ts.isNewExpression(node) && node.expression.getText() === 'ErrnoError') {
    const code = node.arguments?.[0];
    return code && ts.isStringLiteral(code) ? code.text : undefined;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const callee = node.expression.getText();
  if (callee === 'invalid') return 'EINVAL';
  if (callee.endsWith('lifetime.checkOpen')) return 'ESHUTDOWN';
  return isCheck(node.expression) ? 'EINVAL' : undefined;
}

/** Codes of the errors that a function throws itself, or by what it calls in its own file. */
export function codesOf(node: ts.Node): Set<string> {
  const codes = new Set<string>();
  const seen = new Set<ts.Node>();
  const visit = (part: ts.Node, isUndoing: boolean): void => {
    const code = codeOf(part);
    if (code) codes.add(code);
    // What is called to undo something does not fail.
    const called = ts.isCallExpression(part) && !isUndoing ? calledHere(part) : undefined;
    if (called && !seen.has(called)) {
      seen.add(called);
      visit(called, false);
    }
    ts.forEachChild(part, (child) => visit(child, isUndoing || ts.isCatchClause(part)));
  };
  const { body } = node as Partial<ts.FunctionLikeDeclaration>;
  if (body) visit(body, false);
  return codes;
}
