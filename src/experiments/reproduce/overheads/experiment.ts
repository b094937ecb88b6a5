import { ratioText } from '../../shared/ratio.js';
import type { Part, Sheet } from '../../shared/sheet.js';
import { amdahl } from '../amdahl.js';
import type { Experiment } from '../experiment.js';
import { type Figure, figuresOf } from '../figure.js';
import { digits, estimateText, type Finding } from '../finding.js';
import { lessText } from '../fit.js';
import { overheads } from '../published.js';
import { measureOverheads, type Overheads, type OverheadsRow } from './measure.js';

const { folioCopyShareOfMovePages: shares, amdahl: law } = overheads;

/** {@link Experiment}: what of move_pages() is folio copy, and what Amdahl's law makes of that. */
export const overheadsExperiment: Experiment<Overheads> = {
  question: 'What of move_pages() is copying, and is the speed-up what Amdahl says?',
  published: overheads,
  takesStores: true,
  measure: measureOverheads,
  findings,
  figures,
  parts,
};

/** As the published table names it: `2MBx512`. */
function publishedName({ folioSize, publishedFolios }: OverheadsRow): string {
  return `${folioSize}x${publishedFolios}`;
}

/** What was moved, and what it is compared with if that is more. */
function labelOf(row: OverheadsRow): string {
  const own = `${row.folioSize}x${row.folios}`;
  return row.folios === row.publishedFolios ? own : `${own} (published: ${publishedName(row)})`;
}

/** Whether it is what the series' practical speed-up is of. */
function isPractical(row: OverheadsRow): boolean {
  return publishedName(row) === '2MBx512';
}

function publishedMax(row: OverheadsRow): number | undefined {
  return (law.maxSpeedup as Readonly<Record<string, number>>)[publishedName(row)];
}

function findings({ rows }: Overheads): Finding[] {
  return rows.flatMap((row) => {
    const published = shares[row.folioSize][row.publishedFolios];
    const found: Finding[] = [
      { what: `${labelOf(row)}, share of folio copy`, kind: 'share', published, measured: row.F },
    ];
    if (isPractical(row)) {
      found.push({
        what: `${labelOf(row)}, whole speed-up by mtcopy×${row.threads} (published: predicted of a DMA engine)`,
        kind: 'ratio',
        published: law.practicalSpeedup2MBx512,
        measured: row.measured,
      });
    }
    return found;
  });
}

function figures({ rows }: Overheads): Figure[] {
  return rows.flatMap((row) => {
    const name = `${row.folioSize}x${row.folios}`;
    const practical = isPractical(row) ? { published: law.practicalSpeedup2MBx512 } : {};
    return [
      ...figuresOf(name, 'kernel', {
        'share of folio copy': { unit: 'share', is: row.F, published: shares[row.folioSize][row.publishedFolios] },
        'whole speed-up allowed': { unit: 'ratio', is: row.maxSpeedup, published: publishedMax(row) },
        runs: { unit: 'count', is: row.runs },
      }),
      ...figuresOf(name, `mtcopy×${row.threads}`, {
        'speed-up of copies': { unit: 'ratio', is: row.S },
        'whole speed-up predicted': { unit: 'ratio', is: row.predicted, ...practical },
        'whole speed-up': { unit: 'ratio', is: row.measured },
        'predicted by measured': { unit: 'ratio', is: row.predictedByMeasured },
        'all but copies, against kernel': { unit: 'ratio', is: row.rest },
      }),
    ];
  });
}

function parts({ rows, ...amounts }: Overheads): Part[] {
  const isLess = rows.some(({ folios, publishedFolios }) => folios !== publishedFolios);
  return [
    shareSheet(rows),
    [
      'F: share of folio copy in the wall time of move_pages(), one thread copying folio by folio: median',
      'with its interval of 95 %. Allowed: 1 / (1 - F).',
      ...(isLess ? ['512 folios of 2MB are more than is moved here: as many of them as there is room for.'] : []),
      ...lessText(amounts),
    ].join('\n'),
    speedupSheet(rows),
    [
      'S: how many times as fast mtcopy copied, with the best of 1 and 2 workers, and 1 with the calling',
      'thread (1+1), which runs before these have chosen; from one page on. Predicted: whole speed-up,',
      '1 / ((1 - F) + F / S). Above 1, predicted / measured says that the law promised too much. Rest: time',
      'of all but the copies, against that of the kernel, which the law takes to be 1.',
      ...rows.filter(isPractical).map(practicalText),
    ].join('\n'),
  ];
}

function shareSheet(rows: readonly OverheadsRow[]): Sheet {
  return {
    texts: ['moved'],
    numbers: ['runs', 'F', 'F\npublished', 'speed-up\nallowed', 'allowed\npublished'],
    rows: rows.map((row) => {
      const most = publishedMax(row);
      const share = shares[row.folioSize][row.publishedFolios];
      return [
        `${row.folioSize}x${row.folios}`,
        String(row.runs),
        estimateText(row.F),
        publishedName(row) === '4KBx1' ? '<0.01' : digits(share),
        digits(row.maxSpeedup),
        most === undefined ? '' : digits(most),
      ];
    }),
  };
}

function speedupSheet(rows: readonly OverheadsRow[]): Sheet {
  return {
    texts: ['moved', 'mtcopy'],
    numbers: ['S', 'predicted', 'measured', 'predicted /\nmeasured', 'rest'],
    rows: rows.map((row) => [
      `${row.folioSize}x${row.folios}`,
      `×${row.threads}`,
      ratioText(row.S),
      digits(row.predicted),
      ratioText(row.measured),
      ratioText(row.predictedByMeasured),
      digits(row.rest.median),
    ]),
  };
}

function practicalText({ F, folioSize, folios }: OverheadsRow): string {
  const here = digits(amdahl(F.median, law.dmaCopySpeedupS));
  return `Of 2MBx512 the series predicts ${law.practicalSpeedup2MBx512} by DMA, S = ${law.dmaCopySpeedupS}; the F of ${folioSize}x${folios} here makes that ${here}.`;
}
