import { MiB } from 'mtcopy';
import {
  type CopyMeasurement,
  copyParts,
  type MigrateMeasurement,
  migrateParts,
  type Part,
  pmbenchParts,
  type Reproduction,
  reproducedParts,
  textOf,
} from 'mtcopy/experiments';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { mtcopy, mtcopyIn } from '../support/command.js';

const WIDTHS = [40, 60, 200];

/** Command lines whose tables are wide: many settings vary, and there are many runs once they are {@link repeated}. */
const WIDE: Record<string, string[]> = {
  copy: [
    ...['copy', '--total', '2M', '--runs', '2', '--threads', '1,2', '--frames', 'sequential,shuffled'],
    ...['--schedule', 'static,dynamic', '--folio-size', '4K,64K'],
  ],
  migrate: [
    ...['migrate', '--total', '1M', '--runs', '2', '--warmup', '0', '--folio-size', '512K', '--batch-limit', '64,512'],
    ...['--migrator', 'kernel,dcbm', '--dma-setup', 'batch,per-folio', '--flow', 'batch-move,pre-copy'],
    ...['--in-flight', '1,2'],
  ],
  pmbench: ['pmbench', '--pages', '512', '--cpus', '1', '--seconds', '0.04'],
  reproduce: ['reproduce', 'cycles-per-page', '--quick', '--seconds', '0.01'],
};

/** As if each had been run so often: a table shows every run. */
function repeated<Row extends { readonly samplesNs: readonly number[] }>(rows: readonly Row[], runs: number): Row[] {
  return rows.map((row) => ({
    ...row,
    samplesNs: Array.from({ length: runs }, (_, i) => row.samplesNs[i % row.samplesNs.length]),
  }));
}

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

/** What each command has measured, as it is shown. */
const shown: Record<string, readonly Part[]> = {};
beforeAll(async () => {
  const printed: Record<string, Record<string, never>> = {};
  for (const [name, args] of Object.entries(WIDE)) printed[name] = JSON.parse((await mtcopy(...args, '--json')).stdout);
  shown.copy = copyParts(repeated<CopyMeasurement>(printed.copy.results, 30), 2 * MiB);
  const moved = repeated<MigrateMeasurement>(printed.migrate.results, 20);
  shown.migrate = migrateParts(moved, '1M of anonymous memory and the page cache of a file');
  shown.pmbench = pmbenchParts(printed.pmbench.results, printed.pmbench.comparison);
  shown.reproduce = reproducedParts(printed.reproduce as unknown as Reproduction);
});

afterEach(() => vi.unstubAllEnvs());

describe.each(WIDTHS)('a terminal of %i columns', (columns) => {
  it.each(['copy', 'migrate', 'pmbench', 'reproduce'])('is wide enough for %s', (name) => {
    const text = textOf(shown[name], columns);
    expect(longest(text)).toBeLessThanOrEqual(columns);
    // As much of it is used as there is to show.
    expect(longest(text)).toBeGreaterThan(Math.min(columns, 100) * 0.7);
  });

  it('is wide enough for sysfs', async () => {
    const { stdout } = await mtcopyIn({ columns }, 'sysfs');
    expect(longest(stdout)).toBeLessThanOrEqual(columns);
    if (columns === 200) expect(longest(stdout)).toBeGreaterThan(100);
  });

  it('is wide enough for the help of each command', async () => {
    for (const name of [...Object.keys(WIDE), 'sysfs']) {
      const { stdout } = await mtcopyIn({ columns }, name, '--help');
      const [options] = stdout.split('\nExamples:');
      if (columns >= 60) expect(longest(options)).toBeLessThanOrEqual(columns);
    }
  });
});

describe('columns', () => {
  let narrow: string;
  beforeAll(async () => {
    narrow = (await mtcopyIn({ columns: 50 }, 'sysfs')).stdout;
  });

  it('are 100 where there is no terminal, and what COLUMNS says anywhere', async () => {
    const { stdout } = await mtcopyIn({}, 'sysfs');
    expect(longest(stdout)).toBeGreaterThan(90);
    expect(longest(stdout)).toBeLessThanOrEqual(100);
    vi.stubEnv('COLUMNS', '50');
    expect((await mtcopyIn({}, 'sysfs')).stdout).toBe(narrow);
    expect((await mtcopyIn({ columns: 200 }, 'sysfs')).stdout).toBe(narrow);
    vi.stubEnv('COLUMNS', 'many');
    expect((await mtcopyIn({}, 'sysfs')).stdout).toBe(stdout);
  });
});
