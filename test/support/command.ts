import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ROOT } from './paths.js';
import { program } from './programs.js';

/** What a command came to. */
interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const COMMAND = join(ROOT, 'dist/cli/main.js');

/** Runs the built command to its end. */
export function mtcopy(...args: string[]): Ended {
  return spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
}

/** As {@link mtcopy} for each list of arguments, but in one process: for many that end before they measure anything. */
export function mtcopyEach(lists: readonly (readonly string[])[]): Ended[] {
  const args = [fileURLToPath(program('commands')), pathToFileURL(COMMAND).href, JSON.stringify(lists)];
  return JSON.parse(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout);
}

/** Sizes of the nodes of each machine that the built command boots, in order. */
export function bootedBy(...args: string[]): unknown[] {
  const all = ['--import', program('show-boots').href, COMMAND, ...args];
  const { stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  return Array.from(stderr.matchAll(/^boots (.*)$/gm), ([, nodes]) => JSON.parse(nodes));
}
