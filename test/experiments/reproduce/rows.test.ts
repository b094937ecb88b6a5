import { type ReproducedTable, reproducedParts, reproducedRows, textOf } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

const TABLE = { question: '?', published: {}, measured: { cpus: 2, pages: 512, rows: [] }, turns: [], seconds: 1 };
const interval = { low: 1.5, high: 3, confidence: 0.95 };
const measured = { median: 2, ...interval };
const figure = { row: '512 of 4K', variant: 'vanilla', measure: 'pages a second', unit: '1/s', value: 7 };
const TLB: ReproducedTable = {
  ...TABLE,
  name: 'tlb',
  figures: [figure, { ...figure, measure: 'by serial', unit: 'ratio', value: 2, ...interval, published: 3 }],
  findings: [
    { what: 'one', kind: 'ratio', published: 2, measured, holds: true, isOpen: false },
    { what: 'other', kind: 'ratio', claimed: 0.5, measured, holds: false, isOpen: false },
  ],
  verdict: { holds: false, says: '1 of 2' },
};
const FLOWS: ReproducedTable = {
  ...TABLE,
  name: 'flows',
  figures: [],
  findings: [],
  verdict: { holds: true, says: 'Nothing is lost.' },
};
const WHOLE = { quick: true, seconds: 12, tables: [TLB], failed: [], notBegun: [] };
const failed = [{ name: 'flows', code: 'ENOMEM', message: 'ENOMEM: node 1 is full' }] as const;

it('has a row for each figure, finding and verdict, and for each table that failed', () => {
  expect(reproducedRows({ tables: [TLB, FLOWS], failed })).toEqual([
    { table: 'tlb', kind: 'figure', ...figure },
    {
      ...{ table: 'tlb', kind: 'figure', ...figure, measure: 'by serial', unit: 'ratio', value: 2 },
      ...{ ...interval, published: 3 },
    },
    {
      ...{ table: 'tlb', kind: 'finding', measure: 'one', unit: 'ratio', value: 2, ...interval },
      ...{ published: 2, holds: true, isOpen: false },
    },
    {
      ...{ table: 'tlb', kind: 'finding', measure: 'other', unit: 'ratio', value: 2, ...interval },
      ...{ claimed: 0.5, holds: false, isOpen: false },
    },
    { table: 'tlb', kind: 'verdict', holds: false, says: '1 of 2' },
    { table: 'flows', kind: 'verdict', holds: true, says: 'Nothing is lost.' },
    { table: 'flows', kind: 'failed', says: 'ENOMEM: node 1 is full' },
  ]);
  expect(reproducedRows({ tables: [], failed: [] })).toEqual([]);
});

it('names what failed, what was not begun, and what was cut short', () => {
  expect(textOf(reproducedParts(WHOLE))).not.toMatch(/failed|begun|cut short|over/);
  const text = textOf(reproducedParts({ ...WHOLE, failed, notBegun: ['contention', 'batch-limit'] }));
  expect(text).toMatch(/\nflows failed: ENOMEM: node 1 is full\n\nNot begun: contention, batch-limit\.$/);
  const cut = textOf(reproducedParts({ ...WHOLE, tables: [{ ...TLB, cutShort: true }, FLOWS] }));
  expect(cut).toContain('tlb was cut short: not every run of it was made.');
  expect(cut).not.toContain('flows was cut short');
});

it('says of which parts the time was over, and how many rounds those have', () => {
  const samples = { samples: [1], lowerQuartile: 1, median: 1, upperQuartile: 1 };
  const part = (ended: 'time' | 'narrow' | 'signal', rounds: number, ...names: string[]) => ({
    ...{ ended, rounds, measure: 'ns' },
    variants: names.map((name) => ({ name, ...samples })),
  });
  const shown = (...turns: ReproducedTable['turns']) =>
    textOf(reproducedParts({ ...WHOLE, tables: [{ ...TLB, turns }] }), 1000);
  expect(
    shown(part('time', 6, '4K, baseline', '4K, mtcopy'), part('narrow', 8, '2M, baseline', '2M, mtcopy')),
  ).toContain(
    'The 12 s for this table were over before every ratio was within ±10 %: 4K, baseline and 4K, mtcopy, 6 rounds.\n',
  );
  const three = ['a', 'b', 'c'];
  expect(shown(part('time', 8, ...three))).toContain('within ±10 %: a and 2 more, 8 rounds.');
  const many = [6, 6, 14, 8].map((rounds) => part('time', rounds, ...three));
  expect(shown(...many, part('narrow', 20, ...three))).toContain(
    'within ±10 %: in 4 of 5 parts, which have 6 to 14 rounds.',
  );
  expect(shown(part('signal', 2, ...three))).not.toContain('were over');
});
