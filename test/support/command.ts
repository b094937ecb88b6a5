import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { ROOT } from './paths.js';

/** What a command came to. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The built command. */
export const COMMAND = join(ROOT, 'dist/cli/main.js');
const { run } = (await import(
  pathToFileURL(join(ROOT, 'dist/cli/run.js')).href
)) as typeof import('../../src/cli/run.js');

/** A stream that keeps what is written to it. */
function keptStream() {
  const texts: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      texts.push(String(chunk));
      done();
    },
  });
  return { stream, text: () => texts.join('') };
}

/** What a command line runs in. */
interface Around {
  /** Ends it early. */
  readonly signal?: AbortSignal;
  /** Columns of the terminal that it writes to. Default: it is none. */
  readonly columns?: number;
}

/** Runs the built command in this process, to its end. */
export async function mtcopyIn({ signal, columns }: Around, ...args: string[]): Promise<Ended> {
  const [stdout, stderr] = [keptStream(), keptStream()];
  const terminal = columns === undefined ? stdout.stream : Object.assign(stdout.stream, { isTTY: true, columns });
  const ending = signal ?? new AbortController().signal;
  const status = await run(args, { stdout: terminal, stderr: stderr.stream, signal: ending });
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

/** {@link mtcopyIn} of no terminal, that nobody ends. */
export function mtcopy(...args: string[]): Promise<Ended> {
  return mtcopyIn({}, ...args);
}

/** {@link mtcopy} with its output to a stream that may fail. */
export async function mtcopyTo(stdout: Writable, ...args: string[]): Promise<Omit<Ended, 'stdout'>> {
  const stderr = keptStream();
  const status = await run(args, { stdout, stderr: stderr.stream, signal: new AbortController().signal });
  return { status, stderr: stderr.text() };
}

/** Runs the built command in a process of its own. */
export function spawnMtcopy(...args: string[]): Ended {
  return spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8' });
}
