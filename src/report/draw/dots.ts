import type { SeriesChart } from '../model/chart.js';
import { borderLine } from './frame.js';
import { SURFACE, seriesColour } from './palette.js';
import { rangesAlong, valuesOf } from './ranges.js';
import { drawRows } from './rows.js';

/** Between the dots of one row. */
const STEP = 10;

/** A row for each category, with a dot for each series. */
export function drawDots({ categories, series, values }: SeriesChart): string {
  const below = (i: number) => (i - (series.length - 1) / 2) * STEP;
  return drawRows({
    labels: categories.labels,
    names: series.map(({ name }) => name),
    height: series.length * STEP,
    values,
    figures: valuesOf(series),
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
  });
}
