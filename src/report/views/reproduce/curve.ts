import type { Mover, PublishedRatio, ThroughputRow } from 'mtcopy/experiments';
import type { Series } from '../../model/chart.js';
import { estimatePoint, point } from '../charts.js';

const COLOURS: Readonly<Partial<Record<Mover['way'], number>>> = {
  mtcopy: 0,
  'mtcopy-defaults': 2,
  dcbm: 1,
  'dcbm-pre-copy': 3,
  tuned: 4,
};
/** Of a way that isn't known. */
const GREY = 6;

/** What a caption says of such curves. */
export const BESIDE = 'Solid: measured here, with intervals of 95 %. Dashed: published, against its own baseline.';

/** A way's speed against the baseline, and below it what was published of the same, if anything was. */
export function besidePublished(
  way: Mover['way'],
  name: string,
  here: readonly (ThroughputRow | undefined)[],
  published: readonly (PublishedRatio | undefined)[],
): Series[] {
  const colour = Object.hasOwn(COLOURS, way) ? COLOURS[way] : undefined;
  const points = here.map((row) => row && estimatePoint(row.againstBaseline));
  const there = published.map((one) => point(one?.ratio));
  return [
    { name, colour: colour ?? GREY, points },
    ...(there.some((one) => one)
      ? [{ name: `${name}, published`, colour: colour ?? GREY, points: there, isPublished: true }]
      : []),
  ];
}
