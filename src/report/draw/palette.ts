/** A colour on white, and the one that takes its place on a dark page. */
interface Colour {
  readonly light: string;
  readonly dark: string;
}

const of = (light: string, dark: string): Colour => ({ light, dark });

/** Fonts that are there: none is fetched. */
export const FONT_STACK = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/** What a chart has besides its data. */
export const INK = of('#1b2330', '#e4e8ee');
export const MUTED = of('#5b6675', '#a3adba');
export const GRID = of('#e3e7ec', '#2b323c');
export const AXIS = of('#8a94a3', '#6b7684');
export const SURFACE = of('#ffffff', '#14181e');

/** Of series: told apart by those who don't see red or green too, on both pages. */
export const SERIES: readonly Colour[] = [
  of('#1f6fb2', '#6db1ec'),
  of('#c8620a', '#f0a04b'),
  of('#0f8a72', '#4fc9ac'),
  of('#a83c86', '#e283c4'),
  of('#857500', '#d6c64a'),
  of('#c0343c', '#f1777c'),
  of('#55617a', '#a9b4c8'),
  of('#7a4f2b', '#c99b70'),
];

/** Of heat maps, from the least to the most, each with the colour of the figures on it. */
export const HEAT: readonly { readonly cell: Colour; readonly text: Colour }[] = [
  { cell: of('#e8f1fa', '#16273a'), text: of('#10253b', '#dbe7f4') },
  { cell: of('#c3dcf2', '#1d3f5f'), text: of('#10253b', '#dbe7f4') },
  { cell: of('#93bfe6', '#275a86'), text: of('#10253b', '#dbe7f4') },
  { cell: of('#4a8ac6', '#4488bd'), text: of('#fffffe', '#06121f') },
  { cell: of('#2b6ca9', '#6aa9dd'), text: of('#fffffe', '#06121f') },
  { cell: of('#134b82', '#9fcbf0'), text: of('#fffffe', '#06121f') },
];

export function seriesColour(number: number): string {
  return SERIES[number % SERIES.length].light;
}

const ALL = [INK, MUTED, GRID, AXIS, SURFACE, ...SERIES, ...HEAT.flatMap(({ cell, text }) => [cell, text])];

/** Every colour that charts are drawn in, by its light one. */
export const COLOURS: ReadonlyMap<string, string> = new Map(ALL.map(({ light, dark }) => [light, dark]));
