import { reproducedRows } from 'mtcopy/experiments';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Ended, mtcopy } from '../support/command.js';

const SMALL: Record<string, string[]> = {
  copy: ['copy', '--total', '2M', '--runs', '2', '--threads', '1,2'],
  migrate: [
    ...['migrate', '--total', '2M', '--runs', '2', '--warmup', '0', '--folio-size', '64K', '--flow', 'pre-copy'],
    ...['--migrator', 'kernel,dcbm'],
  ],
  pmbench: ['pmbench', '--pages', '512', '--cpus', '1', '--seconds', '0.04'],
  reproduce: ['reproduce', 'dma-setup', '--quick', '--seconds', '0.01', '--warmup', '0'],
  sysfs: ['sysfs'],
};

/** Lines of comma-separated values, as RFC 4180 has them. */
function readCsv(text: string): string[][] {
  const cell = /(?:"((?:[^"]|"")*)"|([^,"\n]*))(,|\n)/y;
  const lines: string[][] = [[]];
  while (cell.lastIndex < text.length) {
    const match = cell.exec(text);
    if (!match) throw new Error(`no CSV at ${cell.lastIndex}`);
    lines[lines.length - 1].push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === '\n') lines.push([]);
  }
  return lines.slice(0, -1);
}

/** Tables of Markdown: each a list of lines, of cells. */
function readTables(text: string): string[][][] {
  return Array.from(text.matchAll(/(?:^\|.*\|\n)+/gm), ([table]) =>
    table
      .trim()
      .split('\n')
      .map((line) => line.slice(2, -2).split(' | ')),
  );
}

describe.each(Object.keys(SMALL))('mtcopy %s', (name) => {
  let [json, csv, markdown]: Ended[] = [];
  beforeAll(async () => {
    json = await mtcopy(...SMALL[name], '--json');
    csv = await mtcopy(...SMALL[name], '--csv');
    markdown = await mtcopy(...SMALL[name], '--markdown');
  });

  it('--json says which command line of which version, when and where', () => {
    expect(json).toMatchObject({ status: 0, stderr: '' });
    const { command, version, date, arguments: args, host } = JSON.parse(json.stdout);
    expect({ command, args }).toEqual({ command: name, args: [...SMALL[name], '--json'] });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    expect(new Date(date).toISOString()).toBe(date);
    expect(host.node).toBe(process.version);
  });

  it('--csv has a line for each row, with the same members under the same names', () => {
    expect(csv).toMatchObject({ status: 0, stderr: '' });
    const [heads, ...lines] = readCsv(csv.stdout);
    for (const line of lines) expect(line).toHaveLength(heads.length);
    const printed = JSON.parse(json.stdout);
    const rows = printed.results ?? printed.files ?? reproducedRows(printed);
    expect(lines).toHaveLength(rows.length);
    expect(new Set(heads).size).toBe(heads.length);
    for (const [i, row] of rows.entries()) {
      // A verdict has figures in it.
      for (const head of heads.filter((name) => name !== 'says')) {
        const at = heads.indexOf(head);
        const value = head.split('.').reduce((from, name) => from?.[name], row);
        // What was measured differs from run to run: what was asked for doesn't.
        if (typeof value === 'string') expect(lines[i][at]).toBe(value);
        else if (Array.isArray(value)) expect(lines[i][at].split(' ').length).toBeGreaterThan(0);
        else if (typeof value === 'number') expect(Number(lines[i][at])).not.toBeNaN();
      }
    }
  });

  it('--markdown has tables whose lines all have as many cells', () => {
    expect(markdown).toMatchObject({ status: 0, stderr: '' });
    const tables = readTables(markdown.stdout);
    expect(tables.length).toBeGreaterThan(0);
    for (const [heads, rules, ...rows] of tables) {
      expect(rules.every((rule) => /^(---|--:)$/.test(rule))).toBe(true);
      expect(rows.length).toBeGreaterThan(0);
      for (const row of [rules, ...rows]) expect(row).toHaveLength(heads.length);
    }
    expect(markdown.stdout).not.toMatch(/[│█▁]/);
  });
});

describe('mtcopy reproduce --csv', () => {
  const interval = ['low', 'high', 'confidence'];
  const heads = ['table', 'kind', 'row', 'variant', 'measure', 'unit', 'value', ...interval, 'deviation', 'published'];

  it('has a line a figure, from which the rows of every table are read back', async () => {
    const tables = ['folio-count', 'dma-setup'];
    const quickly = ['--quick', '--seconds', '0.01', '--warmup', '0'];
    const { status, stdout } = await mtcopy('reproduce', ...tables, ...quickly, '--csv');
    expect(status).toBe(0);
    const [names, ...lines] = readCsv(stdout);
    expect(names).toEqual(expect.arrayContaining([...heads, 'claimed', 'holds', 'isOpen', 'says']));
    const rows = lines.map((line) => Object.fromEntries(line.map((cell, i) => [names[i], cell])));
    const figures = rows.filter(({ kind }) => kind === 'figure');
    expect(new Set(figures.map(({ table }) => table))).toEqual(new Set(tables));
    const keys = figures.map(({ table, row, variant, measure }) => JSON.stringify([table, row, variant, measure]));
    expect(new Set(keys).size).toBe(figures.length);
    for (const { table, measure, unit, value, low, high } of figures) {
      expect([measure, unit, value].includes(''), `${table} ${measure}`).toBe(false);
      expect(Number(value), `${table} ${measure}`).not.toBeNaN();
      if (low !== '') expect(Number(low)).toBeLessThanOrEqual(Number(value));
      if (high !== '') expect(Number(high)).toBeGreaterThanOrEqual(Number(value));
      if (unit === 'ratio' && measure.includes('against')) expect(Number(value)).toBeGreaterThan(0);
    }
    const published = figures.filter((row) => row.table === 'folio-count' && row.published !== '');
    // With 1, 8, 16 and 32 folios, of one thread and of one channel.
    expect(published).toHaveLength(2 * 4);
    expect(rows.filter(({ kind }) => kind === 'verdict').map(({ table }) => table)).toEqual(tables);
    expect(rows.some(({ kind, holds }) => kind === 'finding' && !['true', 'false'].includes(holds))).toBe(false);
  });
});

describe('a way to print', () => {
  it.each([
    ['--json', '--csv'],
    ['--csv', '--markdown'],
    ['--markdown', '--json'],
  ])('is one: %s and %s exclude each other', async (one, other) => {
    for (const name of Object.keys(SMALL)) {
      const { status, stdout, stderr } = await mtcopy(...SMALL[name], one, other);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toMatch(/option '--\w+' cannot be used with option '--\w+'/);
    }
  });

  it('quotes what has commas, quotes and line ends', async () => {
    const { stdout } = await mtcopy('sysfs', '--csv');
    const [heads, ...lines] = readCsv(stdout);
    expect(heads).toEqual(['path', 'value', 'writable', 'doc']);
    const mask = lines.find(([path]) => path === '/sys/kernel/cpu_mt/reason_mask');
    expect(stdout).toContain(`"${mask?.[1]}"`);
    expect(mask?.[1]).toContain(',demotion');
  });
});
