import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Chart, reportOf, sectionsOf, tableOf } from 'mtcopy/report';
import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser, startBrowser } from '../support/browser.js';
import { FIXTURE_FILES, named, printed } from '../support/results.js';

const path = findBrowser();

if (path === undefined) {
  it('SKIPPED: what needs a browser, for there is none', ({ skip }) => {
    skip('no chromium, chromium-browser or google-chrome in PATH');
  });
}

describe.skipIf(path === undefined)('a report of every command, in Chromium', () => {
  const results = FIXTURE_FILES.map((file) => named(basename(file)));
  const charts = sectionsOf(results).flatMap((section) => section.charts);
  const folder = mkdtempSync(join(tmpdir(), 'mtcopy-report-'));
  const url = pathToFileURL(join(folder, 'report.html')).href;
  /** What went wrong, and what was asked for. */
  const said: string[] = [];
  const requests: string[] = [];
  const refused: string[] = [];
  let started: { browser: Browser; close(): Promise<void> };
  let page: Page;

  beforeAll(async () => {
    writeFileSync(join(folder, 'report.html'), reportOf(results));
    started = await startBrowser(path as string);
    page = await started.browser.newPage();
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => requests.push(request.url()));
    page.on('requestfailed', (request) => refused.push(request.url()));
    await page.setViewport({ width: 1180, height: 900 });
    await page.goto(url);
  });
  afterAll(async () => {
    await started.close();
    rmSync(folder, { recursive: true });
  });

  it('opens without an error on the console, and asks no network for anything', () => {
    expect(said).toEqual([]);
    expect(requests).toEqual([url]);
  });

  it('could not reach a network if it tried', async () => {
    const tried = await page.evaluate(async () => {
      const image = new Image();
      const failed = new Promise((resolve) => {
        image.onerror = () => resolve('refused');
        image.onload = () => resolve('loaded');
      });
      image.src = 'http://127.0.0.1:9/image.png';
      return [await failed, await fetch('http://127.0.0.1:9/').catch(() => 'refused')];
    });
    expect(tried).toEqual(['refused', 'refused']);
    const blocked = said.splice(0).filter((text) => text.includes('Content Security Policy'));
    expect(blocked.length).toBeGreaterThan(1);
    // What the browser calls a request was refused by the page's own policy, before it left.
    expect(refused).toEqual(requests.splice(1));
  });

  /** Marks of each chart in the document, by its title. */
  const marks = () =>
    page.$$eval('figure', (figures) =>
      figures.map((figure) => ({
        title: figure.querySelector('h4')?.textContent ?? '',
        marks: figure.querySelectorAll('svg .mark').length,
        // A mark of no size would be there, and not be seen.
        seen: [...figure.querySelectorAll('svg .mark')].filter((mark) => {
          const { width, height } = mark.getBoundingClientRect();
          return width > 0 || height > 0;
        }).length,
      })),
    );

  it('has in each chart a mark for each of its figures', async () => {
    const drawn = await marks();
    expect(drawn.map(({ title, marks }) => ({ title, marks }))).toEqual(
      charts.map((chart) => ({ title: chart.title, marks: countFigures(chart) })),
    );
  });

  it('has as many marks as the files have figures', async () => {
    const drawn = new Map((await marks()).map(({ title, seen }) => [title, seen]));
    const copies = printed('copy.json').results;
    expect(drawn.get('Copy throughput by worker threads')).toBe(copies.length);
    expect(drawn.get('Copy throughput by folio size and worker threads')).toBe(copies.length);
    const migrations = printed('migrate.json').results;
    const bySize = (bytes: number) =>
      migrations.filter(({ folioBytes }: { folioBytes: number }) => folioBytes === bytes).length;
    expect(drawn.get('Migration throughput, folios of 4K')).toBe(bySize(4096));
    expect(drawn.get('Phases of a migration, folios of 2M')).toBe(bySize(2 ** 21) * 6);
    const buckets = printed('pmbench.json').results.flatMap(
      ({ migrationWaits }: { migrationWaits: { buckets: object[] } }) => migrationWaits.buckets,
    );
    expect(drawn.get('Waits of CPUs at migration entries')).toBe(buckets.length);
    const [cycles] = printed('reproduce-cycles-per-page.json').tables;
    const shares = cycles.findings.filter(({ kind }: { kind: string }) => kind === 'share');
    expect(drawn.get('Published and measured shares: cycles-per-page')).toBe(2 * shares.length);
    const { rows } = printed('reproduce-overheads.json').tables[0].measured;
    expect(drawn.get('Predicted and measured speed-up of move_pages()')).toBe(3 * rows.length);
  });

  it('tells each chart to those who cannot see it', async () => {
    const told = await page.$$eval('figure svg', (svgs) =>
      svgs.map((svg) => ({
        role: svg.getAttribute('role'),
        title: svg.ownerDocument.getElementById(svg.getAttribute('aria-labelledby') ?? '')?.textContent,
        says: svg.ownerDocument.getElementById(svg.getAttribute('aria-describedby') ?? '')?.textContent ?? '',
      })),
    );
    expect(told.map(({ title }) => title)).toEqual(charts.map(({ title }) => title));
    for (const { role, says } of told) {
      expect(role).toBe('img');
      expect(says).toMatch(/^(Line chart|Bar chart|Dot chart|Stacked bars|Heat map): .* by .*\. /);
    }
  });

  it('has under each chart a table that is readable without it', async () => {
    await page.$$eval('figure details', (all) => {
      for (const details of all) details.open = true;
    });
    const tables = await page.$$eval('figure', (figures) =>
      figures.map((figure) => {
        const table = figure.querySelector('table');
        const cells = (row: Element) => [...row.children].map((cell) => (cell as HTMLElement).innerText.trim());
        return [...(table?.querySelectorAll('tr') ?? [])].map(cells);
      }),
    );
    expect(tables).toEqual(
      charts.map((chart) => {
        const { heads, rows } = tableOf(chart);
        return [heads, ...rows].map((row) => row.map((text) => text.replaceAll(/\s+/g, ' ').trim()));
      }),
    );
    for (const table of tables) expect(table[0].slice(1).every((head: string) => head !== '')).toBe(true);
  });

  it('has tables that name their columns and rows, outside of charts too', async () => {
    const tables = await page.$$eval('section > .scroll table', (all) =>
      all.map((table) => ({
        heads: table.querySelectorAll('thead th[scope=col]').length,
        rows: [...table.querySelectorAll('tbody tr')].map((row) => [
          row.children.length,
          row.querySelectorAll('th[scope=row]').length,
        ]),
      })),
    );
    expect(tables.length).toBeGreaterThan(20);
    for (const { heads, rows } of tables) {
      expect(rows.length).toBeGreaterThan(0);
      for (const row of rows) expect(row).toEqual([heads, 1]);
    }
  });

  it('saves each chart as a file of SVG that stands alone', async () => {
    const saved = await page.$$eval('a[download]', (links) =>
      links.map((link) => {
        const [head, data] = (link as HTMLAnchorElement).href.split(',');
        const text = new TextDecoder().decode(Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)));
        const root = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
        return {
          head,
          file: (link as HTMLAnchorElement).download,
          root: root.localName,
          errors: root.querySelectorAll('parsererror').length,
          title: root.querySelector('title')?.textContent,
          marks: root.querySelectorAll('.mark').length,
        };
      }),
    );
    expect(saved.map(({ title, marks }) => ({ title, marks }))).toEqual(
      charts.map((chart) => ({ title: chart.title, marks: countFigures(chart) })),
    );
    for (const { head, root, errors, file } of saved) {
      expect({ head, root, errors }).toEqual({ head: 'data:image/svg+xml;base64', root: 'svg', errors: 0 });
      expect(file).toMatch(/^mtcopy-c\d+-[a-z0-9-]+\.svg$/);
    }
    expect(new Set(saved.map(({ file }) => file)).size).toBe(saved.length);
  });

  it.each(['light', 'dark'])('is readable in %s: texts stand out from what is behind them', async (scheme) => {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    const contrasts = await page.evaluate(() => {
      const channel = (value: number) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
      const luminance = (colour: string) => {
        const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).map((part) => channel(Number(part) / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (one: string, other: string) => {
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
      };
      const colourOf = (element: Element | null, property: string) =>
        getComputedStyle(element ?? document.body).getPropertyValue(property);
      const surface = colourOf(document.querySelector('figure'), 'background-color');
      const page = colourOf(document.body, 'background-color');
      const texts = [...document.querySelectorAll('figure svg text')]
        // Of heat maps figures stand on cells, which are tested for themselves.
        .filter((text) => !text.closest('svg')?.querySelector('rect.mark, path.mark + text'))
        .map((text) => contrast(colourOf(text, 'fill'), surface));
      return {
        page: contrast(colourOf(document.body, 'color'), page),
        caption: contrast(colourOf(document.querySelector('figcaption'), 'color'), surface),
        link: contrast(colourOf(document.querySelector('.tools a'), 'color'), surface),
        least: Math.min(...texts),
        isDark: luminance(page) < 0.1,
      };
    });
    expect(contrasts.isDark).toBe(scheme === 'dark');
    for (const part of ['page', 'caption', 'link', 'least'] as const) expect(contrasts[part]).toBeGreaterThan(4.5);
  });

  it.each([390, 320])('fits a page of %d pixels: what is wider scrolls in a box of its own', async (width) => {
    await page.setViewport({ width, height: 800 });
    const seen = await page.evaluate(() => ({
      page: document.documentElement.scrollWidth,
      // With its figures open, as above.
      charts: [...document.querySelectorAll('figure svg')].map((svg) => svg.getBoundingClientRect().width),
      boxes: [...document.querySelectorAll('.scroll')].map((box) => box.getBoundingClientRect().right),
      scrolling: [...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length,
    }));
    expect(seen.page).toBe(width);
    for (const chart of seen.charts) {
      expect(chart).toBeGreaterThan(width * 0.8);
      expect(chart).toBeLessThan(width);
    }
    for (const right of seen.boxes) expect(right).toBeLessThanOrEqual(width);
    expect(seen.scrolling).toBeGreaterThan(0);
  });

  it.each([1180, 390])(
    'leaves no hole between charts, and breaks no option of a command, at %d pixels',
    async (width) => {
      await page.setViewport({ width, height: 900 });
      const seen = await page.evaluate(() => ({
        // Of each row of charts where it ends, and of each chart of it.
        charts: [...document.querySelectorAll('.charts')].map((grid) => ({
          right: grid.getBoundingClientRect().right,
          boxes: [...grid.children].map((figure) => {
            const { top, bottom, right } = figure.getBoundingClientRect();
            return { top: Math.round(top), bottom: Math.round(bottom), right };
          }),
        })),
        options: [...document.querySelectorAll('td.w .o')].map((option) => ({
          text: option.textContent ?? '',
          lines: option.getClientRects().length,
        })),
      }));
      for (const { right, boxes } of seen.charts) {
        for (const top of new Set(boxes.map((box) => box.top))) {
          const row = boxes.filter((box) => box.top === top);
          expect(new Set(row.map(({ bottom }) => bottom)).size).toBe(1);
          expect(Math.abs(Math.max(...row.map((box) => box.right)) - right)).toBeLessThan(1);
        }
      }
      expect(seen.options.map(({ text }) => text)).toContain('--folio-size');
      expect(seen.options.filter(({ lines }) => lines !== 1)).toEqual([]);
    },
  );

  it('has texts in charts that are neither cut nor on top of one another', async () => {
    await page.setViewport({ width: 1180, height: 900 });
    const wrong = await page.$$eval('figure svg', (svgs) =>
      svgs.flatMap((svg) => {
        const frame = svg.getBoundingClientRect();
        const texts = [...svg.querySelectorAll('text')].map((text) => ({
          text: text.textContent ?? '',
          box: text.getBoundingClientRect(),
        }));
        const title = svg.querySelector('title')?.textContent;
        const cut = texts
          .filter(
            ({ box }) =>
              box.left < frame.left - 1 ||
              box.right > frame.right + 1 ||
              box.top < frame.top - 1 ||
              box.bottom > frame.bottom + 1,
          )
          .map(({ text }) => `${title}: ${text} is cut`);
        const over = texts.flatMap((one, i) =>
          texts.slice(i + 1).flatMap((other) => {
            const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
            const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
            return across > 2 && down > 4 ? [`${title}: ${one.text} is on ${other.text}`] : [];
          }),
        );
        return [...cut, ...over];
      }),
    );
    expect(wrong).toEqual([]);
  });
});

function countFigures(chart: Chart): number {
  if (chart.kind === 'heat') return chart.cells.flat().filter((cell) => cell !== undefined).length;
  if (chart.kind === 'stack') return chart.categories.labels.length * chart.parts.length;
  return chart.series.flatMap(({ points }) => points).filter((point) => point).length;
}
