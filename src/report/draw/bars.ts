import type { SeriesChart } from '../model/chart.js';
import { figureText } from '../model/figures.js';
import { drawSvg } from './echarts.js';
import { categoryAxis, LABEL, legendOf, TEXT, textWidth, valueAxis, WIDTH } from './frame.js';
import { INK, seriesColour } from './palette.js';
import { valuesOf } from './ranges.js';

const HEIGHT = 230;
/** Bars up to which each has its figure above it. */
const FEW = 8;

/** Bars that stand side by side in each category. */
export function drawBars(chart: SeriesChart): string {
  const { categories, series, values } = chart;
  const legend = legendOf(series.map(({ name }) => name));
  const top = legend.height + 30;
  const isFew = series.length * categories.labels.length <= FEW;
  const option = {
    textStyle: TEXT,
    legend: legend.option,
    grid: { left: 4, right: 14, top, bottom: 26, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: { ...categoryAxis(categories.name, categories.labels), nameLocation: 'middle', nameGap: 30 },
    yAxis: {
      // Room for the figures above the bars.
      ...(isFew && { boundaryGap: [0, '12%'] }),
      ...valueAxis(values, valuesOf(series)),
      nameGap: 16,
      nameTextStyle: { ...LABEL, align: 'left', padding: [0, 0, 0, -textWidth('00')] },
    },
    series: series.map(({ name, points, colour }) => ({
      type: 'bar',
      name,
      data: points.map((point) => point?.value ?? null),
      barMaxWidth: 44,
      barGap: '8%',
      barCategoryGap: isFew ? '40%' : '18%',
      itemStyle: { color: seriesColour(colour) },
      emphasis: { disabled: true },
      label: {
        show: isFew,
        position: 'top',
        ...TEXT,
        color: INK.light,
        formatter: ({ value }: { value: number }) => figureText(value),
      },
    })),
  };
  return drawSvg(option, WIDTH, HEIGHT + top);
}
