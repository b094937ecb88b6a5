import type { StackChart } from '../model/chart.js';
import { drawSvg } from './echarts.js';
import { LABEL, legendOf, TEXT, valueAxis, WIDTH } from './frame.js';
import { SURFACE, seriesColour } from './palette.js';
import { rowsOf } from './rows.js';

const BAR = 18;
const BETWEEN_ROWS = 10;
const BELOW = 44;

/** A bar for each category, of parts that add up. */
export function drawStack({ categories, parts, values }: StackChart): string {
  const legend = legendOf(parts.map(({ name }) => name));
  const rows = rowsOf(categories.labels);
  const height = Math.max(rows.textHeight, BAR) + BETWEEN_ROWS;
  const top = legend.height + 6;
  const option = {
    textStyle: TEXT,
    legend: legend.option,
    grid: { left: rows.left, right: 18, top, bottom: BELOW },
    xAxis: { ...valueAxis(values, []), nameLocation: 'middle', nameGap: 26, nameTextStyle: LABEL },
    yAxis: rows.axis,
    series: parts.map((part) => ({
      type: 'bar',
      stack: 'all',
      name: part.name,
      data: [...part.values],
      barWidth: BAR,
      itemStyle: { color: seriesColour(part.colour), borderColor: SURFACE.light, borderWidth: 0.5 },
      emphasis: { disabled: true },
    })),
  };
  return drawSvg(option, WIDTH, top + height * categories.labels.length + BELOW);
}
