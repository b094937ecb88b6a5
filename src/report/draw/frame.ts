import type { ValueAxis } from '../model/chart.js';
import { tickText } from '../model/figures.js';
import { format } from './echarts.js';
import { AXIS, FONT_STACK, GRID, INK, MUTED } from './palette.js';

/** Every chart is so wide, in the units of its view box: on a telephone its text is four fifths of that size. */
export const WIDTH = 440;
const FONT_SIZE = 13;
/** By how much a font may be wider than the one that ECharts measures by, for it can't know which one there will be. */
const WIDER = 1.2;

export const TEXT = { fontFamily: FONT_STACK, fontSize: FONT_SIZE, color: INK.light };
export const LABEL = { ...TEXT, color: MUTED.light };

/** As the widest of the usual fonts has it. */
export function textWidth(text: string): number {
  return measuredWidth(text) * WIDER;
}

function measuredWidth(text: string): number {
  return format.getTextRect(text, `${FONT_SIZE}px ${FONT_STACK}`).width;
}

/** A text in lines that are no wider than that, unless a word is: it breaks at blanks. */
export function brokenText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

const LEGEND = { line: 21, icon: 18, iconGap: 5, gap: 22 } as const;

/** A legend above the drawing, in lines that have room in any font, and its height. */
export function legendOf(names: readonly string[]) {
  if (names.length < 2) return { option: [], height: 0 };
  const option = legendLines(names).map((data, i) => ({
    left: 0,
    top: 2 + i * LEGEND.line,
    padding: 0,
    borderColor: GRID.light,
    itemGap: LEGEND.gap,
    itemWidth: LEGEND.icon,
    itemHeight: 10,
    textStyle: TEXT,
    selectedMode: false,
    data,
  }));
  return { option, height: option.length * LEGEND.line + 8 };
}

function legendLines(names: readonly string[]): string[][] {
  const lines: string[][] = [];
  let at = WIDTH;
  for (const name of names) {
    const width = LEGEND.icon + LEGEND.iconGap + textWidth(name);
    if (at + width > WIDTH) {
      lines.push([]);
      at = 0;
    }
    lines[lines.length - 1].push(name);
    at += width + LEGEND.gap;
  }
  return lines;
}

/** Values from the least to the most, those of ranges too. */
export function extentOf(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/** Parts that a scale from 0 is cut into. */
const TICKS = 4;

/** An axis of figures. */
export function valueAxis({ name, isLog, end, border }: ValueAxis, values: readonly number[]) {
  const common = {
    name,
    nameTextStyle: { ...LABEL },
    axisLabel: { ...LABEL, hideOverlap: true, formatter: tickText },
    splitLine: { lineStyle: { color: GRID.light } },
    axisLine: { show: false },
    axisTick: { show: false },
  };
  if (!isLog)
    return {
      ...common,
      type: 'value' as const,
      min: 0,
      ...(end !== undefined && { max: end, interval: end / TICKS }),
      splitNumber: TICKS,
    };
  const known = (border === undefined ? values : [...values, border]).filter((value) => value > 0);
  const [least, most] = extentOf(known.length === 0 ? [1] : known);
  const logBase = most / least > 256 || most >= 1000 ? 10 : 2;
  const power = (value: number, round: (value: number) => number) =>
    logBase ** round(Math.log(value) / Math.log(logBase));
  const min = power(least, Math.floor);
  return { ...common, type: 'log' as const, logBase, min, max: Math.max(power(most, Math.ceil), min * logBase) };
}

/** An axis of names. */
export function categoryAxis(name: string, labels: readonly string[]) {
  return {
    type: 'category' as const,
    name,
    data: [...labels],
    nameTextStyle: { ...LABEL },
    axisLabel: { ...LABEL, color: INK.light },
    axisLine: { lineStyle: { color: AXIS.light } },
    axisTick: { show: false },
  };
}

/** A line at the border between two answers: a series of its own, behind those that have marks. */
export function borderLine(border: number | undefined, axis: 'xAxis' | 'yAxis') {
  if (border === undefined) return [];
  return [
    {
      type: 'line',
      data: [],
      silent: true,
      color: AXIS.light,
      markLine: {
        silent: true,
        symbol: 'none',
        label: { show: false },
        lineStyle: { color: AXIS.light, type: 'solid', width: 1 },
        data: [{ [axis]: border }],
      },
    },
  ];
}
