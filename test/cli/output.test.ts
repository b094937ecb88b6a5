import { type StdioOptions, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { COMMAND, mtcopy, mtcopyIn, mtcopyTo, spawnMtcopy } from '../support/command.js';

const QUICK = ['copy', '--total', '2M', '--runs', '1', '--threads', '1', '--warmup', '0'];
const hasScript = spawnSync('script', ['--version']).status === 0;

/** Runs the command in a terminal of 80 columns; what it shows there. */
function inTerminal(env: Record<string, string>, ...args: string[]) {
  const command = [process.execPath, COMMAND, ...args].map((word) => `'${word}'`).join(' ');
  const options = { encoding: 'utf8', env: { ...process.env, TERM: 'xterm', ...env } } as const;
  const { status, stdout } = spawnSync('script', ['-qec', `stty cols 80; ${command}`, '/dev/null'], options);
  return { status, stdout };
}

describe('output that can not be written', () => {
  it.skipIf(!existsSync('/dev/full'))('is an error, with status 1: a full device', () => {
    const full = openSync('/dev/full', 'w');
    const stdio: StdioOptions = ['ignore', full, 'pipe'];
    for (const args of [['sysfs'], ['sysfs', '--json'], ['--help']]) {
      const { status, stderr } = spawnSync(process.execPath, [COMMAND, ...args], { encoding: 'utf8', stdio });
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(/^mtcopy: the output can't be written: ENOSPC: .*\n$/),
      });
    }
    closeSync(full);
  });

  it('is an error, with status 1: a pipe that is broken otherwise', async () => {
    const failing = (code: string) =>
      new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(`${code}: bad`), { code })) });
    expect(await mtcopyTo(failing('EIO'), 'sysfs')).toEqual({
      status: 1,
      stderr: "mtcopy: the output can't be written: EIO: bad\n",
    });
    expect(await mtcopyTo(failing('EINVAL'), 'sysfs')).toMatchObject({ status: 1 });
    expect(await mtcopyTo(failing('EPIPE'), 'sysfs')).toEqual({ status: 0, stderr: '' });
  });

  it('is no error where the reader has seen enough', () => {
    const line = `'${process.execPath}' '${COMMAND}' sysfs | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('0');
  });
});

describe('progress', () => {
  it('is nothing where standard error is no terminal', async () => {
    expect(await mtcopy(...QUICK)).toMatchObject({ status: 0, stderr: '' });
  });

  it('is lines with --progress: which run of how many, and what', async () => {
    const { status, stdout, stderr } = await mtcopy(...QUICK, '--json', '--progress');
    expect(status).toBe(0);
    expect(stderr).toBe('mtcopy: run 1 of 1: 2M sequential, auto dynamic, threads 1\n');
    expect(JSON.parse(stdout).results).toHaveLength(1);
  });

  it.skipIf(!hasScript)('is a bar on a terminal, which is gone in the end, without colours if NO_COLOR is set', () => {
    const args = ['copy', '--total', '32M', '--runs', '12', '--threads', '1'];
    const { status, stdout } = inTerminal({ NO_COLOR: '1' }, ...args);
    expect(status).toBe(0);
    expect(stdout).toMatch(/█*░+ \d+\/13(, \d+ s left)?: 2M sequential, auto dynamic, threads 1/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what terminals are told begins with it
    expect(stdout).not.toMatch(/\x1b\[[\d;]*m/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    const shown = stdout.slice(stdout.lastIndexOf('░')).replaceAll(/\x1b\[[\d;?]*[A-Za-z]/g, '');
    expect(shown).toContain('32M, folios of 2M, sequential, method auto, dynamic schedule');
  });

  it.skipIf(!hasScript)('leaves standard output to the result', () => {
    const line = `'${process.execPath}' '${COMMAND}' ${QUICK.join(' ')} --json > /dev/null`;
    const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8' });
    expect(stdout).not.toContain('"results"');
  });
});

describe('the exit status', () => {
  it('is said by the help', async () => {
    const { status, stdout } = await mtcopy('--help');
    expect(status).toBe(0);
    expect(stdout).toMatch(/Exit status: 0; 1 if .*; 2 for .*130 if it was interrupted/s);
  });

  it('is that of the process', () => {
    expect(spawnMtcopy('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
    expect(spawnMtcopy('copy', '--total', '8G')).toMatchObject({ status: 1, stdout: '' });
    expect(spawnMtcopy('copy', '--total', 'much')).toMatchObject({ status: 2, stdout: '' });
  });
});

describe('the examples of the help', () => {
  it.each(['copy', 'migrate', 'pmbench', 'reproduce', 'sysfs', 'completion'])('can be run: mtcopy %s', async (name) => {
    const { stdout } = await mtcopy(name, '--help');
    const [, examples] = stdout.split('\nExamples:\n');
    const lines = Array.from(examples.matchAll(/^ {4}npx mtcopy (.*?)(?: > \S+)?$/gm), ([, line]) => line.split(' '));
    expect(lines.length).toBeGreaterThan(0);
    for (const args of lines) {
      expect(args[0]).toBe(name);
      // As if it were interrupted before the first run: all arguments are checked by then.
      const { status, stderr } = await mtcopyIn({ signal: AbortSignal.abort() }, ...args);
      expect({ args, status, stderr }).toEqual({ args, status: 130, stderr: '' });
    }
  });
});
