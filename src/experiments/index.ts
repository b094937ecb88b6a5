/*
 * Experiments as a library, for programs that sweep: what the commands measure and how they print it, and what a program of
 * its own needs to fill, age and verify memory.
 */
export { type CopyMeasurement, type CopySweep, sweepCopies } from './copy/measure.js';
export { copyTable } from './copy/table.js';
export { type MigrateMeasurement, type MigrateSweep, sweepMigrations } from './migrate/measure.js';
export { migrateTable } from './migrate/table.js';
export {
  compareBatching,
  comparePmbenchFlows,
  type FlowChange,
  type FlowComparison,
  type PmbenchComparison,
  type PmbenchMeasurement,
  type PmbenchSample,
} from './pmbench/measure.js';
export { pmbenchTable } from './pmbench/table.js';
export type { Accounting, ThroughputRow } from './reproduce/breakdown/engine.js';
export type { Breakdown } from './reproduce/breakdown/parts.js';
export type { PageNs, StepsRow } from './reproduce/breakdown/steps.js';
export type { DmaSetupRow, DmaSetups } from './reproduce/dma-setup.js';
export type { Experiment, Scale } from './reproduce/experiment.js';
export { type Estimate, type Finding, findingHolds, judge, type Verdict } from './reproduce/finding.js';
export { type ReproducedTable, type ReproduceOptions, reproduce, reproducedText } from './reproduce/reproduce.js';
export { EXPERIMENTS, TABLE_NAMES, type TableName } from './reproduce/tables.js';
export type { TlbBatching, TlbRow } from './reproduce/tlb.js';
export { ageNode, ageNodes } from './shared/age-node.js';
export { SWEEP_CALLERS, type SweepCaller } from './shared/callers.js';
export { collectGarbage } from './shared/collect-garbage.js';
export type { Control, Progress } from './shared/control.js';
export { fillFromFile, fillWithPattern, scrub } from './shared/fill.js';
export { allocFolioBatch, type FolioBatch } from './shared/folios.js';
export { type HostFacts, hostFacts } from './shared/host.js';
export { MIN_ROUNDS, runInTurns, type Turns, type Variant } from './shared/in-turns.js';
export { threadsText } from './shared/labels.js';
export { PATTERNS, type Pattern } from './shared/pmbench/access-pattern.js';
export {
  PMBENCH_CALLS,
  type PmbenchCall,
  type PmbenchLoad,
  type PmbenchRun,
  runPmbench,
} from './shared/pmbench/run.js';
export { type Ratio, ratioOf } from './shared/ratio.js';
export { type Part, type Sheet, textOf } from './shared/sheet.js';
export type { Speeds } from './shared/statistics.js';
export {
  applySettings,
  type Copiers,
  type Decided,
  decidedBy,
  type OnCopiers,
  SettingError,
  type SweepControl,
  type SysfsSetting,
} from './shared/sysfs.js';
export { findDifference, hashFolios } from './shared/verify.js';
