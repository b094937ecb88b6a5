import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mtcopy } from '../support/command.js';

const folder = mkdtempSync(join(tmpdir(), 'mtcopy-baseline-'));
const file = join(folder, 'before.json');
const SMALL: Record<string, string[]> = {
  copy: ['copy', '--total', '2M', '--runs', '2', '--threads', '1,2'],
  migrate: [
    ...['migrate', '--total', '1M', '--runs', '2', '--warmup', '0', '--folio-size', '64K', '--flow', 'pre-copy'],
    ...['--migrator', 'kernel'],
  ],
  pmbench: ['pmbench', '--pages', '512', '--cpus', '1', '--seconds', '0.04', '--flow', 'vanilla'],
};

let before: Record<string, string> = {};
beforeAll(async () => {
  before = Object.fromEntries(
    await Promise.all(
      Object.entries(SMALL).map(async ([name, args]) => [name, (await mtcopy(...args, '--json')).stdout]),
    ),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a command against a file that has that in it. */
function against(text: string, name: string, ...args: string[]) {
  writeFileSync(file, text);
  return mtcopy(...SMALL[name], ...args, '--baseline', file);
}

describe('--baseline', () => {
  it.each(Object.keys(SMALL))('has the ratio of each row to what it was: mtcopy %s', async (name) => {
    const { status, stdout, stderr } = await against(before[name], name, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { results, baseline } = JSON.parse(stdout);
    const then = JSON.parse(before[name]);
    expect(baseline).toEqual({ file, date: then.date, version: then.version, sameHost: true });
    const figure = (row: { gbps?: { median: number }; pagesMigratedPerSecond: number }) =>
      row.gbps?.median ?? row.pagesMigratedPerSecond;
    for (const [i, row] of results.entries()) {
      expect(row.baseline.figure).toBe(figure(then.results[i]));
      expect(row.baseline.ratio).toBeCloseTo(figure(row) / figure(then.results[i]), 9);
    }
  });

  it('shows a table, and a word of caution', async () => {
    const { stdout } = await against(before.copy, 'copy');
    expect(stdout).toMatch(/Against \S+ of .*, gbps\.median:\n/);
    expect(stdout).toMatch(/│ threads +│ +now │ +then │ +ratio │/);
    expect(stdout).toContain('Runs of different times differ by what else the machine did');
    expect(stdout).not.toContain('another host');
  });

  it('says so if it was another host', async () => {
    const then = JSON.parse(before.copy);
    const other = JSON.stringify({ ...then, host: { ...then.host, cpu: 'Abacus', cores: 3 } });
    const { stdout } = await against(other, 'copy');
    expect(stdout.replaceAll('\n', ' ')).toContain('That was another host, or another Node.js: Abacus, 3 cores');
    expect(JSON.parse((await against(other, 'copy', '--json')).stdout).baseline.sameHost).toBe(false);
  });

  it('finds rows by their settings, and tells how many it does not find', async () => {
    const { stdout } = await against(before.copy, 'copy', '--threads', '2,3');
    expect(stdout).toContain('1 of 2 rows were not measured then.');
    expect(stdout).toMatch(/│ 2 +│ +[\d.]+ │ +[\d.]+ │ +[\d.]+ │/);
    const none = await against(before.copy, 'copy', '--threads', '3');
    expect(none.stdout.replaceAll('\n', ' ')).toContain('none of these was measured then with the same settings.');
    const set = await against(before.migrate, 'migrate', '--set', 'kernel/mm/migration/max_batch=64');
    expect(set.stdout.replaceAll('\n', ' ')).toContain('none of these was measured then with the same settings.');
  });

  it.each([
    ['what is cut off', () => before.copy.slice(0, 200), 'is no JSON, or ends too soon'],
    ['what is no JSON', () => 'threads 1, 12 GB/s', 'is no JSON'],
    ['another command', () => before.migrate, 'is of mtcopy migrate, not of mtcopy copy'],
    ['other JSON', () => '{"name":"mtcopy"}', 'is of something else'],
    ['null', () => 'null', 'is no JSON'],
    ['no results', () => JSON.stringify({ ...JSON.parse(before.copy), results: [] }), 'has no results'],
    ['other results', () => '{"command":"copy","results":[{"gbps":1}]}', 'has results without gbps.median'],
    ['an empty file', () => '', 'must be a file with something in it'],
  ])('refuses %s with status 2', async (_, text, message) => {
    const { status, stdout, stderr } = await against(text(), 'copy');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^mtcopy: EINVAL: baseline: must be /);
    expect(stderr).toContain(message);
  });

  it.each([
    { tables: null },
    { tables: 'abc' },
    { tables: {} },
    { tables: [null] },
    { tables: [{ name: 'tlb', figures: null }] },
    { tables: [{ name: 'tlb', figures: {} }] },
    { tables: [{ name: 'tlb', figures: [null] }] },
  ])('refuses tables that are none with status 2: %j', async (result) => {
    writeFileSync(file, JSON.stringify({ command: 'reproduce', ...result }));
    const { status, stderr } = await mtcopy('reproduce', 'tlb', '--quick', '--baseline', file);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/^mtcopy: EINVAL: .* has no results\n$/),
    });
  });

  it('says nothing that a terminal would take for a command, whatever the file says', async () => {
    const date = '\u001b]0;title\u0007';
    const { stdout } = await against(JSON.stringify({ ...JSON.parse(before.copy), date, host: { cpu: date } }), 'copy');
    expect(stdout).toMatch(/Against \S+ of .*title/);
    expect(stdout).not.toMatch(/(?!\n)\p{Cc}/u);
    const { stderr } = await against(JSON.stringify({ command: date }), 'copy');
    expect(stderr).toMatch(/is of mtcopy .*title/);
    expect(stderr).not.toMatch(/(?!\n)\p{Cc}/u);
  });

  it('refuses a folder with status 2', async () => {
    mkdirSync(join(folder, 'folder'));
    const { status, stderr } = await mtcopy(...SMALL.copy, '--baseline', join(folder, 'folder'));
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining('must be a file') });
  });
});

describe('a file that is not there', () => {
  it.each([
    ['copy', 'baseline'],
    ['migrate', 'baseline'],
    ['pmbench', 'baseline'],
    ['copy', 'input'],
    ['migrate', 'input'],
  ])('is told in the same words, with status 1: mtcopy %s --%s', async (name, option) => {
    const missing = join(folder, 'missing');
    expect(await mtcopy(...SMALL[name], `--${option}`, missing)).toEqual({
      status: 1,
      stdout: '',
      stderr: `mtcopy: ENOENT: ${option}: there is no ${missing}\n`,
    });
  });
});
