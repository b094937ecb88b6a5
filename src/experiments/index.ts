/**
 * Experiments as a library, for programs that sweep: what the commands measure and how they print it, and what a program of
 * its own needs to fill, age and verify memory.
 *
 * Results are plain objects, which can be printed as JSON. Speeds are in 10^9 bytes a second; bytes, nanoseconds and errors are
 * as in `mtcopy`. What takes long takes a {@link Control}, by which it is watched and cut short.
 *
 * @module mtcopy/experiments
 */

export { type CopyMeasurement, type CopySweep, sweepCopies } from './copy/measure.js';
export { copyParts } from './copy/table.js';
export { type MigrateMeasurement, type MigrateSweep, sweepMigrations } from './migrate/measure.js';
export { migrateParts, ownShare, PHASES_OVERLAP } from './migrate/table.js';
export {
  compareBatching,
  comparePmbenchFlows,
  type FlowChange,
  type FlowComparison,
  type PmbenchComparison,
  type PmbenchMeasurement,
  type PmbenchSample,
} from './pmbench/measure.js';
export { pmbenchParts } from './pmbench/table.js';
export { amdahl } from './reproduce/amdahl.js';
/*
 * Arithmetic of the experiments, for their tests.
 */
/** @internal */
export { firstFolioNs } from './reproduce/batch-limit/first-folio.js';
export type { BatchLimit, BatchLimitRow } from './reproduce/batch-limit/measure.js';
export type { BatchSetting } from './reproduce/batch-limit/settings.js';
export type { Waits } from './reproduce/batch-limit/waits.js';
/** @internal */
export { waitsOf } from './reproduce/batch-limit/waits.js';
export type { Accounting, EngineRow } from './reproduce/breakdown/engine.js';
export type { Breakdown } from './reproduce/breakdown/parts.js';
export type { PageNs, StepsRow } from './reproduce/breakdown/steps.js';
export type { CallsFigures, CallsRatios, Contention, ContentionRow } from './reproduce/contention/measure.js';
/** @internal */
export { figuresOf, lapsThatFit } from './reproduce/contention/measure.js';
export type { CyclesPerPage, CyclesRow } from './reproduce/cycles-per-page/measure.js';
export type { DmaSetupRow, DmaSetups } from './reproduce/dma-setup.js';
export type { Experiment, Scale } from './reproduce/experiment.js';
export type { Figure } from './reproduce/figure.js';
export { type Claim, type Estimate, type Finding, findingHolds, judge, type Verdict } from './reproduce/finding.js';
export type { Amounts } from './reproduce/fit.js';
/** @internal */
export { bytesThatFit } from './reproduce/fit.js';
export type { Flows, FlowsRow } from './reproduce/flows/measure.js';
export { type FolioCountThroughput, publishedOfCount } from './reproduce/folio-count.js';
export { type FolioSizeThroughput, publishedOfSize } from './reproduce/folio-size.js';
export type { Overheads, OverheadsRow } from './reproduce/overheads/measure.js';
export {
  type FailedTable,
  type JudgedFinding,
  type ReproducedTable,
  type ReproduceOptions,
  type Reproduction,
  reproduce,
} from './reproduce/reproduce.js';
export { failedText, missingTexts, reproducedParts, reproducedRows, tableNotes } from './reproduce/show.js';
export { EXPERIMENTS, TABLE_NAMES, type TableName } from './reproduce/tables.js';
/** @internal */
export { createTimeLeft } from './reproduce/time-left.js';
export { pagesThatFit, type TlbBatching, type TlbRow } from './reproduce/tlb.js';
export type { Sampled, SampledTurns } from './reproduce/turns-text.js';
export { ageNode, ageNodes } from './shared/age-node.js';
export { SWEEP_CALLERS, type SweepCaller } from './shared/callers.js';
/** @internal */
export { closeAll } from './shared/close-all.js';
export { collectGarbage } from './shared/collect-garbage.js';
export type { Control, Progress, TurnsTaken } from './shared/control.js';
export { fillFromFile, fillWithPattern, inputSize, scrub } from './shared/fill.js';
export { allocFolioBatch, type FolioBatch } from './shared/folios.js';
export { type HostFacts, hostFacts } from './shared/host.js';
export { MIN_ROUNDS, runInTurns, type Turns, type Variant } from './shared/in-turns.js';
export { migratorText, threadsText } from './shared/labels.js';
export { type LoopSettings, loopOf } from './shared/loops.js';
export { type Mover, moverText, WAY_NAMES, WAYS, type Way, type WayName } from './shared/movers.js';
export type { Picture } from './shared/picture.js';
export { PATTERNS, type Pattern } from './shared/pmbench/access-pattern.js';
export {
  PMBENCH_CALLS,
  type PmbenchCall,
  type PmbenchLoad,
  type PmbenchRun,
  runPmbench,
} from './shared/pmbench/run.js';
export { isSure, type Ratio, ratioOf } from './shared/ratio.js';
/** @internal */
export { shareTime } from './shared/share-time.js';
export { type Cell, linesOf, markdownOf, type Part, type Sheet, textOf } from './shared/sheet.js';
export { type PublishedRatio, type PublishedSpread, publishedRatio, type Spread, spreadOf } from './shared/spread.js';
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
export type { ThroughputRow } from './shared/throughput.js';
export {
  addThroughputTasks,
  type TaskBench,
  type TaskTime,
  type ThroughputTaskOptions,
} from './shared/throughput-tasks.js';
export type { Tuning } from './shared/tuned.js';
export { findDifference, hashFolios } from './shared/verify.js';
export { type Alternative, type Choice, choose, type Measured } from './tune/choose.js';
export { type Copied, type CopyManner, copyCost, copyLoops, copyManners, copyText, withCopies } from './tune/copies.js';
export {
  type MigrationManner,
  migrationCost,
  migrationManners,
  migrationStores,
  migrationText,
  type Shape,
  withMigrations,
} from './tune/migrations.js';
export { type Place, type Race, type Runner, race } from './tune/race.js';
export { tuneParts } from './tune/table.js';
export {
  shapeOf,
  type Tried,
  type Tuned,
  type TunedChoice,
  type TunedSize,
  type TuneOptions,
  tune,
} from './tune/tune.js';
