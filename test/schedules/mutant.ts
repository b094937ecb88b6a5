import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A change of one line, or its move, in what is shipped, that breaks the protocol, and the scenario that must notice. */
export interface Mutant {
  readonly name: string;
  readonly scenario: string;
  readonly file: string;
  /** What stands in the file, each exactly once, and what is put in its place. A line that is moved are two. */
  readonly edits: readonly (readonly [from: string, to: string])[];
}

/** Copies the library, with the mutant in it, to where it finds what it depends on; returns its folder. */
export function writeMutant(dist: string, build: string, { name, file, edits }: Mutant): string {
  const target = join(build, 'mutants', name.replaceAll(/\W+/g, '-'), 'dist');
  rmSync(target, { recursive: true, force: true });
  cpSync(dist, target, { recursive: true, filter: isNeeded });
  let text = readFileSync(join(dist, file), 'utf8');
  for (const [from, to] of edits) {
    if (text.split(from).length !== 2) throw new Error(`mutant "${name}": ${file} doesn't have its line exactly once`);
    text = text.replace(from, () => to);
  }
  writeFileSync(join(target, file), text);
  return target;
}

/** Not what programs, and readers of the library, need beside it. */
function isNeeded(path: string): boolean {
  return !/\.map$|\.d\.ts$|[\\/](cli|experiments|report)$/.test(path);
}
