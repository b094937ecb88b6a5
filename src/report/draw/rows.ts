import type { ValueAxis } from '../model/chart.js';
import { drawSvg } from './echarts.js';
import { brokenText, categoryAxis, LABEL, legendOf, TEXT, textWidth, valueAxis, WIDTH } from './frame.js';
import { INK } from './palette.js';

const LINE = 15;
/** The names of rows have at most so much of the width. */
const MOST = WIDTH * 0.45;
const GAP = 10;

/** Room for the names of rows, in the order in which they are read: from the top. */
export function rowsOf(labels: readonly string[]) {
  const broken = labels.map((label) => brokenText(label, MOST));
  const width = Math.max(...broken.flat().map(textWidth));
  const axis = {
    ...categoryAxis('', labels),
    inverse: true,
    axisLabel: {
      ...TEXT,
      color: INK.light,
      lineHeight: LINE,
      interval: 0,
      formatter: (_: string, i: number) => broken[i].join('\n'),
    },
  };
  return { left: width + GAP, textHeight: Math.max(...broken.map((lines) => lines.length)) * LINE, axis };
}

const BETWEEN_ROWS = 10;
const BELOW = 44;

/** What a chart of rows shows. */
interface Rows {
  /** Of the rows. */
  readonly labels: readonly string[];
  /** Of the series, for the legend. */
  readonly names: readonly string[];
  /** A row is as high as this at least. */
  readonly height: number;
  readonly values: ValueAxis;
  /** All figures. */
  readonly figures: readonly number[];
  /** As ECharts has them. */
  readonly series: readonly object[];
}

/** Rows below each other, over an axis of figures. */
export function drawRows({ labels, names, height, values, figures, series }: Rows): string {
  const legend = legendOf(names);
  const rows = rowsOf(labels);
  const top = legend.height + 6;
  const option = {
    textStyle: TEXT,
    legend: legend.option,
    grid: { left: rows.left, right: 18, top, bottom: BELOW },
    xAxis: { ...valueAxis(values, figures), nameLocation: 'middle', nameGap: 26, nameTextStyle: LABEL },
    yAxis: rows.axis,
    series,
  };
  return drawSvg(option, WIDTH, top + (Math.max(rows.textHeight, height) + BETWEEN_ROWS) * labels.length + BELOW);
}
