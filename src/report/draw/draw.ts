import { escaped, printable } from '../escape.js';
import { alternativeOf } from '../model/alternative.js';
import type { Chart, Series } from '../model/chart.js';
import { marksOf } from '../model/marks.js';
import { drawBars } from './bars.js';
import { drawDots } from './dots.js';
import { drawHeat } from './heat.js';
import { drawLines } from './lines.js';
import { valuesOf } from './ranges.js';
import { drawStack } from './stack.js';

/** ECharts keeps what it knows of a text in an object, by the text: this one would set what all objects inherit. */
const PROTO = '__proto__';
/** With a word joiner in it, which has no width. */
const GUARDED = '__proto\u2060__';

/**
 * A chart as an `svg` element, with its text alternative inside, and with each of its marks saying what it is.
 *
 * @param id of the chart in its document. Default: `chart`
 */
export function drawChart(chart: Chart, id = 'chart'): string {
  const drawable = onItsAxis(chart);
  const marks = marksOf(drawable);
  const drawn = printable(drawKind(guarded(drawable)))
    .replaceAll(GUARDED, PROTO)
    .replaceAll(/<style\b[^>]*>.*?<\/style>/gs, '')
    .replaceAll(/ class="zr[^"]*"/g, '')
    .replaceAll(/\bzr\d+-/g, `${id}-`)
    .replaceAll(/ pointer-events="visible"| ecmeta_silent="true"| xml:space="preserve"/g, '')
    .replaceAll(/ ecmeta_series_index="\d+" ecmeta_data_index="\d+" ecmeta_ssr_type="legend"/g, '')
    .replaceAll(
      / ecmeta_series_index="(\d+)" ecmeta_data_index="(\d+)" ecmeta_ssr_type="chart"([^>]*)>/g,
      (_, s, i, rest) => {
        // Behind the marks of its series ECharts numbers their ranges.
        const says = marks[Number(s)]?.[Number(i)];
        return says === undefined ? `${rest}>` : ` class="mark"${rest}><title>${escaped(says)}</title>`;
      },
    )
    .replaceAll('\n', '');
  return withAlternative(drawn, chart, id);
}

/** The same, with texts that ECharts can be given. */
function guarded<T>(value: T): T {
  if (typeof value === 'string') return value.replaceAll(PROTO, GUARDED) as T;
  if (Array.isArray(value)) return value.map(guarded) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, guarded(one)])) as T;
}

/** Without what a logarithmic axis has no place for, 0 and less: its table has it. */
function onItsAxis(chart: Chart): Chart {
  if (chart.kind === 'heat' || chart.kind === 'stack' || !chart.values.isLog) return chart;
  const least = Math.min(...valuesOf(chart.series).filter((value) => value > 0));
  const points = (series: Series) =>
    series.points.map((point) => {
      if (!point || !(point.value > 0)) return undefined;
      return point.low === undefined ? point : { ...point, low: Math.max(point.low, least) };
    });
  return { ...chart, series: chart.series.map((series) => ({ ...series, points: points(series) })) };
}

function drawKind(chart: Chart): string {
  switch (chart.kind) {
    case 'lines':
      return drawLines(chart);
    case 'bars':
      return drawBars(chart);
    case 'dots':
      return drawDots(chart);
    case 'stack':
      return drawStack(chart);
    case 'heat':
      return drawHeat(chart);
  }
}

function withAlternative(svg: string, chart: Chart, id: string): string {
  const names = `<title id="${id}-title">${escaped(chart.title)}</title><desc id="${id}-desc">${escaped(alternativeOf(chart))}</desc>`;
  return svg.replace(
    /^<svg ([^>]*)>/,
    (_, rest) =>
      `<svg id="${id}" role="img" aria-labelledby="${id}-title" aria-describedby="${id}-desc" ${rest}>${names}`,
  );
}
