import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Machine } from 'mtcopy';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Ended, mtcopy, mtcopyIn } from '../support/command.js';
import { fileWith, foreignProfile, profile } from '../support/profiles.js';

const SMALL = ['--quick', '--seconds', '0.01', '--warmup', '0'];
const folder = mkdtempSync(join(tmpdir(), 'mtcopy-reproduce-'));
const file = join(folder, 'before.json');
let before: Ended;
beforeAll(async () => {
  before = await mtcopy('reproduce', 'dma-setup', ...SMALL, '--json');
  writeFileSync(file, before.stdout);
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** Has no machine boot whose DMA device is such. */
function failBoot(device: string) {
  const { boot } = Machine;
  vi.spyOn(Machine, 'boot').mockImplementation((options) => {
    if (options?.dma?.device === device) return Promise.reject(new Error('no such luck'));
    return boot.call(Machine, options);
  });
}

describe('mtcopy reproduce', () => {
  it('prints the tables beside one that fails, says which that is, and has the status 1', async () => {
    failBoot('ptdma');
    const tables = ['dma-setup', 'contention'];
    const shown = await mtcopy('reproduce', ...tables, ...SMALL);
    expect(shown.status).toBe(1);
    expect(shown.stdout).toContain('dma-setup: What does one mapped table');
    expect(shown.stdout).toMatch(/\ncontention failed: no such luck\n$/);
    expect(shown.stderr).toBe('mtcopy: 1 of 2 tables failed: contention failed: no such luck\n');
    const { status, stdout } = await mtcopy('reproduce', ...tables, ...SMALL, '--json');
    expect(status).toBe(1);
    const printed = JSON.parse(stdout);
    expect(printed.tables.map(({ name }: { name: string }) => name)).toEqual(['dma-setup']);
    expect(printed).toMatchObject({ failed: [{ name: 'contention', message: 'no such luck' }], notBegun: [] });
    expect(printed).not.toHaveProperty('cutShort');
  });

  it('names the tables that were not begun when it was interrupted', async () => {
    const ending = new AbortController();
    const { movePages } = Machine.prototype;
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...call) {
      ending.abort();
      return movePages.apply(this, call);
    });
    const asked = ['reproduce', 'dma-setup', 'flows', 'contention', '--quick', '--warmup', '0'];
    const { status, stdout } = await mtcopyIn({ signal: ending.signal }, ...asked, '--json');
    expect(status).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ cutShort: true, notBegun: ['flows', 'contention'] });
    const text = await mtcopyIn({ signal: ending.signal }, ...asked);
    expect(text.stdout).toBe('Nothing was measured: it was cut short before a run had ended.\n');
  });

  it('compares with an earlier run', async () => {
    expect(before.status).toBe(0);
    const { status, stdout } = await mtcopy('reproduce', 'dma-setup', ...SMALL, '--baseline', file, '--json');
    expect(status).toBe(0);
    const { results, baseline, tables } = JSON.parse(stdout);
    expect(baseline).toMatchObject({ file, sameHost: true });
    const then = JSON.parse(before.stdout).tables[0].figures;
    expect(results.length).toBeGreaterThan(0);
    for (const { table, row, variant, measure, value, baseline } of results) {
      const same = (one: Record<string, unknown>) =>
        one.row === row && one.variant === variant && one.measure === measure;
      expect(table).toBe('dma-setup');
      expect(value).toBe(tables[0].figures.find(same).value);
      expect(baseline.figure).toBe(then.find(same).value);
      expect(baseline.ratio).toBeCloseTo(value / baseline.figure, 9);
    }
    const text = (await mtcopy('reproduce', 'dma-setup', ...SMALL, '--baseline', file)).stdout;
    expect(text).toMatch(/Against \S+ of .*, value:/);
    const other = await mtcopy('reproduce', 'folio-count', ...SMALL, '--baseline', file);
    expect(other.stdout.replaceAll('\n', ' ')).toContain('none of these was measured then with the same settings.');
    const csv = (await mtcopy('reproduce', 'dma-setup', ...SMALL, '--baseline', file, '--csv')).stdout;
    expect(csv.split('\n')[0]).toMatch(/baseline\.figure,baseline\.ratio/);
  });

  it('refuses what is no earlier run of it with status 2', async () => {
    writeFileSync(join(folder, 'other.json'), JSON.stringify({ command: 'reproduce', tables: [] }));
    const { status, stderr } = await mtcopy('reproduce', 'dma-setup', '--baseline', join(folder, 'other.json'));
    expect(status).toBe(2);
    expect(stderr).toContain('has no results');
  });

  it('refuses a seed where nothing is drawn', async () => {
    expect(await mtcopy('reproduce', 'dma-setup', 'flows', '--seed', '3')).toEqual({
      status: 2,
      stdout: '',
      stderr: 'mtcopy: EINVAL: --seed: means nothing to dma-setup, flows, where CPUs draw no pages\n',
    });
  });

  it('copies with the stores that are asked for, says so, and refuses them where all are the same', async () => {
    const storesOf = async (table: string, ...more: string[]) => {
      const boot = vi.spyOn(Machine, 'boot');
      const moved = vi.spyOn(Machine.prototype, 'movePages');
      const ending = new AbortController();
      const { movePages } = Machine.prototype;
      moved.mockImplementation(function (this: Machine, ...call) {
        ending.abort();
        return movePages.apply(this, call);
      });
      await mtcopyIn({ signal: ending.signal }, 'reproduce', table, ...SMALL, ...more);
      const [, , options] = moved.mock.lastCall ?? [];
      const stores = options?.stores ?? boot.mock.lastCall?.[0]?.stores;
      vi.restoreAllMocks();
      return stores;
    };
    for (const table of ['cycles-per-page', 'overheads', 'folio-size', 'folio-count', 'breakdown']) {
      expect([table, await storesOf(table), await storesOf(table, '--stores', 'streaming')]).toEqual([
        ...[table, 'cached', 'streaming'],
      ]);
    }
    for (const table of ['flows', 'batch-limit']) {
      expect([table, await storesOf(table), await storesOf(table, '--stores', 'cached')]).toEqual([
        ...[table, undefined, 'cached'],
      ]);
    }
    const asked = ['reproduce', 'folio-count', 'dma-setup', ...SMALL, '--stores', 'streaming'];
    const said = 'Copied with stores streaming, as was asked for; published was memcpy, whose stores the caches keep.';
    const text = (await mtcopy(...asked)).stdout.replaceAll('\n', ' ');
    // Below the one table that it means something to.
    expect(text.split(said)).toHaveLength(2);
    expect(JSON.parse((await mtcopy(...asked, '--json')).stdout)).toMatchObject({ stores: 'streaming' });
    expect(await mtcopy('reproduce', 'dma-setup', 'contention', 'tlb', '--stores', 'cached')).toEqual({
      status: 2,
      stdout: '',
      stderr:
        'mtcopy: EINVAL: --stores: means nothing to dma-setup, contention, tlb, whose copies are the same with all of them\n',
    });
  });

  it('takes from a profile what its tables leave open, and refuses it where they leave nothing', async () => {
    using own = fileWith(JSON.stringify(profile()));
    const boot = vi.spyOn(Machine, 'boot');
    const ending = new AbortController();
    const { movePages } = Machine.prototype;
    vi.spyOn(Machine.prototype, 'movePages').mockImplementation(function (this: Machine, ...call) {
      ending.abort();
      return movePages.apply(this, call);
    });
    await mtcopyIn({ signal: ending.signal }, 'reproduce', 'flows', ...SMALL, '--profile', own.path);
    expect(boot.mock.lastCall?.[0]).toMatchObject({ threads: 3, schedule: 'static', caller: 'helps' });
    expect(await mtcopy('reproduce', 'dma-setup', '--profile', own.path)).toMatchObject({
      status: 2,
      stderr: 'mtcopy: EINVAL: --profile: means nothing to dma-setup, whose settings are the published ones\n',
    });
    using foreign = fileWith(JSON.stringify(foreignProfile()));
    expect(await mtcopy('reproduce', 'flows', '--profile', foreign.path)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("is another machine's"),
    });
  });

  it('makes as many rounds that do not count as it is told', async () => {
    const { stderr } = await mtcopy('reproduce', 'dma-setup', ...SMALL.slice(0, 3), '--warmup', '2', '--progress');
    // Two ways to set up, in two and six rounds.
    expect(stderr).toMatch(/^mtcopy: run 1 of 16, \d+ s left: dma-setup, passthrough, batch\n/);
  });
});
