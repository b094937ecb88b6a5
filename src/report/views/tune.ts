import { formatSize } from 'mtcopy';
import { copyText, migrationText, type TunedChoice, type TunedSize, tuneParts } from 'mtcopy/experiments';
import type { SeriesChart } from '../model/chart.js';
import type { Section } from '../model/section.js';
import type { TuneResult } from '../read/result.js';
import type { Source } from '../read/source.js';
import { blockOf } from './blocks.js';
import { estimatePoint, ofSource } from './charts.js';

/** What was tried, of copies or of migrations. */
interface Tries {
  readonly what: string;
  /** What the others are compared with. */
  readonly first: string;
  readonly chosen: string;
  readonly tried: readonly { readonly name: string; readonly ofFirst: Parameters<typeof estimatePoint>[0] }[];
}

export function tuneSection(sources: readonly Source<TuneResult>[]): Section {
  return {
    title: 'mtcopy tune',
    intro:
      'Ways to copy and to migrate, measured in turns; of those nearly as fast as the fastest the one with the fewest threads is chosen.',
    charts: sources.flatMap((source) =>
      source.result.sizes.flatMap((size) => sizeCharts(ofSource(source, sources), size)),
    ),
    blocks: sources.map((source) => blockOf(source, sources, tuneParts)),
  };
}

function sizeCharts(file: string, size: TunedSize): SeriesChart[] {
  const { load, folioBytes, batchBytes } = size;
  const beside = load === 0 ? '' : `, beside ${load} busy processes`;
  const of = `batches of ${formatSize(batchBytes)} in folios of ${formatSize(folioBytes)}${beside}`;
  return triesOf(size).map(({ what, first, chosen, tried }) => ({
    kind: 'dots',
    title: `${file}${what} ${of}`,
    caption:
      `Times as fast as ${first}, on a logarithmic scale; the line is at 1. Strokes are intervals of 95 %; ` +
      'the slower ways left early, and have wider ones. Orange: what was chosen.',
    categories: { name: 'setting', labels: tried.map(({ name }) => name) },
    values: { name: 'times as fast', isLog: true, border: 1 },
    series: [
      {
        name: 'tried',
        colour: 0,
        points: tried.map(({ name, ofFirst }) => (name === chosen ? undefined : estimatePoint(ofFirst))),
      },
      {
        name: 'chosen',
        colour: 1,
        points: tried.map(({ name, ofFirst }) => (name === chosen ? estimatePoint(ofFirst) : undefined)),
      },
    ],
  }));
}

function triesOf({ copies, methods, migrations, stores }: TunedSize): Tries[] {
  const alone = 'the calling thread alone';
  return [
    tries('Copying', alone, copies, copyText),
    ...(methods ? [tries('The loop of copying', 'the default loop', methods, copyText)] : []),
    ...(migrations ? [tries('Migrating', alone, migrations, migrationText)] : []),
    ...(stores ? [tries('The stores of migrating', 'with stores auto', stores, migrationText)] : []),
  ];
}

function tries<Settings>(
  what: string,
  first: string,
  { chosen, tried }: TunedChoice<Settings>,
  text: (settings: Settings) => string,
): Tries {
  return {
    ...{ what, first, chosen: text(chosen) },
    tried: tried.map(({ settings, ofFirst }) => ({ name: text(settings), ofFirst })),
  };
}
