import { type ReproducedTable, reproducedRows } from 'mtcopy/experiments';
import { expect, it } from 'vitest';

const TABLE = { question: '?', published: {}, measured: { rows: [] } };
const measured = { median: 2, low: 1.5, high: 3, confidence: 0.95 };

it('has a row for each finding, and one for a table that has none: what is printed is empty only if nothing was measured', () => {
  const tables: ReproducedTable[] = [
    {
      ...TABLE,
      name: 'tlb',
      findings: [
        { what: 'one', kind: 'ratio', published: 2, measured, holds: true, isOpen: false },
        { what: 'other', kind: 'ratio', published: 0.5, measured, holds: false, isOpen: false },
      ],
      verdict: { holds: false, says: '1 of 2' },
    },
    { ...TABLE, name: 'flows', findings: [], verdict: { holds: true, says: 'Nothing is lost.' } },
  ];
  expect(reproducedRows(tables)).toEqual([
    { table: 'tlb', what: 'one', kind: 'ratio', published: 2, measured, holds: true, isOpen: false },
    { table: 'tlb', what: 'other', kind: 'ratio', published: 0.5, measured, holds: false, isOpen: false },
    { table: 'flows', holds: true, says: 'Nothing is lost.' },
  ]);
  expect(reproducedRows([])).toEqual([]);
});
