import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mtcopy } from '../support/command.js';
import { itRefuses, type Refusals } from '../support/refusals.js';

/** What is refused, and with which words. */
const REFUSED: Refusals = [
  [['copy', '--thread', '2'], 'Did you mean --threads?'],
  [['cpy'], 'Did you mean copy?'],
  [['copy', '--threads', '65'], "threads: must be a whole number from 1 to 64, or 'auto', got 65"],
  [['copy', '--threads', '1,many'], "got 'many'"],
  [['copy', '--caller', 'auto'], "'auto' is none of waits, helps"],
  [['copy', '--folio-size', '3K'], 'power of two'],
  [['copy', '--runs', '0'], 'whole number, 1 or more'],
  [['copy', '--frames', 'random'], "'random' is none of sequential, shuffled"],
  [['copy', '--total', '3M'], 'multiple of the folio size 2M'],
];

describe('mtcopy copy', () => {
  it('prints a table, and nothing on standard error that is no terminal', () => {
    const { status, stdout, stderr } = mtcopy('copy', '--total', '8M', '--runs', '2', '--threads', '1,2');
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(stdout.split('\n')[0]).toBe('8M, folios of 2M, sequential, method auto, dynamic schedule');
    expect(stdout.split('\n').filter((line) => line.startsWith('│'))).toHaveLength(3);
  });

  it('shows workers alone, for the caller waits unless told otherwise, and +1 where it helps', () => {
    const threadsOf = (...args: string[]) => {
      const { stdout } = mtcopy('copy', '--total', '2M', '--runs', '1', '--threads', '1,2', ...args);
      return Array.from(stdout.matchAll(/^│ +(\d+(?:\+1)?) │/gm), ([, threads]) => threads);
    };
    expect(threadsOf()).toEqual(['1', '2']);
    expect(threadsOf('--caller', 'waits,helps')).toEqual(['1', '2', '1+1', '2+1']);
  });

  it('prints one JSON object with every combination', () => {
    const { stdout } = mtcopy(
      ...['copy', '--total', '4M', '--runs', '3', '--json', '--threads', '1,3', '--folio-size', '4K,64K'],
      ...['--frames', 'sequential,shuffled', '--schedule', 'static,dynamic', '--caller', 'waits,helps'],
      ...['--method', 'memory.copy,typed-array'],
    );
    const { command, host, results } = JSON.parse(stdout);
    expect(command).toBe('copy');
    expect(host).toMatchObject({ node: process.version, cores: expect.any(Number) });
    expect(results).toHaveLength(2 ** 6);
    for (const result of results) {
      expect(result).toEqual({
        threads: expect.any(Number),
        folioBytes: expect.any(Number),
        folios: (4 * 2 ** 20) / result.folioBytes,
        frames: expect.stringMatching(/^(sequential|shuffled)$/),
        method: expect.stringMatching(/^(memory\.copy|typed-array)$/),
        schedule: expect.stringMatching(/^(static|dynamic)$/),
        caller: expect.stringMatching(/^(waits|helps)$/),
        gbps: { best: expect.any(Number), median: expect.any(Number) },
        samplesNs: [expect.any(Number), expect.any(Number), expect.any(Number)],
        verified: true,
      });
      expect(result.gbps.best).toBeGreaterThanOrEqual(result.gbps.median);
    }
  });

  it('fills the source from a file, repeated as needed', () => {
    const folder = mkdtempSync(join(tmpdir(), 'mtcopy-input-'));
    const input = join(folder, 'input');
    writeFileSync(input, 'a file whose length divides no page');
    const { status, stdout } = mtcopy(
      'copy',
      '--total',
      '4M',
      '--runs',
      '1',
      '--threads',
      '2',
      '--input',
      input,
      '--json',
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout).results[0].verified).toBe(true);
    writeFileSync(input, 'x');
    expect(mtcopy('copy', '--total', '64M', '--runs', '1', '--threads', '1', '--input', input).status).toBe(0);
    expect(mtcopy('copy', '--total', '4M', '--input', folder)).toMatchObject({ status: 2, stdout: '' });
    writeFileSync(input, '');
    expect(mtcopy('copy', '--total', '4M', '--input', input)).toMatchObject({ status: 2, stdout: '' });
    rmSync(folder, { recursive: true });
    expect(mtcopy('copy', '--total', '4M', '--input', input)).toMatchObject({ status: 1, stdout: '' });
  });

  itRefuses(REFUSED);

  it('says how much memory there can be', () => {
    const { status, stderr } = mtcopy('copy', '--total', '4G');
    expect(status).toBe(1);
    expect(stderr).toContain('ENOMEM');
    expect(stderr).toContain('4G');
  });

  it('shows its version and its help', () => {
    expect(mtcopy('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(mtcopy('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('copy [options]') });
    expect(mtcopy('copy', '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--folio-size') });
  });
});
