import type { Series } from '../model/chart.js';

/** What a custom series of ECharts is drawn with. */
interface Api {
  value(dimension: number): number;
  coord(data: readonly number[]): number[];
}

/** All figures of some series, with the ends of their ranges. */
export function valuesOf(series: readonly Series[]): number[] {
  return series.flatMap(({ points }) =>
    points.flatMap((point) => (point ? [point.value, point.low ?? point.value, point.high ?? point.value] : [])),
  );
}

/** Half the length of the stroke that ends a range. */
const CAP = 3;

/** Categories by their number, with both ends of the range. */
function dataOf({ points }: Series): number[][] {
  return points.flatMap((point, i) =>
    point?.low === undefined || point.high === undefined ? [] : [[i, point.low, point.high]],
  );
}

/** Ranges of a series as lines that stand, on an axis of figures that stands. */
export function rangesAcross(series: Series, stroke: string) {
  return {
    type: 'custom',
    silent: true,
    data: dataOf(series),
    encode: { x: 0, y: [1, 2] },
    renderItem: (_: unknown, api: Api) => {
      const [x, low] = api.coord([api.value(0), api.value(1)]);
      const [, high] = api.coord([api.value(0), api.value(2)]);
      return strokes(
        [
          [x, low, x, high],
          [x - CAP, low, x + CAP, low],
          [x - CAP, high, x + CAP, high],
        ],
        stroke,
      );
    },
  };
}

/** Ranges of a series as lines that lie, so far below the middle of their category. */
export function rangesAlong(series: Series, stroke: string, below: number) {
  return {
    type: 'custom',
    silent: true,
    data: dataOf(series).map(([i, low, high]) => [low, high, i]),
    encode: { x: [0, 1], y: 2 },
    renderItem: (_: unknown, api: Api) => {
      const [low, middle] = api.coord([api.value(0), api.value(2)]);
      const [high] = api.coord([api.value(1), api.value(2)]);
      const y = middle + below;
      return strokes(
        [
          [low, y, high, y],
          [low, y - CAP, low, y + CAP],
          [high, y - CAP, high, y + CAP],
        ],
        stroke,
      );
    },
  };
}

function strokes(lines: readonly (readonly number[])[], stroke: string) {
  return {
    type: 'group',
    children: lines.map(([x1, y1, x2, y2]) => ({
      type: 'line',
      shape: { x1, y1, x2, y2 },
      style: { stroke, lineWidth: 1.25, strokeOpacity: 0.7, fill: 'none' },
    })),
  };
}
