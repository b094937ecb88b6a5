import { basename } from 'node:path';
import { drawChart, reportOf, sectionsOf } from 'mtcopy/report';
import { expect, it } from 'vitest';
import { FIXTURE_FILES, named } from '../support/results.js';

const results = FIXTURE_FILES.map((path) => named(basename(path)));

it('every colour that a chart is drawn in has another on a dark page', () => {
  const html = reportOf(results);
  const svgs = sectionsOf(results).flatMap(({ charts }) => charts.map((chart, i) => drawChart(chart, `c${i}`)));
  expect(svgs.length).toBeGreaterThan(30);
  const colours = new Set(
    svgs.flatMap((svg) =>
      Array.from(svg.matchAll(/ (fill|stroke)="([^"]*)"/g), ([, what, colour]) => `${what}="${colour}"`),
    ),
  );
  // Black is of what isn't seen: a clip path, and the lines of a legend.
  const seen = [...colours].filter((colour) => !/"(none|#000|rgb\(0,0,0\))"/.test(colour));
  expect(seen.length).toBeGreaterThan(15);
  expect(seen.filter((colour) => !html.includes(`figure svg [${colour}]{`))).toEqual([]);
});

it('charts have neither styles nor names that another chart of the page has', () => {
  const [chart] = sectionsOf(results)[0].charts;
  const [one, other] = [drawChart(chart, 'c1'), drawChart(chart, 'c2')];
  const idsOf = (svg: string) => Array.from(svg.matchAll(/ id="([^"]*)"/g), ([, id]) => id);
  expect(idsOf(one).filter((id) => idsOf(other).includes(id))).toEqual([]);
  expect(one).not.toMatch(/<style|\bzr\d|ecmeta/);
  // Drawn again it is the same, byte by byte.
  expect(drawChart(chart, 'c1')).toBe(one);
});
