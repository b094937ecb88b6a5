import {
  EXPERIMENTS,
  type Experiment,
  missingTexts,
  TABLE_NAMES,
  type TableName,
  tableNotes,
} from 'mtcopy/experiments';
import type { Section } from '../../model/section.js';
import type { ReproduceResult } from '../../read/result.js';
import type { Source } from '../../read/source.js';
import { headingOf, readable } from '../blocks.js';
import { ofSource } from '../charts.js';
import { batchLimitCharts, contentionCharts, flowsCharts } from './curves.js';
import { findingCharts } from './findings.js';
import { folioCountCharts } from './folio-count.js';
import { folioSizeCharts } from './folio-size.js';
import { overheadsCharts } from './overheads.js';
import { breakdownCharts, cyclesCharts, dmaSetupCharts } from './stacks.js';
import type { ChartsOf, Reproduced } from './tables.js';
import { tlbCharts } from './tlb.js';

/** Charts of each table beside those of its findings. What they take was checked as the file was read. */
const CHARTS: Readonly<Record<TableName, unknown>> = {
  'folio-size': folioSizeCharts,
  'folio-count': folioCountCharts,
  overheads: overheadsCharts,
  'cycles-per-page': cyclesCharts,
  tlb: tlbCharts,
  breakdown: breakdownCharts,
  'dma-setup': dmaSetupCharts,
  flows: flowsCharts,
  contention: contentionCharts,
  'batch-limit': batchLimitCharts,
};

/** A section for each table that a file has, and one for those that a file lacks. */
export function reproduceSections(sources: readonly Source<ReproduceResult>[]): Section[] {
  return [...TABLE_NAMES.flatMap(sectionsOf), ...missingSections(sources)];

  function sectionsOf(name: TableName): Section[] {
    const having = sources.filter(({ result }) => result.tables.some((table) => table.name === name));
    const tables = having.map((source): Reproduced => {
      const table = source.result.tables.find((one) => one.name === name) as Reproduced['table'];
      return { file: ofSource(source, having), source, table };
    });
    return tables.length === 0 ? [] : [tableSection(name, tables)];
  }
}

function missingSections(sources: readonly Source<ReproduceResult>[]): Section[] {
  const blocks = sources.flatMap((source) => {
    const parts = missingTexts(source.result);
    return parts.length === 0 ? [] : [{ ...headingOf(source, sources), parts }];
  });
  return blocks.length === 0 ? [] : [{ title: 'mtcopy reproduce: what was not measured', charts: [], blocks }];
}

function tableSection(name: TableName, tables: readonly Reproduced[]): Section {
  const having = tables.map(({ source }) => source);
  return {
    title: `mtcopy reproduce ${name}`,
    intro: tables[0].table.question,
    charts: [...(CHARTS[name] as ChartsOf<unknown>)(tables), ...findingCharts(name, tables)],
    blocks: tables.map(({ source, table }) => ({
      ...headingOf(source, having),
      verdict: table.verdict,
      parts: readable(source, () => [
        ...(EXPERIMENTS[name] as Experiment<object>).parts(table.measured as object),
        ...tableNotes(table, source.result),
      ]),
    })),
  };
}
