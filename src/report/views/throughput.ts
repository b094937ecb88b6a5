import { formatSize } from 'mtcopy';
import type { HeatChart, Series, SeriesChart } from '../model/chart.js';
import { distinct, joined, onOneScale, point } from './charts.js';

/** How fast something was. */
export interface Speed {
  /** Which file, where there are several. */
  readonly file: string;
  /** The same, with the CPU that it was measured on. */
  readonly host: string;
  readonly folioBytes: number;
  /** Threads that copied, as text. */
  readonly threads: string;
  /** What else varies among the rows. */
  readonly setting: string;
  /** 10^9 bytes a second. */
  readonly gbps: { readonly median: number; readonly lowerQuartile: number; readonly upperQuartile: number };
}

/** Series that one chart can show. */
const MOST_SERIES = 6;
const QUARTILES = 'Medians of the runs; the strokes reach from the lower to the upper quartile.';

/** How charts of speeds are made up: what they call what they show, and what copied. */
export interface Wording {
  /** Such as `Copy throughput`. */
  readonly title: string;
  /** What a category is, such as `worker threads`. */
  readonly threads: string;
  readonly kind: 'lines' | 'dots';
}

/** Throughput by threads: a series for each folio size and setting, or a chart for each size where those were too many. */
export function speedCharts(speeds: readonly Speed[], wording: Wording): SeriesChart[] {
  const sizes = distinct(speeds.map(({ folioBytes }) => folioBytes));
  const files = distinct(speeds.map(({ file }) => file));
  const all = seriesOf(speeds, (speed) => joined([formatSize(speed.folioBytes), speed.setting]));
  if (wording.kind === 'lines' && files.length === 1 && all.length <= MOST_SERIES) {
    return [speedChart(`${wording.title} by ${wording.threads}`, 'A line for each folio size.', speeds, all, wording)];
  }
  const charts = sizes.map((folioBytes) => {
    const own = speeds.filter((speed) => speed.folioBytes === folioBytes);
    const series = seriesOf(own, ({ file, host, setting }) =>
      setting === '' ? host || formatSize(folioBytes) : `${file}${setting}`,
    );
    return speedChart(`${wording.title}, folios of ${formatSize(folioBytes)}`, '', own, series, wording);
  });
  return onOneScale(charts);
}

function speedChart(
  title: string,
  what: string,
  speeds: readonly Speed[],
  series: readonly Series[],
  { kind, threads }: Wording,
): SeriesChart {
  return {
    kind,
    title,
    caption: joined([`GB/s (10^9 bytes a second) by ${threads}.`, what, QUARTILES], ' '),
    categories: { name: threads, labels: distinct(speeds.map((speed) => speed.threads)) },
    values: { name: 'GB/s' },
    series,
  };
}

function seriesOf(speeds: readonly Speed[], nameOf: (speed: Speed) => string): Series[] {
  const threads = distinct(speeds.map((speed) => speed.threads));
  return distinct(speeds.map(nameOf)).map((name, colour) => ({
    name,
    colour,
    points: threads.map((count) => {
      const speed = speeds.find((one) => nameOf(one) === name && one.threads === count);
      return speed && point(speed.gbps.median, speed.gbps.lowerQuartile, speed.gbps.upperQuartile);
    }),
  }));
}

/** Throughput by folio size and threads: a map for each file and setting that has two of both at least. */
export function speedMaps(speeds: readonly Speed[], { title, threads, kind }: Wording): HeatChart[] {
  const groups = distinct(speeds.map(({ file, setting }) => `${file}${setting}`));
  const maps = groups.flatMap((group) => {
    const own = speeds.filter(({ file, setting }) => `${file}${setting}` === group);
    const bySize = { name: 'folio size', of: (speed: Speed) => formatSize(speed.folioBytes) };
    const byThreads = { name: threads, of: (speed: Speed) => speed.threads };
    if ([bySize, byThreads].some(({ of }) => distinct(own.map(of)).length < 2)) return [];
    const map: HeatChart = {
      kind: 'heat',
      title: joined([`${title} by folio size and ${threads}`, group.replace(/: $/, '')]),
      caption: 'Median GB/s in each cell; its colour goes from the slowest of the map to the fastest.',
      values: { name: 'GB/s' },
      // What has long names stands to the left, where there is room for them.
      ...(kind === 'lines' ? gridOf(own, bySize, byThreads) : gridOf(own, byThreads, bySize)),
    };
    return [map];
  });
  return maps.length < 2 ? maps : inOneScale(maps);
}

/** With colours that compare. */
function inOneScale(maps: readonly HeatChart[]): HeatChart[] {
  const known = maps.flatMap(({ cells }) => cells.flat().filter((value) => value !== undefined));
  const colours = [Math.min(...known), Math.max(...known)] as const;
  const caption = 'Median GB/s in each cell; its colour goes from the slowest of all these maps to the fastest.';
  return maps.map((map) => ({ ...map, caption, colours }));
}

/** What tells the rows or the columns of a map apart. */
interface Side {
  readonly name: string;
  readonly of: (speed: Speed) => string;
}

function gridOf(speeds: readonly Speed[], down: Side, across: Side): Pick<HeatChart, 'rows' | 'columns' | 'cells'> {
  const ordered = [...speeds].sort((a, b) => a.folioBytes - b.folioBytes);
  const [rows, columns] = [down, across].map(({ of }) => distinct(ordered.map(of)));
  return {
    rows: { name: down.name, labels: rows },
    columns: { name: across.name, labels: columns },
    cells: rows.map((row) =>
      columns.map((column) => {
        const speed = speeds.find((one) => down.of(one) === row && across.of(one) === column);
        return point(speed?.gbps.median)?.value;
      }),
    ),
  };
}
