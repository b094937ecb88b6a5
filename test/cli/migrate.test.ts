import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { mtcopy } from '../support/command.js';
import { HAS_NATIVE } from '../support/native.js';
import { itRefuses, type Refusals } from '../support/refusals.js';

const migrate = (...args: string[]) => mtcopy('migrate', ...args);

/** Small and quick. */
const ONE = ['--total', '4M', '--runs', '1', '--warmup', '0', '--migrator', 'kernel', '--flow', 'pre-copy'];

const number = expect.any(Number);
const phasesNs = { isolate: number, unmap: number, flush: number, copy: number, move: number, putBack: number };

/** What is refused, and with which words. */
const REFUSED: Refusals = [
  [['--thread', '2'], 'Did you mean --threads?'],
  [['--threads', '0'], "threads: must be a whole number from 1 to 64, or 'auto', got 0"],
  [['--caller', 'waits,helps'], 'must be one of waits, helps, not a list'],
  [['--folio-size', '3K'], 'power of two'],
  [['--folio-size', '8M'], 'power of two from 4K to 4M'],
  [['--runs', '0'], 'whole number, 1 or more'],
  [['--count', '1.5'], 'whole number, 1 or more'],
  [['--frames', 'random'], "'random' is none of sequential, shuffled"],
  [['--flow', 'vanilla,chocolate'], "'chocolate' is none of serial, vanilla, batch-move, pre-copy"],
  [['--migrator', 'dma'], "'dma' is none of kernel, mtcopy, dcbm"],
  [['--total', '3M', '--folio-size', '4K,2M'], 'multiple of the folio size 2M, above 0, got 3M'],
  [['--total', '0'], 'total: must be a whole number, 1 or more, got 0'],
  [['--batch-limit', '0'], 'whole number, 1 or more'],
  [['--batch-limit', '1048577'], 'batchLimits: must be a whole number from 1 to 1048576'],
  [
    ['--batch-limit', '8', '--flow', 'serial'],
    '--batch-limit: means nothing to serial, which takes folio by folio: add another --flow',
  ],
  [
    ['--batch-unit', 'folios', '--folio-size', '4K'],
    '--batch-unit: means nothing with folios of 4K, each of which is a page',
  ],
  [['--batch-unit', 'bytes'], "'bytes' is none of pages, folios"],
  [
    ['--batch-limit', '8', '--set', 'kernel/mm/migration/max_batch=64'],
    'batchLimit: must not be given beside kernel/mm/migration/max_batch, which says it too',
  ],
  [['--warmup', '-1'], 'whole number'],
  [['--seed', '1.5'], 'whole number'],
  [['--seed', '4294967296'], 'seed: must be a whole number'],
  [['--total', '4M', '--count', '2'], "option '--total <size>' cannot be used with option '--count <folios>'"],
];

type Call = Parameters<Machine['movePages']>;
const { movePages } = Machine.prototype;

/** movePages, with something called before it. */
function spiedWith(before: (options: Call[2], machine: Machine, mm: Call[0], pages: Call[1]) => void) {
  return function (this: Machine, ...call: Call) {
    before(call[2], this, call[0], call[1]);
    return movePages.apply(this, call);
  };
}

describe('mtcopy migrate', () => {
  it('prints how fast and where the time went, and nothing on standard error that is no terminal', async () => {
    const { status, stdout, stderr } = await migrate(
      '--total',
      '8M',
      '--runs',
      '2',
      '--warmup',
      '0',
      '--folio-size',
      '2M',
    );
    expect(status).toBe(0);
    expect(stderr).toBe('');
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('8M of anonymous memory, folios of 2M, sequential');
    // The first line of a heading, and 2 flows with kernel, mtcopy×1 and mtcopy×2, in each of three tables.
    expect(lines.filter((line) => /^│ (flow|vanilla|pre-copy) /.test(line))).toHaveLength(21);
    expect(stdout).toContain('mtcopy×2');
  });

  it('fits a terminal of 100 columns, however much varies', async () => {
    const { stdout } = await migrate(
      ...['--total', '4M', '--runs', '1', '--warmup', '0', '--folio-size', '512K,2M', '--threads', '1,2'],
      ...['--flow', 'serial,batch-move', '--frames', 'sequential,shuffled'],
    );
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  it('shows a caller that helps as one thread more', async () => {
    const helps = [
      '--total',
      '4M',
      '--runs',
      '1',
      '--warmup',
      '0',
      '--folio-size',
      '2M',
      '--flow',
      'pre-copy',
      '--caller',
      'helps',
    ];
    const { stdout } = await migrate(...helps);
    const migrators = Array.from(stdout.matchAll(/(?:kernel|mtcopy×\S+)/g), ([migrator]) => migrator);
    expect(new Set(migrators)).toEqual(new Set(['kernel', 'mtcopy×1+1', 'mtcopy×2+1']));
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  it('migrates with the stores that are asked for, each in turns, and says which loop copied, and why', async () => {
    const moved = vi.spyOn(Machine.prototype, 'movePages');
    const asked = [...ONE, '--folio-size', '2M', '--stores', 'cached,streaming,auto'];
    const { stdout } = await migrate(...asked);
    const stores = new Set(moved.mock.calls.map(([, , options]) => options?.stores));
    moved.mockRestore();
    expect(stores).toEqual(new Set(['cached', 'streaming', 'auto']));
    const text = stdout.replace(/\s+/g, ' ');
    if (HAS_NATIVE) {
      expect(text).toContain("Copied with memory.copy, for stores: 'cached' was asked for: kernel pre-copy cached.");
      expect(text).toContain('Copied with streaming: kernel pre-copy streaming.');
      expect(text).toContain('for sources and targets fit into the L3 cache: kernel pre-copy auto.');
    } else {
      expect(text).toMatch(/Copied with memory.copy, for the native copy loop for \S+ can't be loaded: /);
    }
    const { results } = JSON.parse((await migrate(...asked, '--json')).stdout);
    const rows = results.map((row: Record<string, unknown>) => [row.stores, row.copiedWith]);
    const streams = HAS_NATIVE ? 'streaming' : 'memory.copy';
    expect(rows).toEqual([
      ['cached', 'memory.copy'],
      ['streaming', streams],
      ['auto', 'memory.copy'],
    ]);
  });

  it('prints one JSON object with every combination', async () => {
    const { stdout } = await migrate(
      ...[
        '--runs',
        '3',
        '--json',
        '--count',
        '4',
        '--warmup',
        '1',
        '--folio-size',
        '4K,64K,4M',
        '--threads',
        '1,3',
        '--in-flight',
        '1,2',
      ],
      ...['--migrator', 'kernel,mtcopy', '--flow', 'serial,pre-copy', '--frames', 'sequential,shuffled'],
    );
    const { command, host, results } = JSON.parse(stdout);
    expect(command).toBe('migrate');
    expect(host).toMatchObject({ node: process.version, cores: number });
    // The kernel's migrator has one thread and one batch in flight, mtcopy one thread or three, and one batch or two.
    expect(results).toHaveLength(3 * 2 * 2 * 5);
    expect(results.filter(({ migrator }: { migrator: string }) => migrator === 'kernel')).toHaveLength(3 * 2 * 2);
    const combinations = results.map((result: Record<string, unknown>) =>
      [result.folioBytes, result.frames, result.flow, result.migrator, result.threads, result.batchesInFlight].join(),
    );
    expect(new Set(combinations).size).toBe(results.length);
    for (const result of results) {
      const pages = (4 * result.folioBytes) / 4096;
      const huge = result.folioBytes < 2 ** 21 ? 0 : 4;
      expect(result).toEqual({
        migrator: expect.stringMatching(/^(kernel|mtcopy)$/),
        flow: expect.stringMatching(/^(serial|pre-copy)$/),
        threads: number,
        ...(result.migrator === 'mtcopy' && { caller: 'waits' }),
        batchesInFlight: number,
        folioBytes: number,
        folios: 4,
        frames: expect.stringMatching(/^(sequential|shuffled)$/),
        batchLimit: 512,
        batchUnit: 'pages',
        copiedWith: 'memory.copy',
        noStreaming: expect.any(String),
        gbps: { best: number, median: number, lowerQuartile: number, upperQuartile: number },
        nsPerPage: number,
        phasesNs,
        cpuNs: { caller: number, threads: number, dma: 0 },
        dmaNs: { map: 0, submit: 0, wait: 0, unmap: 0 },
        movedBy: expect.any(Array),
        declined: 0,
        fractionCopy: number,
        vmstat: {
          // Of the three measured runs, and of nothing else.
          pgmigrate_success: 3 * pages,
          pgmigrate_fail: 0,
          thp_migration_success: 3 * huge,
          thp_migration_fail: 0,
          thp_migration_split: 0,
          nr_tlb_remote_flush: 0,
          nr_tlb_remote_flush_received: 0,
        },
        samplesNs: [number, number, number],
        verified: true,
      });
      const moved = result.movedBy as { folios: number; bytes: number }[];
      expect(moved.reduce((sum, { folios }) => sum + folios, 0)).toBe(3 * 4);
      expect(moved.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(3 * 4 * result.folioBytes);
      const median = result.samplesNs.toSorted((a: number, b: number) => a - b)[1];
      expect(result.nsPerPage).toBeCloseTo(median / pages, 6);
      expect(result.gbps.median).toBeCloseTo((pages * 4096) / median, 6);
      expect(result.gbps.best).toBeGreaterThanOrEqual(result.gbps.median);
      expect(result.fractionCopy).toBeGreaterThan(0);
      expect(result.fractionCopy).toBeLessThan(1);
    }
  });

  it("moves a file's page cache too, in whole folios", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mtcopy-input-'));
    const input = join(folder, 'input');
    const foliosOf = async (...args: string[]) => {
      const { stdout, stderr } = await migrate(...ONE, '--folio-size', '64K', '--json', '--input', input, ...args);
      expect(stderr).toBe('');
      const [{ folios, verified }] = JSON.parse(stdout).results;
      expect(verified).toBe(true);
      return folios;
    };
    writeFileSync(input, 'shorter than a page');
    expect(await foliosOf()).toBe(64 + 1);
    writeFileSync(input, Buffer.alloc(3 * 2 ** 20 + 1, 'longer than a folio'));
    expect(await foliosOf()).toBe(64 + 49);
    expect(await foliosOf('--frames', 'shuffled')).toBe(64 + 49);
    expect((await migrate(...ONE, '--input', input)).stdout).toContain(
      '4M of anonymous memory and the page cache of input,',
    );
    expect(await migrate(...ONE, '--input', folder)).toMatchObject({ status: 2, stdout: '' });
    writeFileSync(input, '');
    expect(await migrate(...ONE, '--input', input)).toMatchObject({ status: 2, stdout: '' });
    rmSync(folder, { recursive: true });
    const { status, stdout, stderr } = await migrate(...ONE, '--input', input);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(`ENOENT: input: there is no ${input}`);
  });

  itRefuses(REFUSED, 'migrate');

  it.each([
    [['--total', '2G']],
    [['--count', '512', '--folio-size', '4K,4M']],
    [['--count', '508', '--folio-size', '4M', '--input', process.execPath]],
  ])('says how much memory there can be before it measures anything, for %j', async (args) => {
    const { status, stdout, stderr } = await migrate(...args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/ENOMEM: (total|count): .*: ask for at most 2032M/);
  });

  it('shows its help', async () => {
    expect(await migrate('--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('--migrator') });
  });

  it('has batches of as many pages, or folios, as it is told, and shows them', async () => {
    const batches = new Set<string>();
    const onEnd = (message: unknown) => {
      const { batchLimit, batchUnit, flow } = message as { batchLimit: number; batchUnit: string; flow: string };
      batches.add(`${flow} ${batchLimit} ${batchUnit}`);
    };
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(spiedWith(onEnd));
    const limits = ['--flow', 'serial,pre-copy', '--batch-limit', '64,8', '--batch-unit', 'folios'];
    const { results } = JSON.parse((await migrate(...ONE, '--folio-size', '64K', ...limits, '--json')).stdout);
    vi.restoreAllMocks();
    // Serial goes folio by folio, whatever the limit, and is measured once.
    const wanted = ['serial 64 folios', 'pre-copy 64 folios', 'pre-copy 8 folios'];
    const settingsOf = (row: Record<string, unknown>) => `${row.flow} ${row.batchLimit} ${row.batchUnit}`;
    expect(results.map(settingsOf)).toEqual(wanted);
    expect([...batches].sort()).toEqual(wanted.sort());
    const { stdout } = await migrate(...ONE, '--folio-size', '64K', '--batch-limit', '64');
    expect(stdout.replaceAll('\n', ' ')).toContain('batches of 64 pages');
  });

  it('has a run of each combination for each round of --warmup and --runs', async () => {
    let moves = 0;
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(spiedWith(() => moves++));
    await migrate('--count', '2', '--runs', '2', '--warmup', '3', '--migrator', 'kernel', '--folio-size', '4K');
    vi.restoreAllMocks();
    // Two flows, and two calls before each run.
    expect(moves).toBe((2 + 3) * 2 * 3);
  });

  it('fills memory, and shuffles frames, by the seed', async () => {
    const seen = async (...args: string[]) => {
      const frames: string[] = [];
      vi.spyOn(Machine.prototype, 'movePages').mockImplementation(
        spiedWith((_, machine, mm, pages) => {
          const pfns = Array.from(pages, (address) => mm.folioAt(address)?.pfn ?? 0);
          frames.push(`${pfns.join()} ${machine.memory.bytes[pfns[0] * 4096 + 5]}`);
        }),
      );
      await migrate(
        '--count',
        '64',
        '--runs',
        '1',
        '--warmup',
        '0',
        '--migrator',
        'kernel',
        '--flow',
        'serial',
        ...args,
      );
      vi.restoreAllMocks();
      return frames[0];
    };
    const shuffled = ['--frames', 'shuffled', '--folio-size', '4K'];
    const first = await seen(...shuffled);
    expect(await seen(...shuffled, '--seed', '1')).toBe(first);
    expect((await seen(...shuffled, '--seed', '2')).split(' ')[0]).not.toBe(first.split(' ')[0]);
    const [a, b] = [await seen('--folio-size', '4K'), await seen('--folio-size', '4K', '--seed', '2')];
    expect(a.split(' ')[0]).toBe(b.split(' ')[0]);
    expect(a).not.toBe(b);
  });
});
