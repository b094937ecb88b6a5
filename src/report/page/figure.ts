import { Buffer } from 'node:buffer';
import { drawChart } from '../draw/draw.js';
import { SURFACE } from '../draw/palette.js';
import { escaped } from '../escape.js';
import type { Chart } from '../model/chart.js';
import { tableOf } from '../model/table.js';
import { tableHtml } from './table.js';

/** A chart with its title, what it shows, its figures as a table, and a link that saves it. */
export function figureHtml(chart: Chart, id: string): string {
  const svg = drawChart(chart, id);
  const { heads, names, rows } = tableOf(chart);
  return `<figure>
<h4>${escaped(chart.title)}</h4>
${svg}
<figcaption>${escaped(chart.caption)}</figcaption>
<div class="tools"><details><summary>Figures</summary>${tableHtml({ heads, names, rows, label: chart.title })}</details>
<a download="${fileName(chart.title, id)}" href="data:image/svg+xml;base64,${Buffer.from(aloneSvg(svg)).toString('base64')}">Save as SVG</a></div>
</figure>`;
}

/** A chart by itself: on white, whatever it is put on. */
function aloneSvg(svg: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg.replace('fill="none"></rect>', `fill="${SURFACE.light}"></rect>`)}\n`;
}

function fileName(title: string, id: string): string {
  const words = title
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return `mtcopy-${id}-${words}.svg`;
}
