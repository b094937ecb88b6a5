import { brokenText, categoryAxis, TEXT, textWidth, WIDTH } from './frame.js';
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
