import { escaped } from '../escape.js';
import type { Block, Section } from '../model/section.js';
import type { Source } from '../read/source.js';
import { figureHtml } from './figure.js';
import { sourcesHtml } from './sources.js';
import { STYLE } from './style.js';
import { partHtml } from './table.js';

/** Nothing may be fetched: what the page shows is in it. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The whole document. */
export function pageHtml(sources: readonly Source[], sections: readonly Section[]): string {
  let charts = 0;
  const nextId = () => `c${++charts}`;
  const title = 'mtcopy report';
  const body = sections.map((section, i) => sectionHtml(section, `s${i + 1}`, nextId));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escaped(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="mtcopy">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${title}</h1>
${sourcesHtml(sources)}
${contentsHtml(sections)}</header>
<main>
${body.join('\n')}
</main>
<footer><p>GB/s is 10^9 bytes copied a second; 4K, 2M and 1G are powers of two. Every figure was measured by the runs above; what was published is labelled so and stands beside it as a ratio. Speeds of different machines, or of different times, differ by more than what is compared here: ratios of runs taken in turns compare well.</p></footer>
</body>
</html>
`;
}

function contentsHtml(sections: readonly Section[]): string {
  if (sections.length < 2) return '';
  const links = sections.map(({ title }, i) => `<li><a href="#s${i + 1}">${escaped(title)}</a></li>`);
  return `<nav aria-label="Contents"><ul>${links.join('')}</ul></nav>`;
}

function sectionHtml({ title, intro, charts, blocks }: Section, id: string, nextId: () => string): string {
  const figures = charts.map((chart) => figureHtml(chart, nextId()));
  return `<section id="${id}"><h2>${escaped(title)}</h2>
${intro === undefined ? '' : `<p>${escaped(intro)}</p>`}
${figures.length === 0 ? '' : `<div class="charts">${figures.join('\n')}</div>`}
${blocks.map((block) => blockHtml(block, title)).join('\n')}</section>`;
}

function blockHtml({ heading, parts, verdict }: Block, title: string): string {
  const label = heading === undefined ? title : `${title}, ${heading}`;
  const says = verdict && `<div class="verdict${verdict.holds ? ' holds' : ''}">${partHtml(verdict.says, label)}</div>`;
  return `${heading === undefined ? '' : `<h3>${escaped(heading)}</h3>`}${says ?? ''}
${parts.map((part) => partHtml(part, label)).join('\n')}`;
}
