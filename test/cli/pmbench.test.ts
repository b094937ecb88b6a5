import { Machine } from 'mtcopy';
import { describe, expect, it, vi } from 'vitest';
import { mtcopy } from '../support/command.js';
import { HAS_NATIVE } from '../support/native.js';
import { itRefuses, type Refusals } from '../support/refusals.js';

const SHORT = ['--pages', '1024', '--seconds', '0.1'];
/** Where figures don't matter. */
const SHORTER = ['--pages', '1024', '--seconds', '0.02'];

const pmbench = (...args: string[]) => mtcopy('pmbench', ...args);

const number = expect.any(Number);
const positive = { asymmetricMatch: (value: unknown) => typeof value === 'number' && value > 0 };

const SAMPLE = {
  seconds: positive,
  ipis: positive,
  pagesMigrated: positive,
  pagesMigratedPerSecond: positive,
  accesses: positive,
  accessesPerSecond: positive,
  lostUpdates: 0,
};

const RESULT = {
  flow: expect.any(String),
  migrator: 'kernel',
  threads: 1,
  cpus: 2,
  pages: 1024,
  folioBytes: 4096,
  pattern: 'uniform',
  writeRatio: 0.5,
  call: 'move_pages',
  batchLimit: 512,
  batchUnit: 'pages',
  copiedWith: 'memory.copy',
  noStreaming: expect.any(String),
  seed: 0,
  samples: new Array(4).fill(SAMPLE),
  seconds: positive,
  ipis: positive,
  ipisPerPage: positive,
  tlbFlushNs: { count: positive, min: number, mean: number, max: number, p50: number, p90: number, p99: number },
  pagesMigrated: positive,
  pagesMigratedPerSecond: positive,
  accesses: positive,
  accessesPerSecond: positive,
  accessNs: { p50: positive, p90: positive, p99: positive, p999: positive, max: positive, mean: positive },
  stores: positive,
  lostUpdates: 0,
  migrationWaits: { count: number, maxNs: number, buckets: expect.any(Array) },
  phasesNs: { isolate: number, unmap: number, flush: number, copy: number, move: number, putBack: number },
  fractionCopy: number,
  vmstat: {
    pgmigrate_success: positive,
    pgmigrate_fail: number,
    thp_migration_success: 0,
    thp_migration_fail: 0,
    thp_migration_split: 0,
    nr_tlb_remote_flush: positive,
    nr_tlb_remote_flush_received: positive,
  },
};

/** What is refused, and with which words. */
const REFUSED: Refusals = [
  [['--cpus', '65'], 'cpus: must be a whole number from 1 to 64, got 65'],
  [['--cpus', '0'], 'whole number, 1 or more'],
  [['--pages', '0'], 'whole number, 1 or more'],
  [['--pages', '513', '--folio-size', '2M'], 'whole folios of 2M, a multiple of 512, got 513'],
  [['--folio-size', '8K,4K'], 'folio size'],
  [['--folio-size', '8M'], 'power of two from 4K to 4M'],
  [['--pattern', 'zipf'], "'zipf' is none of uniform, normal, linear"],
  [['--write-ratio', '1.5'], 'writeRatio: must be a number, from 0 to 1, got 1.5'],
  [['--write-ratio', 'half'], 'must be a number'],
  [['--flow', 'serial,batched'], "'batched' is none of serial, vanilla, batch-move, pre-copy"],
  [['--migrator', 'dma'], "'dma' is none of kernel, mtcopy, dcbm"],
  [['--migrator', 'kernel,mtcopy'], 'must be one of kernel, mtcopy, dcbm, not a list'],
  [['--threads', '0'], 'threads: must be a whole number from 1 to 64'],
  [['--caller', 'auto'], "'auto' is none of waits, helps"],
  [['--seconds', '0'], 'seconds: must be a number above 0, got 0'],
  [['--seconds', ''], 'must be a number'],
  [['--call', 'mbind'], "'mbind' is none of move_pages, migrate_pages"],
  [['--runs', '0'], 'whole number, 1 or more'],
  [['--warmup', '-1'], 'warmup: must be a number, 0 or more, got -1'],
  [['--seed', '-1'], 'seed: must be a whole number from 0 to 1048576, got -1'],
  [['--batch-limit', '2000000'], 'batchLimit: must be a whole number from 1 to 1048576, got 2000000'],
  [['--batch-unit', 'bytes'], "'bytes' is none of pages, folios"],
  [
    ['--batch-limit', '64', '--flow', 'serial'],
    '--batch-limit: means nothing to serial, which takes folio by folio: add another --flow',
  ],
  [['--batch-unit', 'folios', '--flow', 'serial', '--folio-size', '64K'], '--batch-unit: means nothing to serial'],
  [['--batch-unit', 'folios'], '--batch-unit: means nothing with folios of 4K, each of which is a page'],
  [['--stores', 'memory'], "'memory' is none of auto, cached, streaming"],
  [['--stores', 'cached,streaming'], 'must be one of auto, cached, streaming, not a list'],
  [
    ['--stores', 'streaming'],
    '--stores: means nothing to kernel in serial and vanilla: add --migrator mtcopy, or kernel with',
  ],
  [
    ['--stores', 'streaming', '--migrator', 'dcbm', '--flow', 'pre-copy'],
    '--stores: means nothing to dcbm in pre-copy',
  ],
  [['--cpu', '2'], 'Did you mean --cpus?'],
];
/** What means nothing to any migrator but mtcopy, with every way to ask for another. */
const MEANINGLESS: Refusals = [
  ['--threads', '2'],
  ['--caller', 'helps'],
].flatMap(([option, value]) =>
  [
    [],
    ['--migrator', 'kernel'],
    ['--migrator', 'dcbm'],
    ['--set', 'kernel/dcbm/offloading=1'],
    ['--set', 'kernel/mm/migration/offload_migrator=kernel'],
  ].map((asked): [string[], string] => [
    [...SHORT, ...asked, option, value],
    `mtcopy: EINVAL: ${option}: means nothing without --migrator mtcopy`,
  ]),
);

describe('mtcopy pmbench', () => {
  it('prints one JSON object with a result a flow, and what batching changed', async () => {
    const { status, stdout, stderr } = await pmbench(...SHORT, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const { command, host, results, comparison } = JSON.parse(stdout);
    expect(command).toBe('pmbench');
    expect(host).toMatchObject({ node: process.version });
    expect(results).toEqual([
      { ...RESULT, flow: 'serial' },
      { ...RESULT, flow: 'vanilla' },
    ]);
    const [serial, vanilla] = results;
    for (const { vmstat, ipis, ipisPerPage, pagesMigrated, stores, accesses } of results) {
      expect(vmstat).toMatchObject({ nr_tlb_remote_flush_received: ipis, pgmigrate_success: pagesMigrated });
      expect(ipisPerPage).toBe(ipis / pagesMigrated);
      expect(stores / accesses).toBeCloseTo(0.5, 1);
    }
    // Each of the 2 CPUs gets one a page, or one for a batch of 512.
    expect(serial.ipisPerPage).toBeCloseTo(2, 1);
    expect(vanilla.ipisPerPage).toBeCloseTo(2 / 512, 3);
    // 99.1% fewer in equal time, of 291.7% more pages: 0.009 / 3.917 of them a page.
    expect(comparison.published.ipisPerPage).toBeCloseTo(-0.9977, 4);
    expect(comparison.published.pagesMigratedPerSecond).toBe(2.917);
    expect(comparison.measured.ipisPerPage).toBe(vanilla.ipisPerPage / serial.ipisPerPage - 1);
    console.log(`${serial.stores + vanilla.stores} stores, none lost`);
  });

  it.each([
    ['normal', '64K', 'mtcopy'],
    ['linear', '2M', 'kernel'],
    ['uniform', '64K', 'dcbm'],
  ])('runs every flow: %s, %s, %s', async (pattern, folioSize, migrator) => {
    const { status, stdout } = await pmbench(
      ...[...SHORTER, '--pattern', pattern, '--folio-size', folioSize, '--migrator', migrator, '--json'],
      ...(migrator === 'mtcopy' ? ['--threads', '2'] : []),
      ...['--flow', 'serial,vanilla,batch-move,pre-copy', '--cpus', '1', '--write-ratio', '1'],
    );
    expect(status).toBe(0);
    const { results } = JSON.parse(stdout);
    expect(results.map(({ flow }: { flow: string }) => flow)).toEqual(['serial', 'vanilla', 'batch-move', 'pre-copy']);
    for (const result of results) {
      expect(result).toMatchObject({
        pattern,
        migrator,
        ...(migrator === 'mtcopy' ? { threads: 2, caller: 'waits' } : { threads: 1 }),
        ...(migrator === 'dcbm' && { channels: 1 }),
        cpus: 1,
        writeRatio: 1,
        lostUpdates: 0,
        pagesMigrated: positive,
      });
      expect(result.stores).toBe(result.accesses);
    }
  });

  it('prints tables, the waits, and the published figures beside its own', async () => {
    const { status, stdout, stderr } = await pmbench(...SHORTER);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('2 CPUs on 1024 pages in folios of 4K, uniform, 50% stores, migrator kernel');
    expect(stdout).toMatch(/Waits at migration entries with serial: \d/);
    expect(stdout).toMatch(/IPIs a page +│ +-\d+\.\d% │ +-99\.8%/);
    expect(stdout).toMatch(/pages migrated a second │ +[-+]\d+\.\d% │ +\+291\.7%/);
  });

  it('fits a terminal of 100 columns, and names the threads that copied', async () => {
    const { stdout } = await pmbench(
      ...[...SHORTER, '--cpus', '1', '--migrator', 'mtcopy', '--threads', '2'],
      ...['--flow', 'serial,vanilla,batch-move,pre-copy'],
    );
    expect(stdout).toContain('1 CPU on 1024 pages in folios of 4K, uniform, 50% stores, migrator mtcopy×2\n');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  it('shows a caller that helps as one thread more', async () => {
    const { stdout } = await pmbench(
      ...SHORTER,
      '--cpus',
      '1',
      '--migrator',
      'mtcopy',
      '--threads',
      '1',
      '--caller',
      'helps',
    );
    expect(stdout).toContain('migrator mtcopy×1+1\n');
  });

  it('compares nothing if one of the two flows is left out', async () => {
    const { stdout } = await pmbench(...SHORTER, '--flow', 'pre-copy', '--json');
    expect(Object.keys(JSON.parse(stdout))).toEqual(['command', 'version', 'date', 'arguments', 'host', 'results']);
  });

  it('moves all of the address space by migrate_pages, in the batches and the runs that are asked for', async () => {
    const { status, stdout } = await pmbench(
      ...['--pages', '1024', '--cpus', '1', '--flow', 'vanilla', '--seconds', '0.3', '--call', 'migrate_pages'],
      ...['--batch-limit', '4', '--batch-unit', 'folios', '--folio-size', '64K', '--runs', '3', '--warmup', '0.1'],
      ...['--seed', '7', '--json'],
    );
    expect(status).toBe(0);
    const [result] = JSON.parse(stdout).results;
    expect(result).toMatchObject({
      call: 'migrate_pages',
      batchLimit: 4,
      batchUnit: 'folios',
      seed: 7,
      lostUpdates: 0,
    });
    expect(result.samples).toHaveLength(3);
    for (const { pagesMigrated, ipis } of result.samples) {
      // Whole calls, and the one CPU an interrupt for every 4 folios of 16 pages.
      expect(pagesMigrated % 1024).toBe(0);
      expect(ipis).toBe(pagesMigrated / 64);
    }
    const sum = (of: string) =>
      result.samples.reduce((all: number, sample: Record<string, number>) => all + sample[of], 0);
    expect(result.pagesMigrated).toBe(sum('pagesMigrated'));
    expect(result.ipis).toBe(sum('ipis'));
  });

  it.each(['move_pages', 'migrate_pages'] as const)(
    'copies with the stores that are asked for, by %s',
    async (call) => {
      const method = call === 'move_pages' ? 'movePages' : 'migratePages';
      const moved = vi.spyOn(Machine.prototype, method);
      const asked = [...SHORTER, '--cpus', '1', '--flow', 'pre-copy', '--call', call, '--stores', 'streaming'];
      const { stdout } = await pmbench(...asked, '--json');
      const [result] = JSON.parse(stdout).results;
      const calls = moved.mock.calls as { stores?: unknown; flow?: unknown }[][];
      const stores = new Set(
        calls.map((args) => args.at(-1)).flatMap((how) => (how?.flow === 'pre-copy' ? [how.stores] : [])),
      );
      moved.mockRestore();
      expect(stores).toEqual(new Set(['streaming']));
      const copiedWith = HAS_NATIVE ? 'streaming' : 'memory.copy';
      expect(result).toMatchObject({ copyStores: 'streaming', copiedWith, lostUpdates: 0 });
      if (HAS_NATIVE) expect(result).not.toHaveProperty('noStreaming');
      // Its loads and stores have the name that the option has elsewhere.
      expect(result.stores).toBeGreaterThan(0);
    },
  );

  it('says which loop copied, and why that did not stream', async () => {
    const asked = [...SHORTER, '--cpus', '1', '--flow', 'vanilla,pre-copy'];
    const textOf = async (...more: string[]) => (await pmbench(...asked, ...more)).stdout.replaceAll(/\s+/g, ' ');
    if (!HAS_NATIVE) {
      expect(await textOf()).toMatch(/Copied with memory.copy, for the native copy loop for \S+ can't be loaded/);
      return;
    }
    expect(await textOf()).toContain(
      'for sources and targets fit into the L3 cache: kernel vanilla; kernel pre-copy. ',
    );
    expect(await textOf('--stores', 'streaming')).toContain(
      'Copied with memory.copy, for the calling thread copies folio by folio in vanilla: kernel vanilla streaming. ' +
        'Copied with streaming: kernel pre-copy streaming. ',
    );
  });

  it('shows the runs beside their mean', async () => {
    const { stdout } = await pmbench(...SHORTER, '--flow', 'vanilla', '--cpus', '1', '--runs', '2');
    expect(stdout).toContain('Moved by move_pages(2), batches of 512 pages; 2 runs of each, seed 0\n');
    expect(stdout).toMatch(/│ flow +│ +pages\/s │ runs: least │ +most │/);
  });

  itRefuses([...REFUSED, ...MEANINGLESS], 'pmbench');

  it('says how much memory there can be', async () => {
    const { status, stdout, stderr } = await pmbench('--pages', '600000');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('ENOMEM');
  });
});
