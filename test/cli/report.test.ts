import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { COMMAND, mtcopy, spawnMtcopy } from '../support/command.js';
import { FIXTURES, fixtureText } from '../support/results.js';

const folder = mkdtempSync(join(tmpdir(), 'mtcopy-report-'));
const at = (name: string) => join(folder, name);
const copy = join(FIXTURES, 'copy.json');

beforeEach(() => {
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** In the folder, for names that have none. */
function inFolder(...args: string[]) {
  return inFolderWith(undefined, ...args);
}

/** With what it gets on standard input. */
function inFolderWith(input: string | undefined, ...args: string[]) {
  const around = { cwd: folder, encoding: 'utf8', ...(input !== undefined && { input }) } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], around);
  return { status, stdout, stderr };
}

describe('mtcopy report', () => {
  it('writes the file that it was asked for, all of it or nothing, and says nothing', async () => {
    symlinkSync('there.html', at('link.html'));
    writeFileSync(at('there.html'), 'an older one, which is replaced');
    expect(await mtcopy('report', copy, '-o', at('link.html'))).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readFileSync(at('there.html'), 'utf8')).toMatch(/^<!doctype html>[\s\S]*<\/html>\n$/);
    expect(lstatSync(at('link.html')).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder)).toEqual(['link.html', 'there.html']);
  });

  it('writes report.html unless told otherwise, and standard output for -', async () => {
    expect(inFolder('report', copy)).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(folder)).toEqual(['report.html']);
    const { status, stdout } = await mtcopy('report', copy, '--output', '-');
    expect(status).toBe(0);
    expect(stdout).toBe(readFileSync(at('report.html'), 'utf8'));
  });

  it('reads standard input for -, once, beside other files', () => {
    const input = fixtureText('copy.json');
    const piped = spawnSync(process.execPath, [COMMAND, 'report', '-', copy, '-o', '-'], { input, encoding: 'utf8' });
    expect({ status: piped.status, stderr: piped.stderr }).toEqual({ status: 0, stderr: '' });
    expect(piped.stdout).toContain('<h3>A: standard input</h3>');
    const cut = spawnSync(process.execPath, [COMMAND, 'report', '-', '-o', '-'], {
      ...{ input: input.slice(0, 100), encoding: 'utf8' },
    });
    expect({ status: cut.status, stdout: cut.stdout }).toEqual({ status: 1, stdout: '' });
    expect(cut.stderr).toMatch(/^mtcopy: EIO: report: standard input is no JSON, or ends too soon/);
    const twice = spawnMtcopy('report', '-', '-');
    expect(twice).toMatchObject({ status: 2, stderr: expect.stringContaining('EINVAL: files: -, standard input') });
  });

  it('ends with 130 and writes nothing if it is interrupted while it reads standard input', async () => {
    const child = spawn(process.execPath, [COMMAND, 'report', '-', '-o', at('out.html')]);
    const ended = { stdout: '', stderr: '' };
    child.stdout.on('data', (data) => {
      ended.stdout += data;
    });
    child.stderr.on('data', (data) => {
      ended.stderr += data;
    });
    // More than a pipe holds: once it is through, the command reads.
    await new Promise((resolve) => child.stdin.write(' '.repeat(2 ** 20), resolve));
    child.kill('SIGINT');
    const [status] = await once(child, 'close');
    expect({ status, ...ended }).toEqual({ status: 130, stdout: '', stderr: '' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('names a file that is too large to be a text', async () => {
    const file = at('large.json');
    writeFileSync(file, '');
    truncateSync(file, 600 * 2 ** 20);
    const { status, stderr } = await mtcopy('report', file, '-o', at('report.html'));
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^mtcopy: EIO: report: .*large\.json has more than \d+ bytes/),
    });
    expect(existsSync(at('report.html'))).toBe(false);
  });

  it('says which file is which, and where each was measured', async () => {
    writeFileSync(at('server.json'), fixtureText('copy.json').replace('"AMD EPYC"', '"Other CPU"'));
    const { stdout } = await mtcopy('report', copy, at('server.json'), '-o', '-');
    expect(stdout).toMatch(/<th scope="row">A<\/th><td>copy\.json<\/td><td>AMD EPYC<\/td>/);
    expect(stdout).toMatch(/<th scope="row">B<\/th><td>server\.json<\/td><td>Other CPU<\/td>/);
    expect(stdout).toContain('<h3>A: copy.json</h3>');
    expect(stdout).toContain('<h3>B: server.json</h3>');
    // Not the folder: a report is sent to others.
    expect(stdout).not.toContain(folder);
  });

  it('draws what a command has just printed, of every command that measures', async () => {
    const printed = await mtcopy('copy', '--total', '2M', '--runs', '2', '--threads', '1', '--json');
    writeFileSync(at('new.json'), printed.stdout);
    const { status, stdout, stderr } = await mtcopy('report', at('new.json'), '-o', '-');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.match(/<figure>/g)).toHaveLength(1);
  });
});

describe('nothing is written', () => {
  const refused = async (file: string) => {
    const before = readdirSync(folder);
    const { status, stdout, stderr } = await mtcopy('report', copy, file, '-o', at('out.html'));
    expect(stdout).toBe('');
    expect(readdirSync(folder)).toEqual(before);
    return { status, stderr };
  };

  it('for a file that is missing, told in the words of all commands, with status 1', async () => {
    expect(await refused(at('gone'))).toEqual({
      status: 1,
      stderr: `mtcopy: ENOENT: report: there is no ${at('gone')}\n`,
    });
  });

  it.each([
    ['empty', '', 'is no JSON, or ends too soon'],
    ['truncated', fixtureText('copy.json').slice(0, 1000), 'is no JSON, or ends too soon'],
    ['foreign', '{"name":"another"}', 'is not what a command of mtcopy printed with --json'],
    ['of another version', fixtureText('copy.json').replace('"0.1.0"', '"9.0.0"'), 'is of version "9.0.0"'],
  ])('for a file that is %s, told by its name and why, with status 1', async (_, text, why) => {
    writeFileSync(at('wrong.json'), text);
    const { status, stderr } = await refused(at('wrong.json'));
    expect(status).toBe(1);
    expect(stderr).toContain(`mtcopy: EIO: report: ${at('wrong.json')} ${why}`);
  });

  it('for a folder instead of a file, in either place', async () => {
    expect(await refused(folder)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('report: must be a file'),
    });
    const { status, stderr } = await mtcopy('report', copy, '-o', folder);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `mtcopy: EISDIR: output: must be a file, got the folder ${folder}\n`,
    });
    expect(await mtcopy('report', copy, '-o', join(folder, 'gone', 'out.html'))).toMatchObject({ status: 1 });
    expect(await mtcopy('report', copy, '-o', '/dev/null')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('a device or a pipe: -o - prints the report'),
    });
  });

  it('over a file that it is of, by whatever name', async () => {
    copyFileSync(copy, at('it.json'));
    symlinkSync('it.json', at('link.json'));
    const [link, file] = [at('link.json'), at('it.json')];
    for (const args of [
      [file, '-o', file],
      [copy, link, '-o', file],
      [file, '-o', link],
    ]) {
      expect(await mtcopy('report', ...args)).toEqual({
        status: 2,
        stdout: '',
        stderr: `mtcopy: EINVAL: output: must be another file than ${args.at(-3)}, which is read\n`,
      });
    }
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(copy, 'utf8'));
  });

  it('without a file', () => {
    expect(spawnMtcopy('report')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('missing required argument'),
    });
  });
});

it('the examples of the help can be run', async () => {
  const { stdout } = await mtcopy('report', '--help');
  const lines = Array.from(stdout.matchAll(/^ {4}npx mtcopy (.*)$/gm), ([, line]) =>
    // What another command prints, a copy's result stands for.
    line.replace(/^.* \| npx mtcopy /, '').split(' '),
  );
  expect(lines.length).toBeGreaterThan(1);
  for (const args of lines) {
    const [name, ...rest] = args;
    expect(name).toBe('report');
    const inputs = rest.filter((arg) => arg.endsWith('.json'));
    for (const input of inputs) copyFileSync(copy, at(input));
    const input = rest.includes('-') ? readFileSync(copy, 'utf8') : undefined;
    expect({ args, ...inFolderWith(input, ...args) }).toEqual({ args, status: 0, stdout: '', stderr: '' });
    expect(readdirSync(folder)).toContain(rest[rest.indexOf('-o') + 1]);
  }
});

it('no other command loads what draws', () => {
  const seen = new Set<string>();
  const follow = (path: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    const code = readFileSync(path, 'utf8');
    expect(code).not.toMatch(/^(import|export)\b[^;]*["']mtcopy\/report["']/m);
    for (const [, file] of code.matchAll(/^(?:import|export)\b[^;]*?["'](\.[^"']*)["']/gm))
      follow(join(path, '..', file));
  };
  follow(COMMAND);
  expect(seen.size).toBeGreaterThan(2);
  expect([...seen].filter((path) => path.includes('echarts'))).toEqual([]);
  expect([...seen].some((path) => readFileSync(path, 'utf8').includes('import("mtcopy/report")'))).toBe(true);
});
