import type { HeatChart } from '../model/chart.js';
import { figureText } from '../model/figures.js';
import { drawSvg } from './echarts.js';
import { brokenText, categoryAxis, extentOf, LABEL, TEXT, WIDTH } from './frame.js';
import { HEAT } from './palette.js';
import { rowsOf } from './rows.js';

const ROW = 34;
const TOP = 8;
const RIGHT = 10;
/** Of a line of the names below. */
const LINE = 15;
const BELOW = 34;
const GAP = 1.5;

interface Api {
  value(dimension: number): number;
  coord(data: readonly number[]): number[];
  size(data: readonly number[]): number[];
}

/** A cell for each pair, darker for more, with its figure. */
export function drawHeat({ columns, rows, cells, colours }: HeatChart): string {
  const [least, most] = colours ?? extentOf(cells.flat().filter((value) => value !== undefined));
  const step = (value: number) => {
    const share = most === least ? 0 : (value - least) / (most - least);
    return Math.max(0, Math.min(HEAT.length - 1, Math.floor(share * HEAT.length)));
  };
  const left = rowsOf(rows.labels);
  const width = (WIDTH - left.left - RIGHT) / columns.labels.length;
  const names = columns.labels.map((label) => brokenText(label, width));
  const lines = Math.max(...names.map((broken) => broken.length)) * LINE;
  const across = categoryAxis(columns.name, columns.labels);
  const formatter = (_: string, i: number) => names[i].join('\n');
  const data = cells.flatMap((row, y) => row.flatMap((value, x) => (value === undefined ? [] : [[x, y, value]])));
  const option = {
    textStyle: TEXT,
    grid: { left: left.left, right: RIGHT, top: TOP, bottom: BELOW + lines },
    xAxis: {
      ...across,
      axisLabel: { ...across.axisLabel, interval: 0, lineHeight: LINE, formatter },
      nameLocation: 'middle',
      nameGap: lines + 14,
      nameTextStyle: LABEL,
    },
    yAxis: left.axis,
    series: [
      {
        type: 'custom',
        data,
        renderItem: (_: unknown, api: Api) => {
          const value = api.value(2);
          const [x, y] = api.coord([api.value(0), api.value(1)]);
          const [width, height] = api.size([1, 1]);
          const { cell, text } = HEAT[step(value)];
          return {
            type: 'rect',
            shape: {
              x: x - width / 2 + GAP,
              y: y - height / 2 + GAP,
              width: width - 2 * GAP,
              height: height - 2 * GAP,
            },
            style: { fill: cell.light },
            textContent: { style: { ...TEXT, text: figureText(value), fill: text.light } },
            textConfig: { position: 'inside' },
          };
        },
      },
    ],
  };
  return drawSvg(option, WIDTH, TOP + ROW * rows.labels.length + BELOW + lines);
}
