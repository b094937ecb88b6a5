/*
 * Reports as a library: from what the commands print with `--json` to one HTML document, or to a chart of it; and
 * traces of what programs do.
 */
export { drawChart } from './draw/draw.js';
export type {
  Categories,
  Chart,
  HeatChart,
  Point,
  Series,
  SeriesChart,
  StackChart,
  StackPart,
  ValueAxis,
} from './model/chart.js';
export type { Block, Section } from './model/section.js';
export { type Table, tableOf } from './model/table.js';
export {
  type CopyResult,
  type MigrateResult,
  type PmbenchResult,
  type ReproduceResult,
  type Result,
  readResult,
  type SysfsResult,
  type TuneResult,
} from './read/result.js';
export { type NamedResult, reportOf, sectionsOf } from './report.js';
export { startTraceFile, type TraceFile } from './trace/trace-file.js';
