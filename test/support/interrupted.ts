import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from './paths.js';
import { program } from './programs.js';

/** Runs the built command, and interrupts it in the middle of its measurement. */
export async function interrupted(args: readonly string[]): Promise<{ status: number | null; stdout: string }> {
  const all = ['--import', program('interrupt-run').href, join(ROOT, 'dist/cli/main.js'), ...args];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  const [status] = await once(child, 'close');
  return { status, stdout };
}
