import { median } from 'simple-statistics';
import sparkly from 'sparkly';
import { bar } from './bar.js';

/** A little picture in a table, which is drawn as wide as there is room. */
export interface Picture {
  /** Characters that it has where there is room. */
  readonly width: number;
  /** As text of `width` characters at most. */
  draw(width: number): string;
}

/** A bar of `value` on a scale from 0 to `full`. */
export function barPicture(value: number, full: number, width: number): Picture {
  return { width, draw: (room) => bar(value, full, room) };
}

/** A line of bars, one for each value, on a scale from 0 to `full`; where there is no room for that, for each few. */
export function sparkPicture(values: readonly number[], full: number): Picture {
  return {
    width: values.length,
    draw: (room) => sparkly(fewer(values, room), { minimum: 0, maximum: full }),
  };
}

/** The medians of `most` runs of neighbours, or all values if they are not more. */
function fewer(values: readonly number[], most: number): number[] {
  if (values.length <= most) return [...values];
  const end = (i: number) => Math.round((i * values.length) / most);
  return Array.from({ length: most }, (_, i) => median(values.slice(end(i), end(i + 1))));
}
