import type { SeriesChart } from '../model/chart.js';
import { drawSvg } from './echarts.js';
import { borderLine, LABEL, legendOf, TEXT, valueAxis, WIDTH } from './frame.js';
import { SURFACE, seriesColour } from './palette.js';
import { rangesAlong, valuesOf } from './ranges.js';
import { rowsOf } from './rows.js';

/** Between the dots of one row. */
const STEP = 10;
const BETWEEN_ROWS = 10;
const BELOW = 44;

/** A row for each category, with a dot for each series. */
export function drawDots({ categories, series, values }: SeriesChart): string {
  const legend = legendOf(series.map(({ name }) => name));
  const rows = rowsOf(categories.labels);
  const height = Math.max(rows.textHeight, series.length * STEP) + BETWEEN_ROWS;
  const top = legend.height + 6;
  const below = (i: number) => (i - (series.length - 1) / 2) * STEP;
  const option = {
    textStyle: TEXT,
    legend: legend.option,
    grid: { left: rows.left, right: 18, top, bottom: BELOW },
    xAxis: { ...valueAxis(values, valuesOf(series)), nameLocation: 'middle', nameGap: 26, nameTextStyle: LABEL },
    yAxis: rows.axis,
    series: [
      ...series.map((one, i) => {
        const color = seriesColour(one.colour);
        return {
          type: 'scatter',
          name: one.name,
          data: one.points.flatMap((point, row) => (point ? [[point.value, row]] : [])),
          symbol: one.isPublished ? 'diamond' : 'circle',
          symbolSize: one.isPublished ? 10 : 8,
          symbolOffset: [0, below(i)],
          itemStyle: {
            color: one.isPublished ? SURFACE.light : color,
            borderColor: color,
            borderWidth: 1.5,
            opacity: 1,
          },
          emphasis: { disabled: true },
          clip: false,
        };
      }),
      ...borderLine(values.border, 'xAxis'),
      ...series.map((one, i) => rangesAlong(one, seriesColour(one.colour), below(i))),
    ],
  };
  return drawSvg(option, WIDTH, top + height * categories.labels.length + BELOW);
}
