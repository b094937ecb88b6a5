import type { SeriesChart } from '../model/chart.js';
import { drawSvg } from './echarts.js';
import { borderLine, categoryAxis, LABEL, legendOf, TEXT, textWidth, valueAxis, WIDTH } from './frame.js';
import { SURFACE, seriesColour } from './palette.js';
import { rangesAcross, valuesOf } from './ranges.js';

const HEIGHT = 240;

/** A line for each series, over categories that have an order. */
export function drawLines(chart: SeriesChart): string {
  const { categories, series, values } = chart;
  const legend = legendOf(series.map(({ name }) => name));
  const top = legend.height + 30;
  const option = {
    textStyle: TEXT,
    legend: legend.option,
    grid: { left: 4, right: 14, top, bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      ...categoryAxis(categories.name, categories.labels),
      nameLocation: 'middle',
      nameGap: 30,
      boundaryGap: true,
    },
    yAxis: {
      ...valueAxis(values, valuesOf(series)),
      nameGap: 16,
      nameTextStyle: { ...LABEL, align: 'left', padding: [0, 0, 0, -textWidth('00')] },
    },
    series: [
      ...series.map((one) => {
        const color = seriesColour(one.colour);
        const look = one.isPublished ? { type: [5, 4], width: 1.5 } : { type: 'solid', width: 2 };
        return {
          type: 'line',
          name: one.name,
          data: one.points.map((point) => point?.value ?? null),
          connectNulls: true,
          symbol: one.isPublished ? 'diamond' : 'circle',
          symbolSize: one.isPublished ? 8 : 7,
          lineStyle: { color, ...look },
          itemStyle: { color: one.isPublished ? SURFACE.light : color, borderColor: color, borderWidth: 1.5 },
          emphasis: { disabled: true },
        };
      }),
      ...borderLine(values.border, 'yAxis'),
      ...series.map((one) => rangesAcross(one, seriesColour(one.colour))),
    ],
  };
  return drawSvg(option, WIDTH, HEIGHT + top);
}
