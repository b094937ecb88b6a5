import type { StackChart } from '../model/chart.js';
import { SURFACE, seriesColour } from './palette.js';
import { drawRows } from './rows.js';

const BAR = 18;

/** A bar for each category, of parts that add up. */
export function drawStack({ categories, parts, values }: StackChart): string {
  return drawRows({
    labels: categories.labels,
    names: parts.map(({ name }) => name),
    height: BAR,
    values,
    figures: [],
    series: parts.map((part) => ({
      type: 'bar',
      stack: 'all',
      name: part.name,
      data: [...part.values],
      barWidth: BAR,
      itemStyle: { color: seriesColour(part.colour), borderColor: SURFACE.light, borderWidth: 0.5 },
      emphasis: { disabled: true },
    })),
  });
}
