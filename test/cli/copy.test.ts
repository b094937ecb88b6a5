import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CopyEngine, type CopyItems, MiB } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { chooseMethod } from '#src/copy/streaming.js';
import { mtcopy } from '../support/command.js';
import { HAS_NATIVE } from '../support/native.js';
import { itRefuses, type Refusals } from '../support/refusals.js';

/** More than the caches of this machine keep of a call, in whole folios. */
const LARGE = HAS_NATIVE ? Math.floor(chooseMethod('auto', 'auto').cachedBytes() / (2 * MiB) + 1) * 2 * MiB : 0;

/** What is refused, and with which words. */
const REFUSED: Refusals = [
  [['copy', '--distribution', 'chunks'], '--distribution: means nothing without --schedule static'],
  [['copy', '--unit', '1M', '--schedule', 'static'], '--unit: means nothing without --schedule dynamic'],
  [['copy', '--unit', '4K', '--total', '2M'], 'unitBytes: must be a whole number from 65536'],
  [['copy', '--distribution', 'halves'], "'halves' is none of auto, folios, chunks"],
  [['copy', '--thread', '2'], 'Did you mean --threads?'],
  [['cpy'], 'Did you mean copy?'],
  [['copy', '--threads', '65'], "threads: must be a whole number from 1 to 64, or 'auto', got 65"],
  [['copy', '--threads', '1,many'], "got 'many'"],
  [['copy', '--caller', 'auto'], "'auto' is none of waits, helps"],
  [['copy', '--folio-size', '3K'], 'power of two'],
  [['copy', '--runs', '0'], 'whole number, 1 or more'],
  [['copy', '--frames', 'random'], "'random' is none of sequential, shuffled"],
  [['copy', '--warmup', '1.5'], 'whole number'],
  [['copy', '--seed', '-1'], 'whole number'],
  [
    ['copy', '--seed', '2', '--input', process.execPath],
    '--seed: means nothing with --input, but with --frames shuffled',
  ],
  [['copy', '--total', '3M'], 'multiple of the folio size 2M'],
];

describe('mtcopy copy', () => {
  it('prints a table, and nothing on standard error that is no terminal', async () => {
    const { status, stdout, stderr } = await mtcopy('copy', '--total', '8M', '--runs', '2', '--threads', '1,2');
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(stdout.split('\n')[0]).toBe('8M, folios of 2M, sequential, method auto, dynamic schedule');
    expect(stdout.split('\n').filter((line) => line.startsWith('│'))).toHaveLength(3);
  });

  it('shows workers alone, for the caller waits unless told otherwise, and +1 where it helps', async () => {
    const threadsOf = async (...args: string[]) => {
      const { stdout } = await mtcopy('copy', '--total', '2M', '--runs', '1', '--threads', '1,2', ...args);
      return Array.from(stdout.matchAll(/^│ (\d+(?:\+1)?) +│/gm), ([, threads]) => threads);
    };
    expect(await threadsOf()).toEqual(['1', '2']);
    expect(await threadsOf('--caller', 'waits,helps')).toEqual(['1', '2', '1+1', '2+1']);
  });

  it('prints one JSON object with every combination', async () => {
    const { stdout } = await mtcopy(
      ...[
        'copy',
        '--total',
        '4M',
        '--runs',
        '3',
        '--warmup',
        '0',
        '--json',
        '--threads',
        '1,3',
        '--folio-size',
        '4K,64K',
      ],
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
        copiedWith: result.method,
        noStreaming: `method: '${result.method}' was asked for`,
        schedule: expect.stringMatching(/^(static|dynamic)$/),
        caller: expect.stringMatching(/^(waits|helps)$/),
        gbps: {
          best: expect.any(Number),
          median: expect.any(Number),
          lowerQuartile: expect.any(Number),
          upperQuartile: expect.any(Number),
        },
        samplesNs: [expect.any(Number), expect.any(Number), expect.any(Number)],
        verified: true,
      });
      const { best, median, lowerQuartile, upperQuartile } = result.gbps;
      expect([lowerQuartile, median, upperQuartile, best].sort((a, b) => a - b)).toEqual([
        lowerQuartile,
        median,
        upperQuartile,
        best,
      ]);
    }
  });

  it('says what auto came to, and why that is not streaming where it is not', async () => {
    const printed = async (...args: string[]) => {
      const { stdout } = await mtcopy('copy', '--total', '2M', '--runs', '1', '--threads', '1', ...args);
      return stdout;
    };
    const why = 'source and destination fit into the L3 cache';
    const reason = HAS_NATIVE ? why : "the native copy loop for \\S+ can't be loaded: .*";
    expect(await printed()).toMatch(new RegExp(`^Method auto: memory.copy, for ${reason}\\.$`, 'm'));
    expect(await printed('--method', 'typed-array')).not.toContain('Method auto');
    const { results } = JSON.parse(await printed('--json'));
    expect(results[0]).toMatchObject({ method: 'auto', copiedWith: 'memory.copy' });
    expect(results[0].noStreaming).toMatch(new RegExp(`^${reason}$`));
  });

  it.runIf(HAS_NATIVE)('names the loop in C, of which there is no more to say', async () => {
    const total = ['--total', String(LARGE), '--runs', '1', '--warmup', '0', '--threads', '1'];
    expect((await mtcopy('copy', ...total)).stdout).toMatch(/^Method auto: streaming\.$/m);
    const { stdout } = await mtcopy('copy', ...total, '--method', 'streaming', '--json');
    const { results } = JSON.parse(stdout);
    expect(results[0]).toMatchObject({ method: 'streaming', copiedWith: 'streaming' });
    expect(results[0]).not.toHaveProperty('noStreaming');
  });

  it('measures lists of how each schedule shares a batch out, and says so', async () => {
    const args = ['--total', '4M', '--runs', '1', '--threads', '1', '--schedule', 'static,dynamic'];
    const shapes = ['--distribution', 'folios,chunks', '--unit', '256K,auto'];
    const { stdout } = await mtcopy('copy', ...args, ...shapes, '--json');
    expect(
      JSON.parse(stdout).results.map(({ schedule, distribution, unitBytes }: Record<string, unknown>) => ({
        schedule,
        distribution,
        unitBytes,
      })),
    ).toEqual([
      { schedule: 'static', distribution: 'folios' },
      { schedule: 'static', distribution: 'chunks' },
      { schedule: 'dynamic', unitBytes: 262144 },
      { schedule: 'dynamic', unitBytes: 'auto' },
    ]);
    const text = await mtcopy('copy', ...args, ...shapes);
    for (const name of ['static folios', 'static chunks', 'dynamic 256K']) expect(text.stdout).toContain(name);
  });

  it('fills the source from a file, repeated as needed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mtcopy-input-'));
    const input = join(folder, 'input');
    writeFileSync(input, 'a file whose length divides no page');
    const { status, stdout } = await mtcopy(
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
    expect((await mtcopy('copy', '--total', '64M', '--runs', '1', '--threads', '1', '--input', input)).status).toBe(0);
    expect(await mtcopy('copy', '--total', '4M', '--input', folder)).toMatchObject({ status: 2, stdout: '' });
    writeFileSync(input, '');
    expect(await mtcopy('copy', '--total', '4M', '--input', input)).toMatchObject({ status: 2, stdout: '' });
    rmSync(folder, { recursive: true });
    expect(await mtcopy('copy', '--total', '4M', '--input', input)).toMatchObject({ status: 1, stdout: '' });
  });

  it('has as many runs before those that count as it is told', async () => {
    const copyBatch = vi.spyOn(CopyEngine.prototype, 'copyBatch');
    await mtcopy('copy', '--total', '2M', '--threads', '1', '--runs', '2', '--warmup', '3');
    // Two calls a run.
    expect(copyBatch).toHaveBeenCalledTimes(10);
    vi.restoreAllMocks();
  });

  it('shuffles frames by the seed', async () => {
    const framesOf = async (...args: string[]) => {
      const copyBatch = vi.spyOn(CopyEngine.prototype, 'copyBatch');
      await mtcopy('copy', '--total', '2M', '--folio-size', '4K', '--threads', '1', '--runs', '1', ...args);
      const { from, to } = copyBatch.mock.calls[0][0] as CopyItems;
      vi.restoreAllMocks();
      return [from, to].join();
    };
    const first = await framesOf('--frames', 'shuffled');
    expect(await framesOf('--frames', 'shuffled', '--seed', '1')).toBe(first);
    expect(await framesOf('--frames', 'shuffled', '--seed', '9')).not.toBe(first);
  });

  itRefuses(REFUSED);

  it('says how much memory there can be', async () => {
    const { status, stderr } = await mtcopy('copy', '--total', '4G');
    expect(status).toBe(1);
    expect(stderr).toBe(
      'mtcopy: ENOMEM: total: 4G on each of two nodes is more than a memory of 4G has: ask for at most 2032M\n',
    );
  });

  it('shows its version and its help', async () => {
    expect((await mtcopy('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await mtcopy('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('copy [options]') });
    expect(await mtcopy('copy', '--help')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('--folio-size'),
    });
  });
});
