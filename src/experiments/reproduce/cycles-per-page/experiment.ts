import type { Part, Sheet } from '../../shared/sheet.js';
import { publishedRatio, type Spread } from '../../shared/spread.js';
import type { Experiment } from '../experiment.js';
import { type Figure, figuresOf } from '../figure.js';
import { digits, estimateText, type Finding } from '../finding.js';
import { lessText } from '../fit.js';
import { cyclesPerPage } from '../published.js';
import { type CyclesPerPage, type CyclesRow, measureCycles, NAMED_SHARE } from './measure.js';

/** {@link Experiment}: cycles a page in migrate_pages() and folio_copy(), by bytes moved, for three kernels. */
export const cyclesPerPageExperiment: Experiment<CyclesPerPage> = {
  question: 'What does migrate_pages() spend on a page of 4 KiB, and what of that is copying?',
  published: cyclesPerPage,
  takesStores: true,
  measure: measureCycles,
  findings,
  figures,
  parts,
};

/** What was published of a row, and of `generic` moving as much. */
function publishedOf({ kernel, publishedAs }: CyclesRow) {
  const of = (name: string) =>
    cyclesPerPage.rows.find((row) => row.kernel === name && row.moved === publishedAs) ?? cyclesPerPage.rows[0];
  const own = of(kernel);
  return { F: own.F[0], againstGeneric: publishedRatio(own.migratePages, of('generic').migratePages) };
}

/** What moved, and what it is compared with if that is another amount. */
function labelOf({ moved, publishedAs }: CyclesRow): string {
  return moved === publishedAs ? moved : `${moved} (published: ${publishedAs})`;
}

/** Whether a row is the one of which the text names a share of its own. */
function isNamed({ kernel, publishedAs }: CyclesRow): boolean {
  return kernel === 'generic' && publishedAs === '256MB';
}

function findings({ rows }: CyclesPerPage): Finding[] {
  return rows.flatMap((row) => {
    const { F, againstGeneric } = publishedOf(row);
    const what = `${labelOf(row)} ${row.kernel}`;
    const measured = row.typicalF;
    const found: Finding[] = [{ what: `${what}, F`, kind: 'share', published: F, measured }];
    if (isNamed(row)) {
      found.push({ what: `${what}, F as the text names it`, kind: 'share', published: NAMED_SHARE, measured });
    }
    if (row.kernel !== 'generic' && againstGeneric.isClaim) {
      const against = { published: againstGeneric.ratio, measured: row.againstGeneric };
      found.push({ what: `${what} against generic, time of migrate_pages`, kind: 'ratio', ...against });
    }
    return found;
  });
}

function figures({ mhz, rows }: CyclesPerPage): Figure[] {
  return rows.flatMap((row) => {
    const { F, againstGeneric } = publishedOf(row);
    return figuresOf(row.moved, row.kernel, {
      'migrate_pages a page': { unit: 'ns', is: row.migratePagesNs },
      'folio_copy a page': { unit: 'ns', is: row.folioCopyNs },
      ...(mhz > 0 && {
        'migrate_pages cycles a page': { unit: 'cycles', is: row.migratePagesCycles },
        'folio_copy cycles a page': { unit: 'cycles', is: row.folioCopyCycles },
      }),
      'F, mean': { unit: 'share', is: row.F, published: F },
      'F, median': { unit: 'share', is: row.typicalF, published: F },
      ...(row.kernel !== 'generic' && {
        'time against generic': { unit: 'ratio', is: row.againstGeneric, published: againstGeneric.ratio },
      }),
      runs: { unit: 'count', is: row.runs },
    });
  });
}

function parts({ mhz, rows, ...amounts }: CyclesPerPage): Part[] {
  const clock = mhz === 0 ? 'The frequency of the clock is not known.' : `Cycles are of ${mhz.toFixed(0)} MHz.`;
  const instead = rows.some(({ moved, publishedAs }) => moved !== publishedAs);
  return [
    spentSheet(rows),
    `A page of 4 KiB: means and standard deviations of the runs. ${clock}`,
    besideSheet(rows),
    [
      'F: folio_copy / migrate_pages, mean of the runs, then median with its interval of 95 %.',
      'Against generic: time of migrate_pages; =: published as equal within its standard deviations, so no finding.',
      ...(instead ? ['64MB stands in for the 256MB of the published table.'] : []),
      ...lessText(amounts),
      'The DMA engine takes 5.2 µs a descriptor, as published, however fast this machine is otherwise.',
    ].join('\n'),
    ...rows.filter(isNamed).map(namedText),
  ];
}

function spentSheet(rows: readonly CyclesRow[]): Sheet {
  return {
    texts: ['moved', 'kernel'],
    numbers: ['runs', 'migrate_pages\nns', 'folio_copy\nns', 'migrate_pages\ncycles', 'folio_copy\ncycles'],
    rows: rows.map((row) => [
      row.moved,
      row.kernel,
      String(row.runs),
      spreadText(row.migratePagesNs),
      spreadText(row.folioCopyNs),
      row.migratePagesCycles.mean === 0 ? '' : spreadText(row.migratePagesCycles),
      row.migratePagesCycles.mean === 0 ? '' : spreadText(row.folioCopyCycles),
    ]),
  };
}

function besideSheet(rows: readonly CyclesRow[]): Sheet {
  return {
    texts: ['moved', 'kernel'],
    numbers: ['F\nmean', 'F\nmedian', 'F\npublished', 'against\ngeneric', 'against\npublished'],
    rows: rows.map((row) => {
      const { F, againstGeneric } = publishedOf(row);
      const isBase = row.kernel === 'generic';
      return [
        row.moved,
        row.kernel,
        row.F.mean.toFixed(3),
        estimateText(row.typicalF),
        F.toFixed(3),
        isBase ? '' : estimateText(row.againstGeneric),
        isBase ? '' : `${againstGeneric.isClaim ? '' : '= '}${digits(againstGeneric.ratio)}`,
      ];
    }),
  };
}

function namedText(row: CyclesRow): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return [
    `The series' text says up to ${percent(NAMED_SHARE)} for 256MB, where its table has ${percent(publishedOf(row).F)}.`,
    `Here it is ${percent(row.typicalF.median)} for ${row.moved}, ${percent(row.highestF)} at most, and ${percent(NAMED_SHARE)} or more in ${row.runsFromNamed} of ${row.runs} runs.`,
  ].join('\n');
}

function spreadText({ mean, deviation }: Spread): string {
  return `${shortText(mean)} ± ${shortText(deviation)}`;
}

/** A slow run of a single page among many takes millions of cycles. */
function shortText(count: number): string {
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`;
  return count >= 1e5 ? `${(count / 1e3).toFixed(0)}k` : count.toFixed(0);
}
